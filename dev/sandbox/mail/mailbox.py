"""An SMTP server that takes every mail and keeps it."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from dev.sandbox.holding import Holding

#: Older ones are forgotten.
MOST = 500
#: What the server can be told to answer: not now, never, and nothing at all after the text was taken.
FAULTS = ("defer", "refuse", "break")

Mail = dict[str, Any]


class Mailbox:
    """The mails that came, kept in one file; the oldest first. It answers as it was ordered.

    `await loop.create_server(mailbox.server, "127.0.0.1", port)` opens it.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read what an earlier start kept; without a path nothing is kept."""
        self._path = path
        self.mails: list[Mail] = json.loads(path.read_text()) if path is not None and path.exists() else []
        self.holding = Holding()
        #: What the next attempts are answered.
        self.faults: deque[str] = deque()
        #: Addresses that do not exist here.
        self.unknown: set[str] = set()

    @property
    def server(self) -> Callable[[], SMTP]:
        """Return what makes the protocol of a connection."""
        return lambda: SMTP(self, hostname="mail.sandbox")

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take an address."""
        if address in self.unknown:
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a mail."""
        fault = self.faults.popleft() if self.faults else None
        if fault == "defer":
            return "451 4.7.1 Try again later"
        if fault == "refuse":
            return "554 5.7.1 This is not taken here"
        assert isinstance(envelope.content, bytes)
        text = self._keep(envelope, envelope.content)
        await self.holding.wait(", ".join(envelope.rcpt_tos), text)
        if fault == "break":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"

    def _keep(self, envelope: Envelope, raw: bytes) -> str:
        """Keep a mail, and return its text."""
        message = message_from_bytes(raw, policy=policy.default)
        text, html = message.get_body(("plain",)), message.get_body(("html",))
        self.mails.append(
            {
                "number": self.mails[-1]["number"] + 1 if self.mails else 1,
                "received_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                "sender": envelope.mail_from,
                "recipients": list(envelope.rcpt_tos),
                "from": str(message["From"]),
                "to": str(message["To"]),
                "subject": str(message["Subject"]),
                "message_id": str(message["Message-ID"]),
                "language": str(message["Content-Language"]),
                "text": text.get_content() if text else "",
                "html": html.get_content() if html else "",
                "raw": raw.decode("utf-8", "replace"),
            }
        )
        del self.mails[:-MOST]
        if self._path is not None:
            # In one step, so that a process that is killed in between keeps the old mails.
            written = self._path.with_suffix(".new")
            written.write_text(json.dumps(self.mails))
            written.replace(self._path)
        return str(self.mails[-1]["text"])
