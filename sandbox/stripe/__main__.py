"""Runs the sandbox: `python -m sandbox.stripe --port N --data DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from sandbox.stripe.app import build
from sandbox.stripe.core import Sandbox
from sandbox.stripe.store import Store


def main() -> None:
    """Serves until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where its state is kept")
    parser.add_argument("--check-answers", action="store_true", help="500 when an own answer is none of Stripe's")
    options = parser.parse_args()
    sandbox = Sandbox(Store(options.data / "stripe.sqlite"), check_answers=options.check_answers)
    sandbox.base_url = f"http://127.0.0.1:{options.port}"
    app = build(sandbox)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
