"""A downgrade waits until the provider has withdrawn it, and a period is the plan's that it is billed at."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.billing.subscription.commands import order_cancel, order_change, order_resume, preview
from domain.billing.subscription.given_up import give_up
from domain.billing.subscription.orders import confirm_order, decline_order, lose_response, resolve_unknown
from domain.billing.subscription.snapshot import Bill, BillLine, SubscriptionSnapshot
from domain.billing.subscription.state import OrderKind, Subscription, SubscriptionStatus, Transition
from tests.domain.subscription.building import (
    PLANS,
    START,
    active,
    bill,
    days,
    month,
    ordered,
    seen,
    taken,
    terms,
    unpaid,
)

SMALL, LARGE = 2_900, 9_900
AT, RENEWED = START + days(4), month(1).start
Ordered = Callable[[Subscription], Subscription]
Drop = Callable[[Subscription], Transition]


def waits() -> Subscription:
    """A subscription to professional that changes to starter when its period ends."""
    return ordered(active("professional"), terms("starter"), START + days(3))


def resumed(held: Subscription) -> Subscription:
    return order_resume(held, "cmd_3", actor="kim", at=AT).subscription


def cancelled(held: Subscription) -> Subscription:
    return order_cancel(held, "cmd_3", at_period_end=True, actor="kim").subscription


def refused(held: Subscription) -> Transition:
    return decline_order(held, why="resource_missing", at=AT)


def given_up(held: Subscription) -> Transition:
    return give_up(lose_response(held).subscription, actor="kim", reason="It is not there.", at=AT)


def after(*bills: Bill, period: int = 1) -> SubscriptionSnapshot:
    """Return the provider's snapshot once the second period has begun, or of its first period again."""
    return seen(bill(0, LARGE, month(0)), *bills, period=month(period))


def granted(outcome: Transition) -> list[int]:
    return [each.credits_minor // 10**6 for each in outcome.grants]


withdrawn = pytest.mark.parametrize("order", [resumed, cancelled])


@withdrawn
@pytest.mark.parametrize("drop", [refused, given_up])
def test_downgrade_whose_withdrawal_was_not_done_acts_with_the_next_bill(order: Ordered, drop: Drop) -> None:
    held = drop(order(waits())).subscription
    assert held == waits()
    renewed = taken(held, after(bill(1, SMALL, month(1))), RENEWED)
    assert (renewed.plan, granted(renewed), renewed.subscription.change) == ("starter", [500], None)


@withdrawn
def test_withdrawn_downgrade_waits_until_the_provider_confirms(order: Ordered) -> None:
    asked = order(waits())
    assert asked.change == waits().change
    done = confirm_order(asked, after(period=0))
    assert (done.terms.plan, done.change, done.order) == ("professional", None, None)


def test_resumed_plan_is_renewed_as_it_was() -> None:
    done = confirm_order(resumed(waits()), after(period=0))
    renewed = taken(done, after(bill(1, LARGE, month(1))), RENEWED)
    assert (renewed.subscription.terms.plan, granted(renewed)) == ("professional", [2_000])


@withdrawn
def test_upgrade_that_awaits_its_payment_is_kept_by_a_withdrawal(order: Ordered) -> None:
    pending = replace(ordered(active(), terms("professional"), AT), cancel_at_period_end=order is resumed)
    assert confirm_order(order(pending)).change == pending.change
    assert refused(order(pending)).subscription.change == pending.change


@pytest.mark.parametrize("kind", ["upgrade", "downgrade"])
def test_change_that_was_declined_itself_is_dropped(kind: str) -> None:
    held, to = (active(), "professional") if kind == "upgrade" else (active("professional"), "starter")
    asked = order_change(held, preview(held, PLANS, terms(to), 1, AT), "cmd_2", actor="kim").subscription
    assert refused(asked).subscription == held


# A period that begins while the order is under way -------------------------------------------------------------------


@withdrawn
def test_renewal_at_the_small_price_meanwhile_grants_the_small_plan(order: Ordered) -> None:
    renewed = taken(order(waits()), after(bill(1, SMALL, month(1))), RENEWED)
    assert (renewed.plan, granted(renewed)) == ("starter", [500])


def test_downgrade_that_acted_before_it_was_withdrawn_is_ordered_again() -> None:
    """The answer was lost, so the provider may have restored the old price under the key of that order."""
    held = resolve_unknown(lose_response(resumed(waits())).subscription, made=True)
    order = taken(held, after(bill(1, SMALL, month(1))), RENEWED).subscription.order
    assert order is not None
    assert (order.kind, order.command_id, order.unknown) == (OrderKind.DOWNGRADE, "cmd_3", False)


def test_renewal_at_the_large_price_meanwhile_grants_the_large_plan() -> None:
    """The provider has resumed it, which is not known here yet."""
    held, there = resumed(waits()), after(bill(1, LARGE, month(1)))
    renewed = taken(held, there, RENEWED)
    assert (renewed.subscription.terms.plan, granted(renewed)) == ("professional", [2_000])
    assert confirm_order(renewed.subscription, there).change is None


def test_plan_whose_price_a_discount_lowers_is_known_by_the_price() -> None:
    line = BillLine(description="Professional", amount_minor=LARGE)
    unused = BillLine(description="Unused time", amount_minor=-500, is_proration=True)
    cheap = bill(1, SMALL, month(1), lines=(line, unused))
    assert taken(resumed(waits()), after(cheap), RENEWED).subscription.terms.plan == "professional"


@withdrawn
@pytest.mark.parametrize("bills", [(), (unpaid(1, SMALL, month(1)),)], ids=["no bill", "a small bill"])
def test_late_withdrawal_leaves_the_downgrade(order: Ordered, bills: tuple[Bill, ...]) -> None:
    late = confirm_order(order(waits()), after(*bills))
    assert late.change == waits().change
    renewed = taken(late, after(bill(1, SMALL, month(1))), RENEWED)
    assert (renewed.plan, granted(renewed)) == ("starter", [500])


@withdrawn
def test_provider_that_withdrew_too_late_gets_the_smaller_price_again(order: Ordered) -> None:
    late = confirm_order(order(waits()), after(unpaid(1, SMALL, month(1))))
    assert (late.order and late.order.kind) == OrderKind.DOWNGRADE


def test_resumption_that_was_in_time_is_confirmed_after_the_renewal() -> None:
    done = confirm_order(resumed(waits()), after(unpaid(1, LARGE, month(1))))
    assert (done.change, done.order) == (None, None)


def test_period_on_net_terms_is_requested_for_the_plan_that_it_is_billed_at() -> None:
    held = replace(waits(), terms=replace(terms("professional"), net_days=30))
    for amount, plan, credits in ((SMALL, "starter", 500), (LARGE, "professional", 2_000)):
        requested = taken(resumed(held), after(unpaid(1, amount, month(1))), RENEWED).subscription
        assert (requested.terms.plan, [each.credits_minor // 10**6 for each in requested.requests]) == (plan, [credits])


def test_other_lines_of_a_bill_do_not_keep_a_plan() -> None:
    held = waits()
    assert held.change is not None
    line = BillLine(description="Starter", amount_minor=SMALL, period=month(1), price_id=held.change.terms.price_id)
    setup = BillLine(description="Set up by hand", amount_minor=LARGE, period=month(1), price_id="price_else")
    renewed = taken(held, after(bill(1, SMALL + LARGE, month(1), lines=(line, setup))), RENEWED)
    assert (renewed.plan, granted(renewed)) == ("starter", [500])


@pytest.mark.parametrize("net_days", [0, 30])
def test_downgrade_acts_with_a_renewal_that_costs_nothing(net_days: int) -> None:
    """A coupon or the customer's credit pays for all of it."""
    held = replace(waits(), terms=replace(terms("professional"), net_days=net_days))
    line = BillLine(description="Starter", amount_minor=SMALL, period=month(1), price_id=None)
    free = bill(1, 0, month(1), lines=(line,))
    renewed = taken(held, after(free), RENEWED)
    assert (renewed.plan, granted(renewed), renewed.subscription.change) == ("starter", [], None)
    later = taken(renewed.subscription, after(free, bill(2, SMALL, month(2)), period=2), month(2).start)
    assert (later.subscription.terms.plan, granted(later)) == ("starter", [500])


def test_renewal_of_the_large_plan_that_costs_nothing_leaves_the_downgrade() -> None:
    line = BillLine(description="Professional", amount_minor=LARGE, period=month(1))
    renewed = taken(resumed(waits()), after(bill(1, 0, month(1), lines=(line,))), RENEWED).subscription
    assert (renewed.terms.plan, renewed.change) == ("professional", waits().change)


def test_next_period_has_the_ordered_terms_unless_the_subscription_ends() -> None:
    held = active("professional")
    assert held.next_terms == held.terms
    lowered = ordered(held, terms("starter"), AT)
    assert lowered.next_terms == terms("starter")
    for ends in ({"cancel_at_period_end": True}, {"ends_by_suspension": True}, {"status": SubscriptionStatus.PAST_DUE}):
        assert replace(lowered, **ends).next_terms is None
