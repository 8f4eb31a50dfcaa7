from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from domain.common.calendar import BEGINNING, FOREVER, Window, window_end, window_start, zone_of
from domain.common.errors import Invalid
from tests.support.cases import for_each

#: Half hours, quarters of an hour, and clocks that change at midnight or by half an hour.
ZONES = [
    "UTC",
    "America/Asuncion",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Europe/Vienna",
]
MOMENTS = st.integers(
    int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(
    window=st.sampled_from(list(Window)),
    at=MOMENTS,
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    week_starts=st.integers(1, 7),
)
def test_every_moment_is_in_one_window_and_the_next_begins_where_it_ends(
    window: Window, at: datetime, zone: ZoneInfo, week_starts: int
) -> None:
    start, end = window_start(window, at, zone, week_starts), window_end(window, at, zone, week_starts)
    assert start <= at < end
    last = end - timedelta(microseconds=1)
    for inside in (start, last):
        assert (window_start(window, inside, zone, week_starts), window_end(window, inside, zone, week_starts)) == (
            start,
            end,
        )
    if window is not Window.LIFETIME:
        assert window_start(window, end, zone, week_starts) == end


@given(at=MOMENTS, zone=st.sampled_from(ZONES).map(ZoneInfo), week_starts=st.integers(1, 7))
def test_a_longer_window_begins_with_a_shorter_one(at: datetime, zone: ZoneInfo, week_starts: int) -> None:
    day = window_start(Window.DAY, at, zone, week_starts)
    for window in (Window.WEEK, Window.MONTH, Window.QUARTER):
        start = window_start(window, at, zone, week_starts)
        assert start <= day
        assert window_start(Window.DAY, start, zone, week_starts) == start
    assert day <= window_start(Window.HOUR, at, zone, week_starts)
    assert window_end(Window.HOUR, at, zone, week_starts) <= window_end(Window.DAY, at, zone, week_starts)


@pytest.mark.parametrize(
    ("zone", "at", "start", "end"),
    [
        # Clocks skip midnight: the day begins at one o'clock, and has 23 hours.
        ("America/Asuncion", "2023-10-01T12:00+00:00", "2023-10-01T04:00+00:00", "2023-10-02T03:00+00:00"),
        ("Asia/Beirut", "2022-03-27T12:00+00:00", "2022-03-26T22:00+00:00", "2022-03-27T21:00+00:00"),
        # Midnight comes twice: the day begins with the first, and has 25 hours.
        ("America/Havana", "2022-11-06T04:30+00:00", "2022-11-06T04:00+00:00", "2022-11-07T05:00+00:00"),
        # The day is half an hour longer.
        ("Australia/Lord_Howe", "2023-04-01T15:15+00:00", "2023-04-01T13:00+00:00", "2023-04-02T13:30+00:00"),
        # The thirtieth was left out.
        ("Pacific/Apia", "2011-12-30T09:00+00:00", "2011-12-29T10:00+00:00", "2011-12-30T10:00+00:00"),
    ],
)
def test_a_day_begins_with_the_first_moment_of_its_date(zone: str, at: str, start: str, end: str) -> None:
    moment, wanted = datetime.fromisoformat(at), (datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert (window_start(Window.DAY, moment, zone_of(zone), 1), window_end(Window.DAY, moment, zone_of(zone), 1)) == (
        wanted
    )


def test_hours_are_counted_from_the_beginning_of_the_day_and_the_last_one_may_be_shorter() -> None:
    zone, end_of_day = zone_of("Australia/Lord_Howe"), datetime(2023, 4, 2, 13, 30, tzinfo=UTC)
    last = end_of_day - timedelta(minutes=1)
    assert window_start(Window.HOUR, last, zone, 1) == end_of_day - timedelta(minutes=30)
    assert window_end(Window.HOUR, last, zone, 1) == end_of_day


def test_week_begins_on_its_first_day_and_a_lifetime_never_ends() -> None:
    wednesday, utc = datetime(2026, 1, 14, 12, tzinfo=UTC), zone_of("UTC")
    assert window_start(Window.WEEK, wednesday, utc, 1) == datetime(2026, 1, 12, tzinfo=UTC)
    assert window_start(Window.WEEK, wednesday, utc, 7) == datetime(2026, 1, 11, tzinfo=UTC)
    assert window_end(Window.WEEK, wednesday, utc, 4) == datetime(2026, 1, 15, tzinfo=UTC)
    assert window_start(Window.QUARTER, wednesday, utc, 1) == datetime(2026, 1, 1, tzinfo=UTC)
    assert window_end(Window.QUARTER, wednesday, utc, 1) == datetime(2026, 4, 1, tzinfo=UTC)
    assert window_start(Window.LIFETIME, wednesday, utc, 1) == BEGINNING
    assert window_end(Window.LIFETIME, wednesday, utc, 1) == FOREVER


@for_each(
    "name",
    [
        "",
        "Mars/Olympus",
        "europe/vienna",
        "../etc/passwd",
        "/etc/localtime",
        "EST5EDT",
        "localtime",
        "Europe",
        "posix/UTC",
        "right/UTC",
        "+02:00",
        "x/" * 3000,
        "a/\x00",
    ],
)
def test_only_names_of_the_iana_database_are_time_zones(name: str) -> None:
    with pytest.raises(Invalid, match="time zone"):
        zone_of(name)
