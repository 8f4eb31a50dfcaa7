"""Recurring prices: the recurring lines of bills after the discounts that last, by month and by year."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import assume, given, strategies as st

from domain.billing.invoice.lines import Discount
from domain.billing.plan import Interval
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.snapshot import Bill, BillLine, BillReason, BillState, ProviderState
from domain.billing.subscription.state import Subscription, SubscriptionStatus
from domain.messages.events.subscription import data_of, subscription_events
from tests.domain.subscription.building import (
    MONTH,
    START,
    YEAR,
    active,
    bill,
    created,
    month,
    ordered,
    seen,
    taken,
    terms,
    unpaid,
)

INTERVALS = st.sampled_from((MONTH, YEAR))
DISCOUNTS = st.lists(
    st.builds(Discount, description=st.just("c"), share_e4=st.integers(1, 10_000))
    | st.builds(Discount, description=st.just("c"), amount_minor=st.integers(1, 3_000)),
    max_size=3,
).map(tuple)


def expected(amount: int, discounts: tuple[Discount, ...]) -> int:
    for each in discounts:
        off = (
            each.amount_minor
            if each.share_e4 is None
            else int(Fraction(amount * each.share_e4, 10_000) + Fraction(1, 2))
        )
        amount -= min(off or 0, amount)
    return amount


def billed(
    number: int, plan: str, interval: Interval, off: tuple[Discount, ...] = (), once_minor: int = 0, **changes: object
) -> Bill:
    """Return the paid bill of a period, with discounts that last and one of this bill alone."""
    price = terms(plan, interval)
    period = month(number, interval.months)
    line = BillLine(description="", amount_minor=price.amount_minor, period=period, price_id=price.price_id)
    total = max(0, expected(price.amount_minor, off) - once_minor)
    return bill(number, total, period, lines=(line,), discounts=off, **changes)


def began(plan: str, interval: Interval, off: tuple[Discount, ...] = (), once_minor: int = 0) -> Subscription:
    first = billed(0, plan, interval, off, once_minor)
    return taken(confirm_order(created(plan, interval)), seen(first, period=first.period)).subscription


@given(INTERVALS, DISCOUNTS, st.integers(0, 1_000))
def test_pitfall_66_what_recurs_is_the_price_less_the_discounts_that_last(
    interval: Interval, off: tuple[Discount, ...], once_minor: int
) -> None:
    held = began("professional", interval, off, once_minor)
    amount = expected(terms("professional", interval).amount_minor, off)
    assert held.recurring_minor == amount
    assert data_of(held, amount)["recurring_price"] == f"{amount / 100:.2f}"


@given(INTERVALS, DISCOUNTS)
def test_upgrade_within_a_period_recurs_at_its_price_less_the_same_discounts(
    interval: Interval, off: tuple[Discount, ...]
) -> None:
    held = began("starter", interval, off)
    assume(held.recurring_minor)  # nothing is given before money was received
    upgrade = ordered(held, terms("professional", interval), START)
    line = BillLine(
        description="", amount_minor=700, price_id=terms("professional", interval).price_id, is_proration=True
    )
    change = bill(1, 700, None, reason=BillReason.UPDATE, lines=(line,))
    first = billed(0, "starter", interval, off)
    after = taken(upgrade, seen(first, change, period=held.period)).subscription
    assert after.terms.plan == "professional"
    assert after.recurring_minor == expected(after.terms.amount_minor, off)


def test_next_bill_says_what_recurs_once_a_discount_ended_and_tells_of_it() -> None:
    half = (Discount(description="c", share_e4=5_000),)
    held = began("professional", MONTH, half)
    first, second = billed(0, "professional", MONTH, half), billed(1, "professional", MONTH)
    after = taken(held, seen(first, second, period=second.period)).subscription
    assert (held.recurring_minor * 2, after.recurring_minor) == (after.terms.amount_minor, after.terms.amount_minor)
    [told] = subscription_events(held, after, START, net_minor=after.recurring_minor)
    assert told.data["recurring_price"] == told.data["price"]


def test_what_the_payer_made_smaller_at_the_provider_recurs_smaller() -> None:
    held = active("professional")
    second = billed(1, "professional", MONTH)
    [line] = second.lines
    fewer = replace(second, lines=(replace(line, amount_minor=1_234),), total_minor=1_234, paid_minor=1_234)
    after = taken(held, seen(billed(0, "professional", MONTH), fewer, period=fewer.period)).subscription
    assert (after.terms, after.recurring_minor) == (held.terms, 1_234)


def test_bill_that_is_not_paid_or_was_voided_changes_nothing_of_what_recurs() -> None:
    half = (Discount(description="c", share_e4=5_000),)
    held, first = began("professional", MONTH, half), billed(0, "professional", MONTH, half)
    period = month(1)
    for state in (BillState.OPEN, BillState.UNCOLLECTIBLE, BillState.VOID):
        second = replace(unpaid(1, 9_999, period), state=state)
        after = taken(held, seen(first, second, state=ProviderState.PAST_DUE, period=period)).subscription
        assert (after.status, after.recurring_minor) == (SubscriptionStatus.PAST_DUE, held.recurring_minor)


def test_period_that_is_requested_on_net_terms_recurs_as_it_is_requested() -> None:
    half = (Discount(description="c", share_e4=5_000),)
    wanted = confirm_order(replace(created("professional"), terms=replace(terms("professional"), net_days=30)))
    first = replace(billed(0, "professional", MONTH, half), state=BillState.OPEN, paid_minor=0)
    after = taken(wanted, seen(first, period=first.period)).subscription
    assert after.recurring_minor * 2 == after.terms.amount_minor


def test_period_that_costs_nothing_for_good_recurs_with_nothing() -> None:
    whole = (Discount(description="c", share_e4=10_000),)
    held = active("professional")
    second = billed(1, "professional", MONTH, whole)
    after = taken(held, seen(billed(0, "professional", MONTH), second, period=second.period)).subscription
    assert (after.status, after.recurring_minor) == (SubscriptionStatus.ACTIVE, 0)
