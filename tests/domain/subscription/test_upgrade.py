"""An upgrade is paid for what was left of its period, and what the provider charges is what is held."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.billing.subscription.accrual import DeferredRevenue, revenue_to_book
from domain.billing.subscription.agenda import POLL, AgendaInput, Step, agenda
from domain.billing.subscription.converge import converge
from domain.billing.subscription.orders import UPGRADE_LAPSES, confirm_order, decline_order
from domain.billing.subscription.snapshot import Bill, BillLine, BillReason, BillState, ProviderState
from domain.billing.subscription.state import OrderKind, Subscription, SubscriptionOrder, SubscriptionStatus
from domain.billing.subscription.unpaid import lapse_upgrade
from domain.common.agenda import Wait
from domain.common.period import Period
from tests.domain.subscription.building import START, YEAR, active, bill, days, month, ordered, seen, taken, terms

AT = START + days(14)  # half of the 28 days
UPDATE = BillReason.UPDATE


def test_upgrade_is_invoiced_and_earned_for_what_was_left_of_the_period() -> None:
    pending = ordered(active("premium"), replace(terms("starter"), credits_minor=0), AT)
    [settled] = taken(pending, seen(bill(1, 1_200, None, reason=UPDATE, created_at=AT)), AT).settled
    deferred = DeferredRevenue(amount_minor=1_200, period=settled.period, for_credits_minor=0)
    assert revenue_to_book(deferred, AT + days(1)) == 1_200 // 14
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


def test_credits_that_a_balance_leaves_out_of_an_upgrade_are_named() -> None:
    pending = ordered(active(), terms("professional"), AT)
    line = BillLine(description="The rest of Professional", amount_minor=3_500)
    free = replace(by_debit(BillState.PAID), lines=(line,))
    outcome = taken(pending, seen(free), AT)
    assert (outcome.grants, outcome.subscription.terms.plan) == ((), "professional")
    assert outcome.details["ungranted"] == {"in_1": "750.00"}
    paid = taken(pending, seen(replace(free, paid_minor=3_500)), AT)
    assert "ungranted" not in paid.details


def test_year_that_an_upgrade_begins_is_invoiced_whole() -> None:
    pending = ordered(active(), terms("starter", YEAR), AT)
    year = Period(start=AT, end=AT + days(365))
    [settled] = taken(pending, seen(bill(1, 27_500, year, reason=UPDATE, created_at=AT), period=year), AT).settled
    assert settled.period == year


def by_debit(state: BillState = BillState.OPEN, at: datetime = AT) -> Bill:
    return bill(1, 3_500, None, reason=UPDATE, created_at=at, state=state, paid_minor=0)


def awaiting() -> Subscription:
    """An upgrade whose bill is open, because a bank takes days to pay it."""
    return taken(ordered(active(), terms("professional"), AT), seen(by_debit()), AT).subscription


def test_upgrade_is_kept_for_as_long_as_its_bill_is_open() -> None:
    held = awaiting()
    assert (held.change and held.change.bill_ref, held.terms.plan) == ("in_1", "starter")
    later = AT + UPGRADE_LAPSES * 3
    assert converge(held, seen(by_debit()), later) is None
    waits = agenda(held, later, AgendaInput(looked_at=later))
    assert (getattr(waits, "why", None), getattr(waits, "until", None)) == ("ask the provider", later + POLL)


@pytest.mark.parametrize(
    ("state", "there"),
    [
        (BillState.OPEN, ProviderState.PAST_DUE),
        (BillState.VOID, ProviderState.ACTIVE),
        (BillState.UNCOLLECTIBLE, ProviderState.ACTIVE),
    ],
)
def test_upgrade_that_nobody_pays_is_undone_at_the_provider_and_nothing_that_is_held_changes(
    state: BillState, there: ProviderState
) -> None:
    held = awaiting()
    outcome = taken(held, seen(by_debit(state), state=there), AT + days(4))
    after = outcome.subscription
    assert (outcome.event, after.order and after.order.kind, after.status) == (
        "upgrade_failed",
        OrderKind.UNDO,
        SubscriptionStatus.ACTIVE,
    )
    assert agenda(after, AT + days(4), AgendaInput()) is Step.SUBMIT
    # A look before it is done orders nothing else, and the upgrade is dropped once it is.
    assert converge(after, seen(by_debit(state), state=there), AT + days(4)) is None
    assert confirm_order(after, seen(by_debit(BillState.VOID))) == replace(held, change=None)


def test_undo_that_the_provider_refuses_is_ordered_again_under_another_key() -> None:
    failed = seen(by_debit(), state=ProviderState.PAST_DUE)
    one = taken(awaiting(), failed, AT + days(4)).subscription
    refused = decline_order(replace(one, version=one.version + 1), why="invoice_processing", at=AT + days(4))
    assert (refused.event, refused.subscription.order) == ("undo_declined", None)
    two = taken(replace(refused.subscription, version=one.version + 2), failed, AT + days(4)).subscription
    assert (two.order and two.order.kind) == OrderKind.UNDO
    assert two.order != one.order


def test_upgrade_without_a_bill_is_undone_after_a_day_and_once_a_day_while_that_is_refused() -> None:
    held, at = ordered(active(), terms("professional"), AT), AT + UPGRADE_LAPSES
    assert agenda(held, at, AgendaInput(looked_at=at)) is Step.LAPSE
    undoing = lapse_upgrade(held, at).subscription
    assert undoing.order == SubscriptionOrder(kind=OrderKind.UNDO, command_id=f"cmd_2:{held.version + 1}")
    assert confirm_order(undoing).change is None
    refused = decline_order(undoing, why="resource_missing", at=at).subscription
    assert isinstance(agenda(refused, at, AgendaInput(looked_at=at)), Wait)
    assert agenda(refused, at + UPGRADE_LAPSES, AgendaInput(looked_at=at + UPGRADE_LAPSES)) is Step.LAPSE


def test_bill_of_nothing_that_an_undo_makes_is_not_that_of_the_upgrade() -> None:
    held = taken(awaiting(), seen(by_debit(BillState.VOID)), AT).subscription
    after = taken(held, seen(by_debit(BillState.VOID), bill(2, 0, None, reason=UPDATE, created_at=AT)), AT).subscription
    assert (after.terms, after.change, after.settled) == (held.terms, held.change, ("in_0", "in_2"))


def test_bill_of_an_upgrade_that_was_undone_before_is_not_that_of_the_next_one() -> None:
    again = ordered(active(), terms("professional"), AT + days(1), "cmd_3")
    voided = by_debit(BillState.VOID)
    assert converge(again, seen(voided), AT + days(1)) is None
    noted = taken(again, seen(voided, replace(by_debit(at=AT + days(1)), ref="in_2")), AT + days(1)).subscription
    assert (noted.change and noted.change.bill_ref) == "in_2"
