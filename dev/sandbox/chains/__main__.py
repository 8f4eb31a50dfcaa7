"""Runs the sandbox: `python -m dev.sandbox.chains --port N --data DIR [--block-seconds S]`."""

import argparse
from pathlib import Path

import uvicorn

from dev.sandbox.chains.app import build
from dev.sandbox.chains.store import Store


def main() -> None:
    """Serve on the loopback until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.chains", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where its state is kept")
    parser.add_argument("--block-seconds", type=int, default=0, help="make a block this often; 0 only on request")
    options = parser.parse_args()
    app = build(Store(options.data / "chains.sqlite"), block_seconds=options.block_seconds)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
