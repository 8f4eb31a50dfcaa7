"""Bounced mails: signed return addresses, and bounce reports. Pure.

A report is a delivery status notification (RFC 3464) in a `multipart/report` (RFC 6522), with codes of RFC 3463.
Anybody can send one, so it proves nothing by itself: the signature in the return address proves which of its addresses
we have sent a mail to.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from email import message_from_bytes, message_from_string
from email.message import Message

from domain.common.errors import Invalid
from domain.common.mail import checked_address

#: How long a mail may take to come back: servers try for about five days.
BOUNCES_WITHIN = timedelta(days=10)
#: The maximum size of a report. The parser's time grows with lines times nested parts, and anybody can send reports.
MAX_REPORT, MAX_LINES, MAX_BOUNDARIES = 65_536, 2_000, 8
MAX_ADDRESSES = 20
_EPOCH = date(1970, 1, 1)
_TOKEN = re.compile(r"([0-9]{5})-([a-z2-7]{26})")
_ADDRESS = re.compile(r"[^\s<>,;:()\"@]{1,64}@[^\s<>,;:()\"@]{1,255}")
_CODE = re.compile(r"\b5\.[0-9]{1,3}\.[0-9]{1,3}\b")
#: Codes for a mailbox that does not exist or is closed. Not those for a full mailbox, for suspected spam, or for a
#: wrong sender (5.1.7, 5.1.8), which are temporary or our own fault.
_GONE = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10", "5.2.1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceToken:
    """The part after the plus sign: the day that the mail was sent, and the signature of day and address."""

    day: date
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReport:
    """The contents of a report.

    Attributes:
        addresses: the addresses that it may be about, as stored.
        status: the code of the permanent failure, such as `5.1.1`; None for a temporary one.
    """

    addresses: tuple[str, ...]
    status: str | None


def signed_text(address: str, day: date) -> str:
    """Return the signed text of a mail: its recipient and the day."""
    return f"{(day - _EPOCH).days}:{address.casefold()}"


def bounce_address(mailbox: str, day: date, signature: str) -> str:
    """Return the address that a bounced mail returns to: `bounce+20779-…@mail.example.com`."""
    local, _, domain = mailbox.partition("@")
    return f"{local}+{(day - _EPOCH).days}-{signature}@{domain}"


def read_bounce_address(mailbox: str, recipient: str, today: date) -> BounceToken | None:
    """Read the address that a report came to; None if it is not a bounce address of ours, or is too old."""
    local, _, domain = mailbox.partition("@")
    given, _, given_domain = recipient.strip().strip("<>").lower().partition("@")
    if given_domain != domain.lower() or not given.startswith(f"{local.lower()}+"):
        return None
    found = _TOKEN.fullmatch(given[len(local) + 1 :])
    if found is None:
        return None
    day = _EPOCH + timedelta(days=int(found[1]))
    # Tomorrow is allowed, for clocks ahead of ours.
    return (
        BounceToken(day=day, signature=found[2]) if today - BOUNCES_WITHIN <= day <= today + timedelta(days=1) else None
    )


def missing_mailbox_status(text: str) -> str | None:
    """Return the status code, if it means that the address does not exist any more; None for any other."""
    return next((code for code in _CODE.findall(text) if code in _GONE), None)


def recipients_of(raw: bytes) -> tuple[str, ...]:
    """Return the recipients of a report from its headers, for mail servers that do not pass them."""
    if not _is_readable(raw):
        return ()
    head = message_from_bytes(raw.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0])
    return _addresses(
        [str(each) for name in ("To", "Delivered-To", "X-Original-To") for each in head.get_all(name, [])]
    )


def read_report(raw: bytes) -> BounceReport | None:
    """Read a bounce report; None for any other mail, such as an out-of-office reply."""
    if not _is_readable(raw):
        return None
    try:
        message = message_from_bytes(raw)
        parts = [part for part, _ in zip(message.walk(), range(100), strict=False)]
    except RecursionError:
        # Deeper nesting than in any report.
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
    return BounceReport(
        addresses=_addresses([*names, *_returned(parts)]),
        status=next((code for code in map(missing_mailbox_status, said) if code is not None), None),
    )


def _is_readable(raw: bytes) -> bool:
    return (
        len(raw) <= MAX_REPORT
        # Lines, and parameters of a header.
        and max(raw.count(b"\n"), raw.count(b";")) <= MAX_LINES
        and raw.lower().count(b"boundary") <= MAX_BOUNDARIES
    )


def _blocks(part: Message) -> Iterator[Message]:
    """Return the fields of each recipient in a report; the parser makes a message of each block."""
    payload = part.get_payload() if part.get_content_type() == "message/delivery-status" else None
    if isinstance(payload, list):
        yield from (block for block in payload if isinstance(block, Message))


def _returned(parts: list[Message]) -> list[str]:
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
    # Not parsed as an address list, in which comments can nest without limit.
    given = [address for field in fields[:MAX_ADDRESSES] for address in _ADDRESS.findall(field[:2_000])]
    for address in given[:MAX_ADDRESSES]:
        try:
            found[checked_address(address)] = None
        except Invalid:
            continue
    return tuple(found)
