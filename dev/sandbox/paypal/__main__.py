"""Serve the sandbox: `python -m dev.sandbox.paypal --port N --data DIR [--webhook URL]`."""

import argparse
from pathlib import Path

import uvicorn

from dev.sandbox.paypal.app import create_app


def main() -> None:
    """Serve on the loopback until a signal."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.paypal", description="A stand-in for PayPal.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="directory that keeps the state")
    parser.add_argument("--webhook", help="where webhooks are sent")
    given = parser.parse_args()
    app = create_app(given.data, base_url=f"http://127.0.0.1:{given.port}", webhook_url=given.webhook)
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="warning", timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
