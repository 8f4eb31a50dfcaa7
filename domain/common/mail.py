"""Mail: its kinds by name, its contacts, and the addresses that it can be sent to. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol, get_args

from domain.common.errors import Invalid

Language = Literal["en", "de", "fr", "es"]
#: The languages of mails, notifications and documents; the first one is the default.
LANGUAGES: tuple[Language, ...] = get_args(Language)
MAX_CONTACTS = 10
#: The maximum length of an address: a path of SMTP without its brackets (RFC 5321, 4.5.3.1.3).
MAX_ADDRESS = 254
#: Default time limit for delivering a mail.
GIVE_UP_AFTER = timedelta(days=3)

#: Pattern of addresses that all mail providers accept: ASCII, no quotes, no comments, a domain of two or more labels.
_ADDRESS = re.compile(
    r"(?P<local>[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@"
    r"(?P<domain>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9]))"
)


class Purpose(StrEnum):
    """The purpose of mails to a contact."""

    BILLING = "billing"
    SECURITY = "security"


class MailKind(StrEnum):
    """The kinds of mails."""

    INVOICE_ISSUED = "invoice_issued"
    INVOICE_SETTLED = "invoice_settled"
    RECEIPT_ISSUED = "receipt_issued"
    RECEIPT_NOTE_ISSUED = "receipt_note_issued"
    PAYMENT_FAILED = "payment_failed"
    ACTION_REQUIRED = "action_required"
    INVOICE_OVERDUE = "invoice_overdue"
    INVOICE_UNCOLLECTIBLE = "invoice_uncollectible"
    PAYOUT_DESTINATION_CHANGED = "payout_destination_changed"
    PAYOUT_SENT = "payout_sent"
    PAYOUT_FAILED = "payout_failed"
    EARNINGS_RECOVERED = "earnings_recovered"
    STATEMENT_READY = "statement_ready"
    SUBSCRIPTION_CONFIRMED = "subscription_confirmed"
    SUBSCRIPTION_CHANGED = "subscription_changed"
    SUBSCRIPTION_RESUMED = "subscription_resumed"
    SUBSCRIPTION_CANCELLED = "subscription_cancelled"
    SUBSCRIPTION_PAST_DUE = "subscription_past_due"
    UPGRADE_NOT_PAID = "upgrade_not_paid"
    TRIAL_ENDS = "trial_ends"
    CONTACTS_CHANGED = "contacts_changed"
    SPEND_LIMIT_NEAR = "spend_limit_near"
    AGENT_NOT_RENEWED = "agent_not_renewed"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint_disabled"
    INVITATION = "invitation"
    SIGN_IN = "sign_in"


class MailStatus(StrEnum):
    """`queued`: delivery is attempted; `sent`: delivered to all accepting servers; `failed`: given up."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


class Formats(Protocol):
    """Formats values by language."""

    def money(self, amount: str, currency: str) -> str:
        """Write a decimal string with its currency, `12.50` and `EUR`."""

    def day(self, day: str) -> str:
        """Write a day, given as `2026-11-30`."""

    def month(self, month: str) -> str:
        """Write a month, given as `2026-11`."""

    def moment(self, at: datetime, zone: str) -> str:
        """Write a moment in a zone of the IANA database, and name the zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A contact: an address and the purposes of its mails."""

    address: str
    purposes: frozenset[Purpose]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailText:
    """The text of a mail: its subject, its paragraphs, and the link after them."""

    subject: str
    paragraphs: tuple[str, ...]
    link: str | None = None


def language_of(*locales: str | None) -> Language:
    """Return the language of the first locale, such as `de-AT`, that has texts; without any, the default."""
    wanted = (each.partition("-")[0] for each in locales if each)
    found: Iterator[Language] = (language for each in wanted for language in LANGUAGES if language == each)
    return next(found, LANGUAGES[0])


def checked_address(text: str) -> str:
    """Return an e-mail address as stored: with the domain in lower case.

    Raises:
        Invalid: the address is not ASCII, has no domain, is too long or quoted, so not all servers accept it.
    """
    found = _ADDRESS.fullmatch(text) if len(text) <= MAX_ADDRESS else None
    if found is None or len(found["local"]) > 64:
        raise Invalid("An e-mail address must have the form name@example.com, in ASCII.", extra={"field": "email"})
    return f"{found['local']}@{found['domain'].lower()}"
