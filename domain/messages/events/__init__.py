"""Events for tenants, and the types that describe their data.

An event reports one thing that happened to one organization, once. It holds ids, states, amounts and times, and never a
name, an address or free text: events are sent out of the platform, where nothing can be erased.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from domain.common.ids import SUFFIX
from domain.common.text import rfc3339

JSON: TypeAlias = "str | int | bool | Sequence[JSON] | Mapping[str, JSON] | None"

#: The most bytes that the data of an event may have.
MAX_BYTES = 20_000

_EXAMPLE = "01kar6x0qmf9rv4w7n2h8d3s5c"
_AMOUNT = r"^-?[0-9]+(\.[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Event:
    """One event for one organization, to be recorded in the transaction of the change that it reports.

    Attributes:
        type: a type of the catalogue, dotted.
        org_id: the organization that gets it; it may hold only what that organization may see.
        subject: the id of the object it is about.
        data: the fields that the type describes.
        at: when it happened, in business time; defaults to the time of the transaction.
    """

    type: str
    org_id: str
    subject: str
    data: Mapping[str, JSON]
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event's data: its JSON Schema, and an example."""

    schema: Mapping[str, JSON]
    example: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """An event type: its meaning, and the fields of its data.

    Attributes:
        sentence: what the event reports.
        fields: the fields of the data; every event has all of them.
        shown: the fields whose example differs from the field's own.
    """

    type: str
    sentence: str
    fields: Mapping[str, Field]
    shown: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def example(self) -> dict[str, JSON]:
        return {name: self.shown.get(name, value.example) for name, value in self.fields.items()}

    @property
    def times(self) -> tuple[str, ...]:
        return tuple(name for name, value in self.fields.items() if value.schema.get("format") == "date-time")

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the data. Fields may be added; none is ever removed."""
        return {
            "type": "object",
            "properties": {name: dict(value.schema) for name, value in self.fields.items()},
            "required": list(self.fields),
        }


class UnknownEvent(ValueError):
    """An event does not match the catalogue: a bug in the code that made it."""


def check(event: Event, types: Mapping[str, EventType], *, at_most: int | None = None) -> None:
    """Check an event against the catalogue.

    Args:
        event: the event.
        types: the types of the catalogue.
        at_most: an upper bound of the bytes of its data, if the caller knows one; otherwise they are counted.

    Raises:
        UnknownEvent: the type does not exist, or the data has other fields, or too many bytes.
    """
    known = types.get(event.type)
    if known is None:
        raise UnknownEvent(f"The catalogue has no type {event.type!r}.")
    if event.data.keys() != known.fields.keys():
        differing = sorted(event.data.keys() ^ known.fields.keys())
        raise UnknownEvent(f"The data of {event.type} differs from the catalogue: {', '.join(differing)}.")
    if (at_most is None or at_most > MAX_BYTES) and len(json.dumps(event.data).encode()) > MAX_BYTES:
        raise UnknownEvent(f"The data of {event.type} has more than {MAX_BYTES} bytes.")


def index_by_type(types: Iterable[EventType]) -> dict[str, EventType]:
    """Return types by name; names are unique."""
    found: dict[str, EventType] = {}
    for each in types:
        if found.setdefault(each.type, each) is not each:
            raise UnknownEvent(f"The catalogue has {each.type} twice.")
    return found


def id_field(prefix: str, what: str, *, nullable: bool = False) -> Field:
    """Describe an id of a kind."""
    return Field(_schema("string", what, nullable, pattern=f"^{prefix}_{SUFFIX}$"), f"{prefix}_{_EXAMPLE}")


def amount_field(what: str, example: str = "50.00", *, nullable: bool = False) -> Field:
    """Describe an amount: a decimal string in units of the asset beside it."""
    return Field(_schema("string", what, nullable, pattern=_AMOUNT), example)


def asset_field(what: str = "What the amounts are in: a currency, or `CREDIT`.", example: str = "CREDIT") -> Field:
    """Describe the asset of the amounts."""
    return Field(_schema("string", what), example)


def enum_field(what: str, words: Iterable[str], *, nullable: bool = False) -> Field:
    """Describe a state, or another value of a fixed list; the first one is the example."""
    known = [str(each) for each in words]
    return Field(_schema("string", what, nullable, enum=[*known, *([None] if nullable else [])]), known[0])


def enum_list_field(what: str, known: Sequence[str]) -> Field:
    """Describe an array of values of a fixed list."""
    items: JSON = {"type": "string", "enum": list(known)}
    return Field(_schema("array", what, items=items, minItems=1, uniqueItems=True), [known[0]])


def code_field(what: str, example: str, *, nullable: bool = False) -> Field:
    """Describe a value of a list that is kept elsewhere, or an id that Bursar did not make."""
    return Field(_schema("string", what, nullable), example)


def external_id_field() -> Field:
    """Describe the id that the event's organization gave the subject. Code that makes an event leaves it None.

    The statement that records the event fills it in, see `repositories/messages/event.py`.
    """
    return code_field("Your own id of it.", "order-6735", nullable=True)


def count_field(what: str, example: int = 1, *, nullable: bool = False) -> Field:
    """Describe a count."""
    return Field(_schema("integer", what, nullable), example)


def boolean_field(what: str, *, example: bool = False) -> Field:
    """Describe a boolean."""
    return Field(_schema("boolean", what), example)


def time_field(what: str, *, nullable: bool = False) -> Field:
    """Describe a time, in RFC 3339 and UTC."""
    return Field(_schema("string", what, nullable, format="date-time"), "2026-03-01T12:00:00Z")


def format_time(at: datetime | None) -> str | None:
    """Write a time as events have it."""
    return None if at is None else rfc3339(at)


def _schema(kind: str, what: str, nullable: bool = False, **more: JSON) -> dict[str, JSON]:
    return {"type": [kind, "null"] if nullable else kind, "description": what, **more}
