"""Carries messages as mails, over SMTP."""

import hashlib
import html
import ssl
from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal

import aiosmtplib
from aiosmtplib.errors import (
    SMTPDataError,
    SMTPException,
    SMTPReadTimeoutError,
    SMTPRecipientsRefused,
    SMTPServerDisconnected,
)

from domain.mail import checked_address
from providers.notify.base import Delivery, Message
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from providers.tls import trusted

Tls = Literal["starttls", "tls", "none"]


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

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:
        """Hand a mail over in one transaction for all its addresses."""
        server, mail = self._server, self._mail(message, idempotency_key)
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
                said, _ = await smtp.send_message(mail, sender=server.sender, recipients=list(message.to))
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
            accepted=tuple(address for address in message.to if address not in told),
            refused={address: text for address, (code, text) in told.items() if code >= 500},
            deferred={address: text for address, (code, text) in told.items() if code < 500},
        )

    def _mail(self, message: Message, key: str) -> EmailMessage:
        """Write the mail. The policy refuses a header of more than one line, so no value can add one."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._sender
        mail["To"] = [Address(addr_spec=checked_address(address)) for address in message.to]
        mail["Subject"] = message.words.subject
        mail["Message-ID"] = message_id(key, self._sender.domain)
        mail["Auto-Submitted"] = "auto-generated"
        parts = [*message.words.paragraphs, *([message.words.link] if message.words.link else [])]
        mail.set_content("\n\n".join(parts) + "\n")
        mail.add_alternative(_as_html(message), subtype="html")
        # After the parts: an alternative takes the headers of content that are there before it.
        mail["Content-Language"] = message.language
        return mail


def message_id(key: str, domain: str) -> str:
    """Name a mail by its key, for good: whoever gets it twice sees that it is one."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def _as_html(message: Message) -> str:
    paragraphs = [html.escape(paragraph) for paragraph in message.words.paragraphs]
    if message.words.link:
        link = html.escape(message.words.link)
        paragraphs.append(f'<a href="{link}">{link}</a>')
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return f'<!doctype html>\n<html lang="{message.language}"><body>\n{body}\n</body></html>\n'


def _told(code: int, text: str) -> str:
    """Return what a server said, short and in one line: what it may hold is anything."""
    return f"{code} {' '.join(text.split())[:200]}"
