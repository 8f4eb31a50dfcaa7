"""How fast credits are used, and how long the rest lasts."""

from datetime import date, timedelta

from domain.credits.burn import burn_rate
from tests.support.cases import for_each

TODAY = date(2026, 3, 31)


@for_each(
    "recent, began, days, per_day",
    [
        (0, None, 30, 0),
        (90, 0, 1, 90),
        (90, 8, 9, 10),
        (91, 8, 9, 11),
        (300, 29, 30, 10),
        (300, 500, 30, 10),
        (-5, 3, 4, 0),
        (90, -1, 1, 90),
    ],
)
def test_rate_is_rounded_up_over_the_days_since_the_first_use(recent, began, days, per_day):
    first_day = None if began is None else TODAY - timedelta(days=began)
    rate = burn_rate(recent, today=TODAY, first_day=first_day)
    assert (rate.days, rate.per_day_minor) == (days, per_day)


def test_rest_lasts_for_whole_days_and_for_ever_without_use():
    assert burn_rate(100, today=TODAY, first_day=TODAY).days_left(250) == 2
    assert burn_rate(100, today=TODAY, first_day=TODAY).days_left(-1) == 0
    assert burn_rate(0, today=TODAY, first_day=None).days_left(250) is None
