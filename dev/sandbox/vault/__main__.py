"""Runs the stand-in: `python -m dev.sandbox.vault --port N --data DIR`; it prints what to sign in with."""

import argparse
import sys
from pathlib import Path

import uvicorn

from dev.sandbox.vault.app import Vault, build


def main() -> None:
    """Serve on the loopback until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.vault", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="like every sandbox; this one keeps nothing")
    options = parser.parse_args()
    vault = Vault()
    sys.stdout.write(
        f"BURSAR_VAULT_URL=http://127.0.0.1:{options.port}\n"
        f"BURSAR_VAULT_ROLE_ID={vault.role_id}\nBURSAR_VAULT_SECRET_ID={vault.secret_id}\n"
    )
    sys.stdout.flush()
    uvicorn.run(build(vault), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
