"""Runs the sandbox: `python -m dev.sandbox.vies --port N --data DIR`."""

import argparse
from pathlib import Path

import uvicorn

from dev.sandbox.vies.app import create_app


def main() -> None:
    """Serve on the loopback until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.vies", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="like every sandbox; this one keeps nothing")
    options = parser.parse_args()
    uvicorn.run(create_app(), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
