"""Runs the stand-in: `python -m dev.sandbox.slack --port N --data DIR`."""

import argparse
from pathlib import Path

import uvicorn

from dev.sandbox.slack.app import Posts, build


def main() -> None:
    """Serve on the loopback until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.slack", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where its state is kept")
    options = parser.parse_args()
    uvicorn.run(build(Posts(options.data / "posts.json")), host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
