"""The days of payout schedules."""

from datetime import date, timedelta

import pytest

from domain.common.errors import Invalid
from domain.payouts.payout.schedule import PayoutInterval, PayoutSchedule

DAY = date(2028, 1, 31)


def days(schedule: PayoutSchedule, count: int) -> list[date]:
    found, day = list[date](), DAY
    for _ in range(count):
        following = schedule.next_after(day)
        assert following is not None
        found.append(following)
        day = following
    return found


def test_month_that_is_too_short_pays_on_its_last_day_and_the_next_one_on_the_anchor_again() -> None:
    schedule = PayoutSchedule(interval=PayoutInterval.MONTHLY, monthly_anchor=31)
    assert days(schedule, 3) == [date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30)]
    assert days(PayoutSchedule(interval=PayoutInterval.MONTHLY, monthly_anchor=15), 1) == [date(2028, 2, 15)]


def test_week_pays_on_its_day_and_never_today() -> None:
    assert days(PayoutSchedule(interval=PayoutInterval.WEEKLY, weekly_anchor="monday"), 2) == [
        DAY + timedelta(days=7),
        DAY + timedelta(days=14),
    ]
    assert days(PayoutSchedule(interval=PayoutInterval.DAILY), 2) == [date(2028, 2, 1), date(2028, 2, 2)]
    assert PayoutSchedule().next_after(DAY) is None


@pytest.mark.parametrize(
    ("interval", "anchors", "field"),
    [
        (PayoutInterval.WEEKLY, {}, "weekly_anchor"),
        (PayoutInterval.WEEKLY, {"weekly_anchor": "someday"}, "weekly_anchor"),
        (PayoutInterval.DAILY, {"weekly_anchor": "monday"}, "weekly_anchor"),
        (PayoutInterval.MONTHLY, {}, "monthly_anchor"),
        (PayoutInterval.MONTHLY, {"monthly_anchor": 32}, "monthly_anchor"),
    ],
)
def test_anchor_that_does_not_fit_the_interval_is_refused(interval, anchors, field) -> None:
    with pytest.raises(Invalid) as refusal:
        PayoutSchedule(interval=interval, **anchors)
    assert refusal.value.extra["field"] == field
