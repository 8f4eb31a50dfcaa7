"""Runs the mailbox: `python -m dev.sandbox.mail --port N --data DIR --smtp-port M [--bounces URL]`."""

import argparse
from pathlib import Path

import uvicorn

from dev.sandbox.mail.app import build
from dev.sandbox.mail.mailbox import Mailbox


def main() -> None:
    """Serve on the loopback until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox.mail", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the page")
    parser.add_argument("--smtp-port", type=int, required=True, help="of the mail server")
    parser.add_argument("--data", type=Path, required=True, help="where its state is kept")
    parser.add_argument("--bounces", help="where mails that come back are handed over")
    options = parser.parse_args()
    app = build(Mailbox(options.data / "mails.json"), options.smtp_port, options.bounces)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
