"""Periods: half open, without gaps, on the clocks of an organization."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from domain.common.period import Anchor, Period

ZONES = ("UTC", "Europe/Vienna", "America/New_York", "Pacific/Chatham", "Pacific/Kiritimati", "Australia/Lord_Howe")
anchors = st.builds(
    Anchor,
    at=st.integers(946_684_800, 2_840_140_800).map(lambda second: datetime.fromtimestamp(second, UTC)),
    zone=st.sampled_from(ZONES),
)


def test_day_of_the_month_is_kept_over_short_months_and_leap_days() -> None:
    anchor = Anchor(at=datetime(2027, 12, 31, 12, tzinfo=UTC))
    assert [anchor.after(n).strftime("%m-%d") for n in range(1, 6)] == ["01-31", "02-29", "03-31", "04-30", "05-31"]
    leap = Anchor(at=datetime(2028, 2, 29, tzinfo=UTC))
    assert [leap.after(12 * n).strftime("%Y-%m-%d") for n in (1, 4)] == ["2029-02-28", "2032-02-29"]


@pytest.mark.parametrize(
    ("zone", "at", "ends"),
    [
        # Clocks skip 02:30 on 29 March, and show it twice on 25 October.
        ("Europe/Vienna", "2026-02-28T01:30+00:00", "2026-03-28T01:30+00:00"),
        ("Europe/Vienna", "2026-02-28T23:30+00:00", "2026-03-31T22:30+00:00"),
        ("America/New_York", "2026-02-08T07:30+00:00", "2026-03-08T07:30+00:00"),
        ("America/New_York", "2026-10-01T05:30+00:00", "2026-11-01T05:30+00:00"),
    ],
)
def test_time_of_day_is_that_of_the_zone(zone: str, at: str, ends: str) -> None:
    anchor = Anchor(at=datetime.fromisoformat(at), zone=zone)
    local, then = anchor.at.astimezone(ZoneInfo(zone)), anchor.after(1)
    if zone == "Europe/Vienna" and at.startswith("2026-02-28T23"):
        assert local.day == 1
        assert then.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M") == "04-01 00:30"
        return
    assert then == datetime.fromisoformat(ends)


@given(anchors, st.integers(0, 400))
def test_months_follow_each_other_and_have_the_day_or_the_last_one(anchor: Anchor, number: int) -> None:
    start, end = anchor.after(number), anchor.after(number + 1)
    assert timedelta(days=27, hours=20) < end - start < timedelta(days=31, hours=4)
    local, first = end.astimezone(ZoneInfo(anchor.zone)), anchor.at.astimezone(ZoneInfo(anchor.zone))
    # Clocks that skip the hour before midnight may move it to the next day.
    last = monthrange(local.year, local.month)[1]
    assert local.day in {min(first.day, last), min(first.day, last) % last + 1}


@given(anchors, st.integers(0, 4_000 * 24))
def test_every_moment_is_in_exactly_one_month(anchor: Anchor, hours: int) -> None:
    at = anchor.at + timedelta(hours=hours)
    found = anchor.month_of(at)
    assert at in found
    assert found.start not in Period(start=found.start - timedelta(seconds=1), end=found.start)
    assert anchor.month_of(found.end).start == found.end


def test_period_without_a_duration_is_refused() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="cannot end"):
        Period(start=now, end=now)
