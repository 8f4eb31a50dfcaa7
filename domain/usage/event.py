"""Usage events: CloudEvents in JSON (https://github.com/cloudevents/spec, version 1.0.2) about consumption.

Bursar reads `ATTRIBUTES` of `data`; the rest of `data` is the sender's own, and meters read properties of it. Pure: the
caller gives the time.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeGuard
from uuid import UUID

from domain.common.errors import Invalid, LateEvent
from domain.common.ids import is_id
from domain.common.text import is_storable

#: The maximum number of events in a request.
MAX_EVENTS = 5_000
#: The maximum length of an attribute, and of an event in bytes of JSON.
MAX_ATTRIBUTE = 200
MAX_EVENT_BYTES = 65_536
#: The maximum by which a sender's clock may be ahead.
AHEAD = timedelta(minutes=5)
#: The prefix of the platform's sources, which tenants cannot use.
PLATFORM_SOURCE = "platform:"

#: Members of `data` about the consumer and the purpose, chosen by the sender.
ATTRIBUTES = ("run_id", "step_id", "parent_id", "action", "provider", "model")
#: Members of `data` that are ids of Bursar, with their prefix.
REFERENCES: Mapping[str, str] = {"agent_id": "agt", "project_id": "prj", "department_id": "dep", "spend_id": "spd"}
#: The member of `data` with the used marketplace agent. It is stored with the use, not as a column of events.
PAYEE = "payee_agent_id"

#: All of these with their prefix; None for members chosen by the sender.
_NAMED = (*((name, None) for name in ATTRIBUTES), *REFERENCES.items(), (PAYEE, "agt"))
_REQUIRED = ("specversion", "id", "source", "type")
_OPTIONAL = ("subject", "time", "datacontenttype", "dataschema", "data")
_KNOWN = frozenset((*_REQUIRED, *_OPTIONAL))
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
#: Parsed JSON has no cycles, so the check is off.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str, check_circular=False)
_JSON = re.compile(r"(?:application|text)/(?:[\w.+-]+\+)?json(?:\s*;.*)?", re.IGNORECASE)


class InvalidEvent(Invalid):
    """A usage event is invalid and cannot be counted."""

    code = "usage.invalid_event"


class HeldSpend(InvalidEvent):
    """A call names a spend that may still pay for it; the event is checked again later."""


class UsageEvent(NamedTuple):
    """A usage event.

    Attributes:
        source: the reporter; source and `id` are unique together within an organization.
        id: the sender's id of the event.
        type: the type of what happened, such as `llm.call`.
        subject: the sender's name of the object it is about.
        occurred_at: the sender's time; if none was sent, the time of receipt.
        content: a hash of the event as sent, to detect a different event with the same id.
        attributes: the fields of `data` that are in `ATTRIBUTES` or `REFERENCES`, or are `PAYEE`.
        data: the whole `data` as sent.
    """

    source: str
    id: str
    type: str
    subject: str | None
    occurred_at: datetime
    content: int
    attributes: Mapping[str, str]
    data: Mapping[str, Any]

    @property
    def action(self) -> str:
        """The event's `action`, or its type if it has none."""
        return self.attributes.get("action", self.type)

    @property
    def is_collected(self) -> bool:
        """Whether the platform sends it, such as from the spend log of a proxy."""
        return self.source.startswith(PLATFORM_SOURCE)

    def get(self, name: str) -> str | None:
        """Return an attribute."""
        return self.attributes.get(name)


def event_from(document: object, *, now: datetime) -> UsageEvent:
    """Read a CloudEvent.

    Raises:
        InvalidEvent: it is not a CloudEvent, or has a value that is not allowed.
    """
    if not isinstance(document, dict):
        raise InvalidEvent("An event must be a JSON object.")
    for name in _REQUIRED:
        if document.get(name) is None:
            raise _wrong(name, "is missing")
    if document["specversion"] != "1.0":
        raise _wrong("specversion", 'must be "1.0"')
    if "data_base64" in document:
        raise _wrong("data_base64", "is not supported: send data as JSON")
    content_type = document.get("datacontenttype")
    if content_type is not None and not (isinstance(content_type, str) and _JSON.fullmatch(content_type)):
        raise _wrong("datacontenttype", "must be application/json")
    if not _KNOWN.issuperset(document):
        for name in [name for name in document if name not in _KNOWN]:
            _check_extension(name, document[name])
    data = document.get("data")
    if data is not None and not isinstance(data, dict):
        raise _wrong("data", "must be an object")
    canonical = _canonical(document)
    if len(canonical) > MAX_EVENT_BYTES:
        raise InvalidEvent(f"An event must not be longer than {MAX_EVENT_BYTES} bytes.")
    subject = document.get("subject")
    return UsageEvent(
        source=_text("source", document["source"]),
        id=_text("id", document["id"]),
        type=_text("type", document["type"]),
        subject=None if subject is None else _text("subject", subject),
        occurred_at=now if document.get("time") is None else _time(document["time"]),
        content=int.from_bytes(hashlib.sha256(canonical).digest()[:8], "big", signed=True),
        attributes=_attributes(data or {}),
        data=data or {},
    )


def check_time(event: UsageEvent, *, now: datetime, late: timedelta) -> None:
    """Refuse an event that is too old, or in the future.

    Raises:
        LateEvent: it is older than `late`.
        InvalidEvent: it is in the future.
    """
    if event.occurred_at < now - late:
        raise LateEvent(f"The event is older than events are accepted for ({late.days} days).")
    if event.occurred_at > now + AHEAD:
        raise _wrong("time", "must not be in the future")


def check_source(event: UsageEvent, *, is_platform: bool) -> None:
    """Refuse a tenant's event under a source of the platform.

    Raises:
        InvalidEvent: it is one.
    """
    if event.is_collected and not is_platform:
        raise _wrong("source", f"must not begin with {PLATFORM_SOURCE}, which is kept for the platform")


def digest_of(org_id: str, source: str, event_id: str) -> UUID:
    """Return the permanent digest of an event: 128 bits of a hash of organization, source and id."""
    return UUID(bytes=hashlib.sha256("\x00".join((org_id, source, event_id)).encode()).digest()[:16])


def _attributes(data: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, prefix in _NAMED:
        value = data.get(name)
        if value is None:
            continue
        if prefix is None:
            found[name] = value if is_text(value) else _text(f"data.{name}", value)
        elif isinstance(value, str) and is_id(value, prefix):
            found[name] = value
        else:
            raise _wrong(f"data.{name}", f"must have the form {prefix}_…")
    return found


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is a short printable string, which an id or an attribute of an event can be."""
    # What is printable has neither control characters nor line breaks.
    return isinstance(value, str) and 0 < len(value) <= MAX_ATTRIBUTE and value.isprintable() and not value.isspace()


def _text(field: str, value: object) -> str:
    if is_text(value):
        return value
    if not isinstance(value, str) or not value.strip():
        raise _wrong(field, "must be a string that is not empty")
    if len(value) > MAX_ATTRIBUTE:
        raise _wrong(field, f"must not be longer than {MAX_ATTRIBUTE} characters")
    if not is_storable(value) or "\n" in value or "\r" in value:
        raise _wrong(field, "must not contain control characters or line breaks")
    return value


def _check_extension(name: str, value: object) -> None:
    if not _EXTENSION.fullmatch(name):
        raise _wrong(name[:40], "is not a valid CloudEvents attribute name: use lower-case letters and digits only")
    if value is not None and not isinstance(value, str | int | bool):
        raise _wrong(name, "must be a string, a whole number or a boolean")


def _time(value: object) -> datetime:
    try:
        if not isinstance(value, str) or _TIME.fullmatch(value) is None:
            raise ValueError
        # Python reads six digits of a second, and leaves out the others.
        read = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong("time", "must be an RFC 3339 time such as 2026-01-31T12:00:00Z") from None
    if not 1970 <= read.year <= 9998:
        raise _wrong("time", "is out of range")
    return read


def _canonical(document: Mapping[str, Any]) -> bytes:
    return _CANONICAL.encode(document).encode()


def _wrong(field: str, what: str) -> InvalidEvent:
    return InvalidEvent(f"{field} {what}.", extra={"field": field})
