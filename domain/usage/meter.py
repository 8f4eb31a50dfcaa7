"""Meters: quantities aggregated from the events of one type, by day and by dimensions. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.common.errors import Invalid
from domain.common.money import plain_number
from domain.usage.event import ATTRIBUTES, MAX_ATTRIBUTE, REFERENCES, InvalidEvent, UsageEvent
from domain.usage.token_usage import UNITS

#: The dimension of everything together.
ALL = "all"
MAX_DIMENSIONS = 5
#: How many values meters may read of the events of one request: one for each event, meter and dimension.
MAX_READINGS = 100_000
#: What a quantity may have before and after the point.
MAX_WHOLE, MAX_DECIMALS = 10**15, 12
#: A place in `data`: names with dots between them.
PROPERTY = re.compile(r"[A-Za-z0-9_-]{1,60}(?:\.[A-Za-z0-9_-]{1,60}){0,4}")
#: Where the units of a call stand in an event.
_UNITS = frozenset(f"usage.{unit}" for unit in UNITS)


class Aggregation(StrEnum):
    """How a meter combines the values of events."""

    SUM = "sum"
    COUNT = "count"
    MAX = "max"
    UNIQUE = "unique"
    LATEST = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter.

    Attributes:
        number: the number by which readings and daily sums refer to it.
        name: the display name.
        event_type: the type of the events that it reads.
        aggregation: how values are combined.
        property: the path of the value in `data`; None for `count`.
        dimensions: attributes of events, or paths in `data`, that quantities are broken down by.
        is_charged: whether the organization is charged for its events, by the meter's price if it has one.
        currency: the currency of its price; None without one.
        price: the price of its quantities, in the form that `domain.usage.charge_model.parse_charge` reads.
        is_own: whether an organization made it, and not the platform.
        is_default: whether it charges only for calls that the platform collects and no other meter charges for.
    """

    number: int
    name: str
    event_type: str
    aggregation: Aggregation
    property: str | None
    dimensions: tuple[str, ...] = ()
    is_charged: bool = False
    currency: str | None = None
    price: Mapping[str, object] | None = field(default=None, hash=False)
    is_own: bool = False
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The reading of one event by one meter.

    Attributes:
        meter: the meter's number.
        quantity: the value; 1 for `count` and `unique`.
        member: the hash of the value that `unique` counts once; None for other aggregations.
        values: the event's value in each dimension of the meter, and `ALL`.
    """

    meter: int
    aggregation: Aggregation
    quantity: Decimal
    member: UUID | None
    values: Mapping[str, str]


def check_meter(aggregation: Aggregation, property: str | None, dimensions: Sequence[str]) -> None:
    """Refuse a meter that could not read any event.

    Raises:
        Invalid: a required property is missing, or a property or dimension is malformed.
    """
    if (property is None) != (aggregation is Aggregation.COUNT):
        needed = "has no property" if property is not None else "needs a property of data"
        raise Invalid(f"A meter of {aggregation.value} {needed}.", extra={"field": "property"})
    if property is not None and not PROPERTY.fullmatch(property):
        raise Invalid(
            "property must name a member of data, such as tokens or usage.total.", extra={"field": "property"}
        )
    if len(dimensions) > MAX_DIMENSIONS:
        raise Invalid(f"A meter has at most {MAX_DIMENSIONS} dimensions.", extra={"field": "dimensions"})
    for number, dimension in enumerate(dimensions):
        if dimension == ALL or not PROPERTY.fullmatch(dimension):
            raise Invalid(f"{dimension[:60]} cannot be a dimension.", extra={"field": f"dimensions.{number}"})
        if dimension in dimensions[:number]:
            raise Invalid(f"The dimension {dimension} is there twice.", extra={"field": f"dimensions.{number}"})


class TooManyReadings(Invalid):
    """An organization's meters would read too many values from the events of one request; send fewer at once."""


def check_readings(meters: Mapping[str, Sequence[Meter]], event_types: Sequence[str]) -> None:
    """Refuse a batch of events with too many readings; a single event is never refused.

    Args:
        meters: the meters by event type.
        event_types: the type of each event.

    Raises:
        TooManyReadings: the meters read more than `MAX_READINGS` values of them.
    """
    each = {event_type: _values_read(found) for event_type, found in meters.items()}
    count = sum(each.get(event_type, 0) for event_type in event_types)
    if len(event_types) <= 1 or count <= MAX_READINGS:
        return
    fitting = max(1, MAX_READINGS // max(each.values()))
    raise TooManyReadings(
        f"The organization's meters would read {count:,} values of these events, and at most {MAX_READINGS:,} are read "
        f"of one request. Send at most {fitting:,} events at once."
    )


def _values_read(meters: Iterable[Meter]) -> int:
    return sum(1 + len(meter.dimensions) for meter in meters)


def reading_meters(meters: Iterable[Meter], event: UsageEvent) -> list[Meter]:
    """Return the meters of the event's type that read it: the default one reads only what the platform collects."""
    return [meter for meter in meters if event.is_collected or not meter.is_default]


def charging_meters(meters: Iterable[Meter]) -> list[Meter]:
    """Return which of the meters that read an event charge for it: the default one only if no other does."""
    charged = [meter for meter in meters if meter.is_charged]
    return [meter for meter in charged if not meter.is_default] or charged


def read_event(meter: Meter, event: UsageEvent) -> Reading:
    """Read an event of the meter's type.

    Raises:
        InvalidEvent: it does not have the value that the meter counts, or a dimension is no short text.
    """
    value = None if meter.property is None else _at(event.data, meter.property)
    if value is None and event.is_collected and meter.property in _UNITS:
        value = 0  # what its collector leaves out was not used
    quantity, member = Decimal(1), None
    if meter.aggregation is Aggregation.UNIQUE:
        member = UUID(bytes=hashlib.sha256(_text(meter, meter.property or "", value).encode()).digest()[:16])
        if value is None:
            raise _unread(meter, "is missing")
    elif meter.property is not None:
        quantity = _number(meter, value)
    return Reading(
        meter=meter.number,
        aggregation=meter.aggregation,
        quantity=quantity,
        member=member,
        values={ALL: "", **{name: _dimension(meter, event, name) for name in meter.dimensions}},
    )


def _dimension(meter: Meter, event: UsageEvent, name: str) -> str:
    if name == "action":
        return event.action
    if name in ATTRIBUTES or name in REFERENCES:
        return event.get(name) or ""
    return _text(meter, name, _at(event.data, name))


def _at(data: Mapping[str, Any], place: str) -> object:
    value: object = data
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(meter: Meter, place: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > MAX_ATTRIBUTE:
        raise InvalidEvent(
            f"data.{place} must be a short string or a whole number, because it is a dimension of "
            f"the meter {meter.name}.",
            extra={"field": f"data.{place}", "meter": meter.name},
        )
    return str(value)


def _number(meter: Meter, value: object) -> Decimal:
    text = plain_number(value)
    if text is None:
        raise _unread(meter, "must be a number")
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if abs(number) > MAX_WHOLE or not isinstance(exponent, int) or -exponent > MAX_DECIMALS:
        raise _unread(meter, f"must be at most 10^15, with at most {MAX_DECIMALS} decimals")
    if number < 0 and meter.aggregation is Aggregation.SUM:
        raise _unread(meter, "must not be negative")
    # "-0" is zero, and prices take no number with a sign.
    return number or Decimal(0)


def _unread(meter: Meter, what: str) -> InvalidEvent:
    place = f"data.{meter.property}"
    return InvalidEvent(
        f"{place} {what}, because the meter {meter.name} counts it.", extra={"field": place, "meter": meter.name}
    )
