"""The seam between mails and whoever carries them: one Protocol, and SMTP behind it.

Errors of `send` are those of the payment seam, with the same meaning: `ProviderUnavailable` (nothing was accepted),
`OutcomeUnknown` (the connection broke off after the text was sent), `ProviderRefused` (the server refuses this text
for good).
"""

import hashlib
import html
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal, Protocol

import aiosmtplib
from aiosmtplib.errors import (
    SMTPDataError,
    SMTPException,
    SMTPReadTimeoutError,
    SMTPRecipientsRefused,
    SMTPServerDisconnected,
)

from domain.mail import Written, checked_address
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from providers.tls import trusted

Tls = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail: to whom, in which language, and its words."""

    to: tuple[str, ...]
    language: str
    words: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the server said of each address: it took the mail, never will, or may later; with the server's reason."""

    accepted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    deferred: Mapping[str, str] = field(default_factory=dict)


class Mailer(Protocol):
    """Carries mails."""

    async def send(self, mail: Mail, *, idempotency_key: str) -> Delivery:
        """Hand a mail over. The same key makes the same Message-ID, by which a mail that came twice is recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mail is handed over, in whose name, and how the connection is kept private."""

    host: str
    port: int
    tls: Tls
    sender: str
    sender_name: str
    username: str | None = None
    password: str | None = None
    timeout: timedelta = timedelta(seconds=20)


class SmtpMailer:
    """Hands mails to an SMTP server, one connection each."""

    def __init__(self, server: SmtpServer, *, roots: ssl.SSLContext | None = None) -> None:
        """Take the server, and what its certificate is judged by where that is not the system."""
        self._server = server
        self._roots = roots
        self._sender = Address(server.sender_name, addr_spec=checked_address(server.sender))

    async def send(self, mail: Mail, *, idempotency_key: str) -> Delivery:
        """Hand a mail over in one transaction for all its addresses."""
        server, message = self._server, self._message(mail, idempotency_key)
        try:
            async with aiosmtplib.SMTP(
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=server.password,
                use_tls=server.tls == "tls",
                start_tls=server.tls == "starttls",
                tls_context=None if server.tls == "none" else self._roots or trusted(),
                timeout=server.timeout.total_seconds(),
            ) as smtp:
                said, _ = await smtp.send_message(message, sender=server.sender, recipients=list(mail.to))
            answers = {address: (answer.code, answer.message) for address, answer in said.items()}
        except SMTPRecipientsRefused as error:
            answers = {one.recipient: (one.code, one.message) for one in error.recipients}
        except SMTPDataError as error:
            answer = f"The mail server did not take the mail: {_told(error.code, error.message)}."
            raise (ProviderRefused if error.code >= 500 else ProviderUnavailable)(answer) from error
        except (SMTPServerDisconnected, SMTPReadTimeoutError) as error:
            raise OutcomeUnknown("The mail server broke off.") from error
        except (SMTPException, OSError) as error:
            raise ProviderUnavailable(f"The mail server could not be asked: {type(error).__name__}.") from error
        told = {address: (code, _told(code, text)) for address, (code, text) in answers.items()}
        return Delivery(
            accepted=tuple(address for address in mail.to if address not in told),
            refused={address: text for address, (code, text) in told.items() if code >= 500},
            deferred={address: text for address, (code, text) in told.items() if code < 500},
        )

    def _message(self, mail: Mail, key: str) -> EmailMessage:
        """Write the mail. The policy refuses a header of more than one line, so no value can add one."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = [Address(addr_spec=checked_address(address)) for address in mail.to]
        message["Subject"] = mail.words.subject
        message["Message-ID"] = message_id(key, self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"
        parts = [*mail.words.paragraphs, *([mail.words.link] if mail.words.link else [])]
        message.set_content("\n\n".join(parts) + "\n")
        message.add_alternative(_as_html(mail), subtype="html")
        # After the parts: an alternative takes the headers of content that are there before it.
        message["Content-Language"] = mail.language
        return message


def message_id(key: str, domain: str) -> str:
    """Name a mail by its key, for good: whoever gets it twice sees that it is one."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def _as_html(mail: Mail) -> str:
    paragraphs = [html.escape(paragraph) for paragraph in mail.words.paragraphs]
    if mail.words.link:
        link = html.escape(mail.words.link)
        paragraphs.append(f'<a href="{link}">{link}</a>')
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f'<!doctype html>\n<html lang="{mail.language}"><body>\n{body}\n</body></html>\n'


def _told(code: int, text: str) -> str:
    """Return what a server said, short and in one line: what it may hold is anything."""
    return f"{code} {' '.join(text.split())[:200]}"
