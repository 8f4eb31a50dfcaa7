"""Events are always read the same way, because their hashes are compared with stored ones."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.usage.event import InvalidEvent, UsageEvent, digest_of, event_from
from tests.support.cases import for_each

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def read(**members: Any) -> UsageEvent:
    return event_from({"specversion": "1.0", "id": "1", "source": "s", "type": "t", **members}, now=NOW)


@pytest.mark.parametrize(
    ("members", "content"),
    [
        ({}, 2878153523084107958),
        (
            {"data": {"z": 1, "a": {"y": [Decimal("1.50"), None, True], "b": 'ü\u2028"\\'}}, "subject": "A"},
            7887261348585367477,
        ),
        ({"time": "2026-01-31t12:00:00.1234567z", "traceid": "x"}, 868489087984347641),
    ],
)
def test_stored_hash_matches_the_event_sent(members: dict[str, Any], content: int) -> None:
    assert read(**members).content == content
    assert digest_of("org_1", "s", "1") == UUID("a34fdc98-19c4-8438-5aee-a58a9de1c3a5")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00Z", NOW),
        ("2026-01-31t12:00:00z", NOW),
        ("2026-01-31T13:30:00+01:30", NOW),
        ("2026-01-31T07:00:00.5-05:00", NOW + timedelta(milliseconds=500)),
        ("2026-01-31T12:00:00.123456789Z", NOW + timedelta(microseconds=123456)),
        ("2026-01-31T12:00:00.1234569+00:00", NOW + timedelta(microseconds=123456)),
    ],
)
def test_time_is_read_in_utc_to_the_microsecond(text: str, time: datetime) -> None:
    assert read(time=text).occurred_at == time
    assert read(time=text).occurred_at.tzinfo is UTC


@for_each(
    "text",
    ["2026-01-31 12:00:00Z", "2026-01-31T12:00Z", "2026-01-31T12:00:00", "2026-W05-6T12:00:00Z", "2026-02-30T12:00:00Z",
     "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00.1234567890Z", "2026-01-31T12:00:00+0100", "1969-12-31T12:00:00Z"],
)  # fmt: skip
def test_invalid_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidEvent, match="time"):
        read(time=text)


def test_refusal_names_the_first_invalid_member() -> None:
    with pytest.raises(InvalidEvent) as refusal:
        read(data={"spend_id": 1, "agent_id": "x", "model": "", "run_id": "r"})
    assert refusal.value.extra == {"field": "data.model"}
    with pytest.raises(InvalidEvent) as refusal:
        read(data={"payee_agent_id": 1, "spend_id": 1})
    assert refusal.value.extra == {"field": "data.spend_id"}
    with pytest.raises(InvalidEvent) as refusal:
        event_from({"type": "t"}, now=NOW)
    assert refusal.value.extra == {"field": "specversion"}
