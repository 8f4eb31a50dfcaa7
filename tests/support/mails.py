"""A mail server on a free port, and what hands mails to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dev.sandbox.mail.mailbox import Mailbox
from domain.common.mail import Contact, Purpose
from providers.notify.mail import SmtpMailer, SmtpServer

OWNER, BOOKS = "owner@acme.example", "books@acme.example"
CONTACTS = (
    Contact(address=BOOKS, purposes=frozenset({Purpose.BILLING})),
    Contact(address=OWNER, purposes=frozenset(Purpose)),
)


def mailer(port: int, **changes: Any) -> SmtpMailer:
    given = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "billing@bursar.example"}
    options = {name: changes.pop(name) for name in ("templates", "return_path") if name in changes}
    return SmtpMailer(SmtpServer(**{"sender_name": "Bursar", **given, **changes}), **options)


@asynccontextmanager
async def listening(mailbox: Mailbox) -> AsyncIterator[int]:
    """Open a mailbox; its port is given."""
    server = await asyncio.get_running_loop().create_server(mailbox.server, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
