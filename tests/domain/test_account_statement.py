"""Which moments the days of a statement are."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.books.account_statement import StatementPeriod, period
from domain.common.errors import Invalid

BERLIN, NOW = ZoneInfo("Europe/Berlin"), datetime(2026, 11, 30, 23, 30, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (date(2026, 11, 20), date(2026, 11, 20), (utc(2026, 11, 19, 23), utc(2026, 11, 20, 23))),
        # The clocks go back on 25 October, and the day has 25 hours.
        (date(2026, 10, 25), date(2026, 10, 25), (utc(2026, 10, 24, 22), utc(2026, 10, 25, 23))),
        (utc(2026, 11, 20, 5), utc(2026, 11, 20, 6), (utc(2026, 11, 20, 5), utc(2026, 11, 20, 6))),
        # It is December there already.
        (None, None, (utc(2026, 11, 30, 23), NOW)),
    ],
)
def test_days_are_those_of_the_zone(
    since: date | None, until: date | None, expected: tuple[datetime, datetime]
) -> None:
    assert period(since, until, BERLIN, NOW) == StatementPeriod(*expected)


def test_period_must_not_end_before_it_begins() -> None:
    with pytest.raises(Invalid, match="ends before"):
        period(date(2026, 11, 21), date(2026, 11, 20), BERLIN, NOW)
