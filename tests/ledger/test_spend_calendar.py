"""The database and Python begin windows at the same moments: a month of midnights, and whole years by the hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.common.calendar import Window, window_end, window_start
from tests.support.books import Books

pytestmark = pytest.mark.db

_BOTH = """
SELECT ledger.window_start($1, at, $2, $3::smallint) AS starts, ledger.window_end($1, at, $2, $3::smallint) AS ends
FROM unnest($4::timestamptz[]) WITH ORDINALITY AS m (at, number) ORDER BY number
"""
_SECOND = timedelta(seconds=1)

#: A month in which the clocks of the zone change, at midnight but for the last two.
MONTHS = [
    ("America/Asuncion", datetime(2023, 9, 15, tzinfo=UTC)),
    ("America/Asuncion", datetime(2024, 3, 10, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2022, 3, 10, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2022, 10, 15, tzinfo=UTC)),
    ("America/Havana", datetime(2022, 10, 20, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2023, 3, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2023, 9, 15, tzinfo=UTC)),
]


async def _agree(books: Books, window: Window, zone: str, week_starts: int, moments: list[datetime]) -> None:
    rows = await books.connections[0].fetch(_BOTH, window.value, zone, week_starts, moments)
    clocks = ZoneInfo(zone)
    expected = [
        (window_start(window, at, clocks, week_starts), window_end(window, at, clocks, week_starts)) for at in moments
    ]
    assert [(row["starts"], row["ends"]) for row in rows] == expected


@pytest.mark.parametrize(("zone", "begins"), MONTHS)
async def test_a_month_of_midnights_begins_windows_at_the_same_moments(
    books: Books, zone: str, begins: datetime
) -> None:
    clocks, moments = ZoneInfo(zone), list[datetime]()
    for day in range(31):
        midnight = window_start(Window.DAY, begins + timedelta(days=day), clocks, 1)
        moments += [midnight - _SECOND, midnight, midnight + _SECOND]
        moments += [midnight + timedelta(minutes=30 * half) for half in range(50)]
    for window in Window:
        await _agree(books, window, zone, 1 + begins.day % 7, moments)


@pytest.mark.parametrize(
    "zone", ["America/Asuncion", "Asia/Beirut", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia", "UTC"]
)
async def test_years_of_hours_begin_windows_at_the_same_moments(books: Books, zone: str) -> None:
    first = datetime(2010, 6, 1, tzinfo=UTC)
    moments = [first + timedelta(minutes=97 * step) for step in range(8_000)]
    for window in (Window.HOUR, Window.DAY, Window.WEEK, Window.MONTH):
        await _agree(books, window, zone, 7, moments)
