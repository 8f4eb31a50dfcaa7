"""Values that meters read from an event."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.common.errors import Invalid
from domain.usage.charge_model import PerUnit, rate_quantity
from domain.usage.event import MAX_EVENTS, InvalidEvent, event_from
from domain.usage.meter import (
    MAX_DIMENSIONS,
    MAX_READINGS,
    Aggregation,
    Meter,
    TooManyReadings,
    check_meter,
    check_readings,
    read_event,
)
from tests.support.cases import for_each

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def event(**data: Any) -> Any:
    return event_from({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": data}, now=NOW)


def meter(aggregation: Aggregation = Aggregation.SUM, place: str | None = "n", *dimensions: str) -> Meter:
    return Meter(
        number=1, name="m", event_type="t", aggregation=aggregation, property=place, dimensions=tuple(dimensions)
    )


@pytest.mark.parametrize(
    ("value", "quantity"),
    [
        (3, "3"),
        ("3.50", "3.50"),
        (Decimal("0.1"), "0.1"),
        (Decimal("1E+2"), "100"),
        (0, "0"),
        ("1000000000000000", "1e15"),
    ],
)
def test_number_is_read_exactly(value: Any, quantity: str) -> None:
    assert read_event(meter(), event(n=value)).quantity == Decimal(quantity)


@for_each(
    "value", [None, True, "", "x", "1e5", "\u0661", [], {}, -1, "-0.1", "1000000000000001", "0.1234567890123", "NaN"]
)
def test_invalid_quantity_is_refused_and_never_zero(value: Any) -> None:
    with pytest.raises(InvalidEvent, match="the meter m counts it"):
        read_event(meter(), event(n=value))


@pytest.mark.parametrize("value", ["-0", "-0.00", Decimal("-0.0")])
def test_zero_has_no_sign(value: Any) -> None:
    """A price rejects negative quantities."""
    quantity = read_event(meter(), event(n=value)).quantity
    assert rate_quantity(quantity, PerUnit(unit_price=Decimal(1))) == 0


def test_highest_and_latest_may_be_negative() -> None:
    for aggregation in (Aggregation.MAX, Aggregation.LATEST):
        assert read_event(meter(aggregation), event(n=-5)).quantity == -5


def test_property_is_a_path_in_data() -> None:
    deep = meter(Aggregation.SUM, "usage.total")
    assert read_event(deep, event(usage={"total": 7})).quantity == 7
    for data in ({}, {"usage": 5}, {"usage": [7]}):
        with pytest.raises(InvalidEvent):
            read_event(deep, event(**data))


def test_members_are_distinguished_by_their_text() -> None:
    unique = meter(Aggregation.UNIQUE, "user")
    first, second, other = (read_event(unique, event(user=user)) for user in ("7", 7, "8"))
    assert first.member == second.member != other.member
    assert first.quantity == 1
    wrong: list[Any] = [None, [], True, Decimal("1.5"), "x" * 201]
    for user in wrong:
        with pytest.raises(InvalidEvent):
            read_event(unique, event(user=user))


def test_dimensions_are_attributes_and_properties() -> None:
    found = read_event(
        meter(Aggregation.COUNT, None, "model", "action", "region", "deep.place"),
        event(model="gpt-4o", region=5, deep={"place": "x"}),
    )
    assert found.values == {"all": "", "model": "gpt-4o", "action": "t", "region": "5", "deep.place": "x"}
    assert read_event(meter(Aggregation.COUNT, None, "region"), event()).values["region"] == ""
    with pytest.raises(InvalidEvent, match=r"data\.region"):
        read_event(meter(Aggregation.COUNT, None, "region"), event(region={"a": 1}))


@for_each(
    "aggregation, place, dimensions, field",
    [
        (Aggregation.SUM, None, [], "property"),
        (Aggregation.COUNT, "n", [], "property"),
        (Aggregation.SUM, "a..b", [], "property"),
        (Aggregation.SUM, "a b", [], "property"),
        (Aggregation.COUNT, None, ["all"], "dimensions.0"),
        (Aggregation.COUNT, None, ["model", "a b"], "dimensions.1"),
        (Aggregation.COUNT, None, ["a", "b", "a"], "dimensions.2"),
        (Aggregation.COUNT, None, list("abcdef"), "dimensions"),
    ],
)
def test_meter_without_readable_values_is_refused(
    aggregation: Aggregation, place: str | None, dimensions: list[str], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        check_meter(aggregation, place, dimensions)
    assert refusal.value.extra["field"] == field


def test_events_are_accepted_up_to_the_value_limit_of_a_request() -> None:
    meters = {"t": [meter(Aggregation.COUNT, None, "a", "b", "c", "d")] * 4, "u": [meter(Aggregation.COUNT, None)]}
    assert MAX_EVENTS * 20 == MAX_READINGS
    check_readings(meters, ["t"] * MAX_EVENTS)
    check_readings(meters, ["other"] * MAX_EVENTS * 100)
    check_readings(meters, ["u", *["t"] * (MAX_EVENTS - 1)])
    with pytest.raises(TooManyReadings, match=r"would read 100,001 values .* at most 5,000 events"):
        check_readings(meters, ["u", *["t"] * MAX_EVENTS])


def test_size_named_by_a_refusal_fits_and_a_single_event_always_fits() -> None:
    dimensions = "abcdef"[:MAX_DIMENSIONS]
    with pytest.raises(TooManyReadings, match="at most 333 events"):
        check_readings({"t": [meter(Aggregation.COUNT, None, *dimensions)] * 50}, ["t"] * 334)
    check_readings({"t": [meter(Aggregation.COUNT, None, *dimensions)] * 50}, ["t"] * 333)
    many = {"t": [meter(Aggregation.COUNT, None)] * (MAX_READINGS + 1)}
    check_readings(many, ["t"])
    with pytest.raises(TooManyReadings, match="at most 1 events"):
        check_readings(many, ["t"] * 2)
