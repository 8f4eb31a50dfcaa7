"""Proration against a calculation of its own: exact fractions, by hand, over random sequences of changes."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil, floor
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from domain.billing.plan import Interval, PlanPrice
from domain.billing.subscription.accrual import DeferredRevenue
from domain.billing.subscription.commands import preview
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.proration import part_of_seconds, refundable_minor, whole_credits
from domain.billing.subscription.refund import LostCredits, to_restore
from domain.billing.subscription.snapshot import BillReason, ProviderState
from domain.billing.subscription.state import ChangeKind, Terms
from domain.billing.subscription.terms import terms_of
from domain.common.errors import SubscriptionRefused
from domain.common.period import Period
from tests.domain.subscription.building import (
    MONTH,
    PLANS,
    START,
    YEAR,
    active,
    bill,
    created,
    days,
    month,
    ordered,
    seen,
    taken,
    terms,
)

PAID = [plan.name for plan in PLANS.all if plan.prices]
amounts, seconds = st.integers(0, 10**12), st.integers(1, 400 * 86_400)


def rounded(value: Fraction) -> int:
    """Round half up, as a person with paper does."""
    return int((Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal(1), ROUND_HALF_UP))


def up(value: Fraction) -> int:
    """Round minor units of credits up to whole credits."""
    return ceil(Fraction(floor(value), 10**6)) * 10**6


@given(st.integers(0, 10**12), st.data())
def test_part_of_an_allowance_is_whole_credits_and_never_more_than_the_allowance(
    most: int, data: st.DataObject
) -> None:
    part = data.draw(st.integers(0, most))
    given_out = whole_credits(part, most)
    assert part <= given_out <= most
    assert given_out - part < 10**6
    assert given_out % 10**6 == 0 or given_out == most


@given(amounts, seconds, st.data())
def test_part_is_the_fraction_rounded_once(amount: int, whole: int, data: st.DataObject) -> None:
    left = data.draw(st.integers(0, whole))
    exact = Fraction(amount * left, whole)
    assert abs(part_of_seconds(amount, left, whole) - exact) <= Fraction(1, 2)
    assert part_of_seconds(amount, left, whole) == floor(exact + Fraction(1, 2))
    assert part_of_seconds(amount, whole, whole) == amount


@pytest.mark.parametrize(
    ("plan", "to", "after", "due", "credits"),
    [
        # 28 days from 31 January to 28 February: half of them are left.
        ("starter", "professional", days(14), 3_500, 750),
        ("starter", "enterprise", days(14), 13_500, 4_750),
        ("premium", "starter", days(7), 1_800, 375),
        ("starter", "professional", timedelta(0), 7_000, 1_500),
        # The fraction of a second is no fraction of a credit.
        ("starter", "professional", timedelta(seconds=35), 7_000, 1_500),
        ("starter", "professional", days(28) - timedelta(seconds=1), 0, 1),
    ],
)
def test_upgrade_costs_and_grants_the_difference_of_what_is_left(
    plan: str, to: str, after: timedelta, due: int, credits: int
) -> None:
    shown = preview(active(plan), PLANS, terms(to), 1, START + after)
    assert (shown.kind, shown.due_minor, shown.credits_minor) == (ChangeKind.UPGRADE, due, credits * 10**6)


def test_year_instead_of_a_month_begins_anew_and_what_was_not_used_is_taken_off() -> None:
    shown = preview(active("starter"), PLANS, terms("starter", YEAR), 1, START + days(14))
    assert shown.proration is not None
    assert (shown.proration.unused_minor, shown.proration.charge_minor, shown.due_minor) == (1_450, 29_000, 27_550)
    assert shown.proration.period.start == START + days(14)
    assert shown.proration.period.end == datetime.fromisoformat("2027-02-14T10:00:00+00:00")
    assert shown.credits_minor // 10**6 == 250


def test_upgrade_of_a_year_grants_for_the_rest_of_its_month_only() -> None:
    shown = preview(active("starter", YEAR), PLANS, terms("professional", YEAR), 1, START + days(14))
    left, whole = 365 - 14, 365
    assert shown.due_minor == rounded(Fraction(99_000 * left, whole)) - rounded(Fraction(29_000 * left, whole))
    assert shown.credits_minor // 10**6 == 750


@given(
    st.sampled_from(PAID),
    st.sampled_from(list(Interval)),
    st.lists(st.tuples(st.sampled_from(PAID), st.integers(0, 28 * 86_400 - 1)), max_size=6),
)
def test_random_upgrades_cost_what_an_independent_calculation_says(
    first: str, interval: Interval, wanted: list[tuple[str, int]]
) -> None:
    held, plan, number = active(first, interval), PLANS.get(first), 1
    start, end = START, month(0, interval.months).end
    month_end = month(0).end
    paid, granted = plan.price(interval, "USD").amount_minor, plan.credits_minor
    for name, second in sorted(wanted, key=lambda each: each[1]):
        at, new = START + timedelta(seconds=second), PLANS.get(name)
        if PLANS.rank(name) <= PLANS.rank(plan.name):
            continue
        prices = [each.price(interval, "USD").amount_minor for each in (plan, new)]
        unused, charge = (
            rounded(price * Fraction(int((end - at).total_seconds()), int((end - start).total_seconds())))
            for price in prices
        )
        share = Fraction(int((month_end - at).total_seconds()), int((month_end - start).total_seconds()))
        more = up(max(0, new.credits_minor - plan.credits_minor) * share)

        pending = ordered(held, terms(name, interval), at, f"cmd_{number}")
        proration = bill(number, charge - unused, None, reason=BillReason.UPDATE, created_at=at)
        outcome = taken(pending, seen(proration, period=month(0, interval.months)), at)
        assert sum(each.amount_minor for each in outcome.settled) == charge - unused
        given_now = sum(each.credits_minor for each in outcome.grants)
        assert given_now == (more if charge > unused else 0)
        paid, granted = paid + charge - unused, granted + given_now
        held, plan, number = outcome.subscription, new, number + 1
        assert (held.terms.plan, held.change, held.paid_minor) == (name, None, paid)
    # Nobody has more for a sequence of upgrades than for one at the beginning.
    whole = plan.price(interval, "USD").amount_minor
    assert paid <= whole + number
    assert granted <= plan.credits_minor


@given(
    st.sampled_from(PAID),
    st.lists(st.lists(st.tuples(st.sampled_from(PAID), st.integers(0, 28 * 86_400 - 1)), max_size=4), max_size=4),
)
def test_random_changes_over_months_are_charged_and_granted_as_an_independent_calculation_says(
    first: str, months: list[list[tuple[str, int]]]
) -> None:
    held, plan, waits, number = active(first), PLANS.get(first), None, 0
    for index, wanted in enumerate(months):
        period = month(index)
        whole = int((period.end - period.start).total_seconds())
        for name, second in sorted(wanted, key=lambda each: each[1]):
            at, new, number = period.start + timedelta(seconds=second), PLANS.get(name), number + 1
            if waits is not None or new == plan:
                with pytest.raises(SubscriptionRefused):
                    preview(held, PLANS, terms(name), 1, at)
                continue
            held = ordered(held, terms(name), at, f"cmd_{number}")
            if PLANS.rank(name) < PLANS.rank(plan.name):
                waits = new
                continue
            left = Fraction(whole - second, whole)
            unused, charge = (rounded(each.price(MONTH, "USD").amount_minor * left) for each in (plan, new))
            update = bill(number, charge - unused, None, reason=BillReason.UPDATE, created_at=at)
            outcome = taken(held, seen(update, period=period), at)
            more = up(max(0, new.credits_minor - plan.credits_minor) * left) if charge > unused else 0
            assert sum(each.amount_minor for each in outcome.settled) == charge - unused
            assert sum(each.credits_minor for each in outcome.grants) == more
            held, plan = outcome.subscription, new
        # The renewal comes first, then what waited for it: the new month is the new plan's, price and credits.
        plan, waits, number = waits or plan, None, number + 1
        price, following = plan.price(MONTH, "USD").amount_minor, month(index + 1)
        renewed = taken(held, seen(bill(number, price, following), period=following), following.start)
        assert [each.amount_minor for each in renewed.settled] == [price]
        assert sum(each.credits_minor for each in renewed.grants) == plan.credits_minor
        held = renewed.subscription
        assert (held.terms.plan, held.change, held.paid_through) == (plan.name, None, following.end)


@given(st.integers(0, 10**10), st.integers(0, 10**12), st.data())
def test_used_credits_reduce_a_refund_and_nobody_gains_by_using_first(
    paid: int, granted: int, data: st.DataObject
) -> None:
    used = data.draw(st.integers(0, granted))
    back = refundable_minor(paid, granted, used)
    assert 0 <= back <= paid
    if granted:
        assert back == floor(paid - Fraction(paid * used, granted))
        assert refundable_minor(paid, granted, granted) == 0
    assert refundable_minor(paid, granted, 0) == paid


def test_downgrade_costs_nothing_and_acts_when_the_period_ends() -> None:
    shown = preview(active("professional"), PLANS, terms("starter"), 1, START + days(3))
    assert (shown.kind, shown.acts_at, shown.due_minor, shown.credits_minor) == (
        ChangeKind.DOWNGRADE,
        month(0).end,
        0,
        0,
    )


def agreed(plan: str, amount_minor: int) -> Terms:
    price = PlanPrice(interval=MONTH, amount_minor=amount_minor, currency="USD", price_id="price_agreed")
    return terms_of(replace(PLANS.get(plan), is_sold=False), MONTH, "USD", [price])


@pytest.mark.parametrize(("plan", "minor"), [("starter", 2_500), ("starter", 3_500), ("professional", 2_000)])
def test_agreed_price_that_gives_money_back_or_is_of_the_same_plan_begins_with_the_next_period(
    plan: str, minor: int
) -> None:
    shown = preview(active("starter"), PLANS, agreed(plan, minor), 1, START + days(3))
    assert (shown.kind, shown.acts_at, shown.due_minor) == (ChangeKind.DOWNGRADE, month(0).end, 0)
    assert (shown.terms.amount_minor, shown.terms.is_agreed) == (minor, True)


def test_agreed_price_of_a_larger_plan_is_what_its_upgrade_costs() -> None:
    shown = preview(active("starter"), PLANS, agreed("professional", 5_700), 1, START + days(14))
    assert (shown.kind, shown.due_minor) == (ChangeKind.UPGRADE, 1_400)


@pytest.mark.parametrize("interval", [MONTH, YEAR])
def test_unused_part_of_a_trial_is_worth_nothing(interval: Interval) -> None:
    there = seen(bill(0, 0, month(0)), state=ProviderState.TRIALING, trial_end=month(0).end)
    trial = taken(confirm_order(created("starter", interval, trial_days=14, trial_card="known")), there).subscription
    shown = preview(trial, PLANS, terms("professional", interval), 1, START + days(3))
    price = terms("professional", interval).amount_minor
    assert (shown.due_minor, shown.credits_minor) == (price, 2_000 * 10**6)
    first = bill(1, price, None, reason=BillReason.UPDATE, created_at=START + days(3))
    there = seen(first, period=Period(start=START + days(3), end=START + days(31)))
    begun = taken(ordered(trial, terms("professional", interval), START + days(3)), there, START + days(3))
    assert (begun.plan, [each.credits_minor for each in begun.grants]) == ("professional", [2_000 * 10**6])


def test_change_to_what_one_has_is_refused() -> None:
    with pytest.raises(SubscriptionRefused) as caught:
        preview(active("starter"), PLANS, terms("starter"), 1, START)
    assert caught.value.error_code == "subscription.same_plan"
    assert MONTH.months == 1


@pytest.mark.parametrize(
    ("accrued", "credited", "credits", "unearned", "earned"),
    [(0, 0, 400, 2_320, 0), (2_000, 0, 400, 320, 2_000), (2_320, 0, 400, 0, 2_320), (1_000, 1_160, 200, 160, 1_000)],
)
def test_credits_that_come_back_take_their_price_from_where_it_went(
    accrued: int, credited: int, credits: int, unearned: int, earned: int
) -> None:
    """400 of 500 credits of a bill of 29.00 were lost; 100 had been used."""
    lost = LostCredits(transfer_id=UUID(int=1), credits_minor=400, cost_minor=2_320)
    deferred = DeferredRevenue(
        amount_minor=2_900,
        period=month(0),
        for_credits_minor=2_900,
        granted_minor=580,
        accrued_minor=accrued,
        credited_minor=credited,
    )
    found = to_restore(lost, deferred)
    assert (found.credits_minor, found.unearned_minor, found.earned_minor) == (credits, unearned, earned)
