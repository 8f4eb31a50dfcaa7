"""Mails that came back: the address that says which, and the report that says why. Pure.

A report is a delivery status notification (RFC 3464) in a `multipart/report` (RFC 6522); its codes are those of
RFC 3463. It was written by a stranger, so it proves nothing by itself: it offers addresses, and the signature in the
address that it came to says which of them it can be about.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from email import message_from_bytes, message_from_string
from email.message import Message

from domain.errors import Invalid
from domain.mail import checked_address

#: How long a mail may take to come back: servers try for about five days.
BOUNCES_WITHIN = timedelta(days=10)
#: What is larger is not read: the parser takes a time for each line in each part around it, and anybody can post.
MAX_REPORT, MAX_LINES, MAX_BOUNDARIES = 65_536, 2_000, 8
MAX_ADDRESSES = 20
_EPOCH = date(1970, 1, 1)
_TOKEN = re.compile(r"([0-9]{5})-([a-z2-7]{26})")
_ADDRESS = re.compile(r"[^\s<>,;:()\"@]{1,64}@[^\s<>,;:()\"@]{1,255}")
_CODE = re.compile(r"\b5\.[0-9]{1,3}\.[0-9]{1,3}\b")
#: That there is no such mailbox, or that it is closed for good. Not that it is full, that a text looked like spam, or
#: that our own address is wrong (5.1.7, 5.1.8): these pass, or are ours to mend.
_GONE = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The part after the plus sign: the day that the mail was sent, and the signature of day and address."""

    day: date
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says.

    Attributes:
        addresses: whom it may be about, as addresses are kept.
        status: the code of why no mail arrives there, such as `5.1.1`; None where one may arrive later.
    """

    addresses: tuple[str, ...]
    status: str | None


def signed_text(address: str, day: date) -> str:
    """Return what is signed of a mail: the address that it went to, and the day."""
    return f"{(day - _EPOCH).days}:{address.casefold()}"


def bounce_address(mailbox: str, day: date, signature: str) -> str:
    """Return the address that a bounced mail returns to: `bounce+20779-…@mail.example.com`."""
    local, _, domain = mailbox.partition("@")
    return f"{local}+{(day - _EPOCH).days}-{signature}@{domain}"


def token_of(mailbox: str, recipient: str, today: date) -> Token | None:
    """Read the address that a report came to; None if it is not a bounce address of ours, or is too old."""
    local, _, domain = mailbox.partition("@")
    given, _, given_domain = recipient.strip().strip("<>").lower().partition("@")
    if given_domain != domain.lower() or not given.startswith(f"{local.lower()}+"):
        return None
    found = _TOKEN.fullmatch(given[len(local) + 1 :])
    if found is None:
        return None
    day = _EPOCH + timedelta(days=int(found[1]))
    # A day of tomorrow is that of a clock ahead of ours.
    return Token(day=day, signature=found[2]) if today - BOUNCES_WITHIN <= day <= today + timedelta(days=1) else None


def gone_status(text: str) -> str | None:
    """Return the status code by which a server says that an address is gone; None for any other."""
    return next((code for code in _CODE.findall(text) if code in _GONE), None)


def recipients_of(raw: bytes) -> tuple[str, ...]:
    """Return the addresses that a report came to, by its headers, where the mail server did not say it."""
    if not _is_readable(raw):
        return ()
    head = message_from_bytes(raw.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0])
    return _addresses(
        [str(each) for name in ("To", "Delivered-To", "X-Original-To") for each in head.get_all(name, [])]
    )


def read_report(raw: bytes) -> Report | None:
    """Read a bounce report; None for any other mail, such as an out-of-office reply."""
    if not _is_readable(raw):
        return None
    try:
        message = message_from_bytes(raw)
        parts = [part for part, _ in zip(message.walk(), range(100), strict=False)]
    except RecursionError:
        # A mail within a mail within a mail, as no report is.
        return None
    if message.get_content_type() != "multipart/report":
        return None
    failed = [block for part in parts for block in _blocks(part) if _field(block, "Action").lower() == "failed"]
    if not failed:
        return None
    said = (f"{_field(block, 'Status')} {_field(block, 'Diagnostic-Code')}" for block in failed)
    names = [
        _field(block, name).partition(";")[2] for block in failed for name in ("Original-Recipient", "Final-Recipient")
    ]
    return Report(
        addresses=_addresses([*names, *_returned(parts)]),
        status=next((code for code in map(gone_status, said) if code is not None), None),
    )


def _is_readable(raw: bytes) -> bool:
    """Return whether a report is as reports are, and not made to be slow to read."""
    return (
        len(raw) <= MAX_REPORT
        # Lines, and parameters of a header.
        and max(raw.count(b"\n"), raw.count(b";")) <= MAX_LINES
        and raw.lower().count(b"boundary") <= MAX_BOUNDARIES
    )


def _blocks(part: Message) -> Iterator[Message]:
    """Return what a report says of each recipient: the parser makes a message of each block of fields."""
    payload = part.get_payload() if part.get_content_type() == "message/delivery-status" else None
    if isinstance(payload, list):
        yield from (block for block in payload if isinstance(block, Message))


def _returned(parts: list[Message]) -> list[str]:
    """Return to whom the mail went that came back, by its own headers."""
    found = []
    for part in parts:
        payload = part.get_payload()
        if part.get_content_type() == "message/rfc822" and isinstance(payload, list):
            found += [str(each) for each in payload[0].get_all("To", [])] if isinstance(payload[0], Message) else []
        elif part.get_content_type() == "text/rfc822-headers" and isinstance(payload, str):
            found += [str(each) for each in message_from_string(payload).get_all("To", [])]
    return found


def _field(block: Message, name: str) -> str:
    return str(block.get(name, "")).strip()[:1_000]


def _addresses(fields: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    # Not as an address list: comments in one nest as deep as their writer likes.
    given = [address for field in fields[:MAX_ADDRESSES] for address in _ADDRESS.findall(field[:2_000])]
    for address in given[:MAX_ADDRESSES]:
        try:
            found[checked_address(address)] = None
        except Invalid:
            continue
    return tuple(found)
