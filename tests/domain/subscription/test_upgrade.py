"""An upgrade is paid for what was left of its period, and what the provider charges is what is held."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.subscription.accrual import Deferred, accrues
from domain.subscription.period import Period
from domain.subscription.snapshot import BillReason
from tests.domain.subscription.building import START, YEAR, active, bill, days, month, ordered, seen, taken, terms

AT = START + days(14)  # half of the 28 days
UPDATE = BillReason.UPDATE


def test_upgrade_is_invoiced_and_earned_for_what_was_left_of_the_period() -> None:
    pending = ordered(active("premium"), replace(terms("starter"), credits_minor=0), AT)
    [settled] = taken(pending, seen(bill(1, 1_200, None, reason=UPDATE, created_at=AT)), AT).settled
    deferred = Deferred(amount_minor=1_200, period=settled.period, for_credits=False)
    assert accrues(deferred, AT + days(1)) == 1_200 // 14
    assert settled.period == Period(start=AT, end=month(0).end)


@pytest.mark.parametrize(("made_at", "start"), [(START - days(1), START), (AT + timedelta(hours=1), AT)])
def test_upgrade_is_invoiced_from_when_it_was_ordered_and_never_from_before_its_period(made_at, start) -> None:
    pending = ordered(active(), terms("professional"), AT)
    [settled] = taken(pending, seen(bill(1, 3_500, None, reason=UPDATE, created_at=made_at)), AT).settled
    assert settled.period == Period(start=start, end=month(0).end)


def test_upgrade_that_is_paid_after_its_period_is_invoiced_for_what_was_left_of_it() -> None:
    pending = ordered(active(), terms("professional"), AT)
    later = replace(pending, period=month(1))
    [settled] = taken(later, seen(bill(1, 3_500, None, reason=UPDATE, created_at=AT), period=month(1))).settled
    assert settled.period == Period(start=AT, end=month(0).end)


def test_year_that_an_upgrade_begins_is_invoiced_whole() -> None:
    pending = ordered(active(), terms("starter", YEAR), AT)
    year = Period(start=AT, end=AT + days(365))
    [settled] = taken(pending, seen(bill(1, 27_500, year, reason=UPDATE, created_at=AT), period=year), AT).settled
    assert settled.period == year
