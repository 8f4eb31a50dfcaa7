"""What a suspension does to a subscription: it ends with its period, and a payer's own cancellation stays one."""

from dataclasses import replace

import pytest

from domain.billing.subscription.commands import order_cancel, order_resume
from domain.billing.subscription.orders import confirm_order, decline_order
from domain.billing.subscription.snapshot import ProviderState
from domain.billing.subscription.state import OrderKind, Subscription, SubscriptionStatus
from domain.billing.subscription.suspension import follow_suspension
from domain.common.errors import SubscriptionRefused
from tests.domain.subscription.building import START, active, days, month, ordered, seen, taken, terms

A = ProviderState.ACTIVE


def suspended(held: Subscription) -> Subscription:
    """Have the provider confirm that it ends because of the suspension."""
    outcome = follow_suspension(held, A, suspended=True)
    assert outcome is not None
    return taken(confirm_order(outcome.subscription), seen(cancel_at_period_end=True)).subscription


def test_suspension_ends_it_with_its_period_and_its_end_withdraws_that() -> None:
    held = ordered(active("professional"), terms("starter"), START + days(1))
    asked = follow_suspension(held, A, suspended=True)
    assert asked is not None
    assert (asked.subscription.order and asked.subscription.order.kind) == OrderKind.SUSPEND
    assert not asked.subscription.cancel_at_period_end, "nothing is shown before the provider has it"
    ends = suspended(held)
    assert (ends.cancel_at_period_end, ends.ends_by_suspension, ends.change) == (True, True, held.change)
    assert follow_suspension(ends, A, suspended=True) is None
    lifted = follow_suspension(ends, A, suspended=False)
    assert lifted is not None
    assert (lifted.subscription.order and lifted.subscription.order.kind) == OrderKind.GO_ON
    goes_on = taken(confirm_order(lifted.subscription), seen()).subscription
    assert (goes_on.cancel_at_period_end, goes_on.ends_by_suspension, goes_on.change) == (False, False, held.change)


def test_end_of_the_period_is_the_end_and_says_why() -> None:
    over = taken(suspended(active()), seen(state=ProviderState.CANCELED, ended_at=month(0).end)).subscription
    assert (over.status, over.ended_why, over.ends_by_suspension) == (SubscriptionStatus.ENDED, "suspended", False)


def test_cancellation_of_the_payer_stays_when_the_organization_is_resumed() -> None:
    own = confirm_order(order_cancel(active(), "cmd_3", at_period_end=True, actor="kim").subscription)
    assert follow_suspension(own, A, suspended=True) is None
    assert follow_suspension(own, A, suspended=False) is None
    after = confirm_order(order_cancel(suspended(active()), "cmd_3", at_period_end=True, actor="kim").subscription)
    assert (after.cancel_at_period_end, after.ends_by_suspension) == (True, False)
    assert follow_suspension(after, A, suspended=False) is None
    with pytest.raises(SubscriptionRefused):
        order_cancel(after, "cmd_4", at_period_end=True, actor="kim")


def test_end_that_was_declined_is_ordered_anew_under_another_key() -> None:
    asked = follow_suspension(active(), A, suspended=True)
    assert asked is not None
    left = decline_order(asked.subscription, why="locked", at=START).subscription
    assert (left.cancel_at_period_end, left.ends_by_suspension, left.order) == (False, False, None)
    again = follow_suspension(replace(left, version=left.version + 2), A, suspended=True)
    assert again is not None
    assert again.subscription.order != asked.subscription.order


def test_withdrawal_that_was_declined_is_ordered_again() -> None:
    lifted = follow_suspension(suspended(active()), A, suspended=False)
    assert lifted is not None
    left = decline_order(lifted.subscription, why="locked", at=START).subscription
    assert left.cancel_at_period_end
    assert follow_suspension(left, A, suspended=False) is not None


def test_payer_may_resume_it_itself() -> None:
    asked = order_resume(suspended(active()), "cmd_3", actor="kim", at=START + days(1)).subscription
    goes_on = taken(confirm_order(asked), seen()).subscription
    assert (goes_on.cancel_at_period_end, goes_on.ends_by_suspension) == (False, False)


@pytest.mark.parametrize("state", [ProviderState.INCOMPLETE, ProviderState.UNPAID, ProviderState.CANCELED])
def test_what_is_not_charged_is_left_alone(state: ProviderState) -> None:
    assert follow_suspension(active(), state, suspended=True) is None
