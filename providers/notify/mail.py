"""Carrier of mails over SMTP."""

import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
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

from domain.common.mail import checked_address
from providers.notify.base import Delivery, Message
from providers.notify.mail_templates import MailTemplates
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from providers.tls import trusted

Tls = Literal["starttls", "tls", "none"]
#: The policy does not fold lines of up to 998 characters (RFC 5322, 2.1.1), because a URL without spaces, such as that
#: for unsubscribing, would be encoded instead.
_POLICY = SMTP.clone(max_line_length=900)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """SMTP server, sender, and encryption of the connection."""

    host: str
    port: int
    tls: Tls
    sender: str
    sender_name: str
    username: str | None = None
    password: str | None = None
    timeout: timedelta = timedelta(seconds=20)


class SmtpMailer:
    """Mailer that sends mails to an SMTP server, one connection each."""

    def __init__(
        self,
        server: SmtpServer,
        *,
        templates: MailTemplates | None = None,
        return_path: Callable[[str], str] | None = None,
        roots: ssl.SSLContext | None = None,
    ) -> None:
        """Take the server, and optional settings.

        Args:
            server: the SMTP server.
            templates: of mails; by default the product's.
            return_path: returns the bounce address of a mail to an address; by default the sender.
            roots: trusted certificates of the server; by default the system's.
        """
        self._server, self._roots, self._return_path = server, roots, return_path
        self._templates = templates or MailTemplates(server.sender_name)
        self._sender = Address(server.sender_name, addr_spec=checked_address(server.sender))

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:
        """Send a mail in one SMTP transaction, or one for each address if each has its own bounce address."""
        server, answers = self._server, _Answers()
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
                for sender, to in self._envelopes(message.to):
                    mail = self._mail(message, to, idempotency_key)
                    await _hand_over(smtp, mail, sender, to, answers)
        except (SMTPServerDisconnected, SMTPReadTimeoutError) as error:
            if not answers.asked:
                raise OutcomeUnknown("The mail server broke off.") from error
        except (SMTPException, OSError) as error:
            if not answers.asked:
                problem = f"The mail server could not be reached: {type(error).__name__}."
                raise ProviderUnavailable(problem) from error
        return answers.delivery(message.to)

    def _envelopes(self, to: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
        if self._return_path is None:
            return [(self._server.sender, to)]
        return [(self._return_path(address), (address,)) for address in to]

    def _mail(self, message: Message, to: tuple[str, ...], key: str) -> EmailMessage:
        """Compose the mail. The policy refuses multi-line headers, so no value can add one."""
        mail = EmailMessage(policy=_POLICY)
        mail["From"] = self._sender
        mail["To"] = [Address(addr_spec=checked_address(address)) for address in to]
        mail["Subject"] = message.words.subject
        mail["Message-ID"] = message_id(key, self._sender.domain)
        mail["Auto-Submitted"] = "auto-generated"
        if message.unsubscribe is not None:
            mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
            # One-click unsubscribing needs HTTPS (RFC 8058, 3.1).
            if message.unsubscribe.startswith("https://"):
                mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        rendered = self._templates.render(message)
        mail.set_content(rendered.text, cte="quoted-printable")
        mail.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
        # Set after the parts, because making an alternative moves existing content headers.
        mail["Content-Language"] = message.language
        return mail


@dataclass(slots=True)
class _Answers:
    """Tried addresses, and the server's responses for those that it did not accept."""

    asked: list[str] = field(default_factory=list)
    said: dict[str, tuple[int, str]] = field(default_factory=dict)

    def delivery(self, to: tuple[str, ...]) -> Delivery:
        replies = {address: (code, _in_one_line(code, text)) for address, (code, text) in self.said.items()}
        late = dict.fromkeys((each for each in to if each not in self.asked), "The mail server broke off.")
        return Delivery(
            accepted=tuple(each for each in self.asked if each not in replies),
            refused={address: text for address, (code, text) in replies.items() if code >= 500},
            deferred={address: text for address, (code, text) in replies.items() if code < 500} | late,
        )


async def _hand_over(
    smtp: aiosmtplib.SMTP, mail: EmailMessage, sender: str, to: tuple[str, ...], answers: _Answers
) -> None:
    try:
        # As bytes with the message's policy, because the library would fold the headers again.
        said, _ = await smtp.sendmail(sender, list(to), mail.as_bytes())
        answers.said |= {address: (answer.code, answer.message) for address, answer in said.items()}
    except SMTPRecipientsRefused as error:
        answers.said |= {one.recipient: (one.code, one.message) for one in error.recipients}
    except SMTPDataError as error:
        if not answers.asked:
            answer = f"The mail server did not accept the mail: {_in_one_line(error.code, error.message)}."
            raise (ProviderRefused if error.code >= 500 else ProviderUnavailable)(answer) from error
        answers.said |= dict.fromkeys(to, (error.code, error.message))
    answers.asked += to


def message_id(key: str, domain: str) -> str:
    """Return the Message-ID of a mail by its key, so that duplicates can be detected."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def _in_one_line(code: int, text: str) -> str:
    """Return a server's response, shortened and in one line, because it can contain anything."""
    return f"{code} {' '.join(text.split())[:200]}"
