"""Runs the sandbox: `python -m dev.sandbox.tax --port N --data DIR`; `TAX_SANDBOX_KEY` is what requests need."""

import argparse
import os
from pathlib import Path

import uvicorn

from dev.sandbox.tax.app import Service, create_app


def main() -> None:
    """Serve on the loopback until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.tax", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="like every sandbox; this one keeps nothing")
    options = parser.parse_args()
    uvicorn.run(
        create_app(Service(os.environ.get("TAX_SANDBOX_KEY"))), host="127.0.0.1", port=options.port, log_level="warning"
    )


if __name__ == "__main__":
    main()
