"""An upgrade that the provider has made and that is not paid yet: it waits for its bill, and is undone without it.

A bank debit takes days, and the provider has the larger price at once. So the upgrade is kept for as long as its bill
is open there; where nobody pays it, the provider is told of what is held again. Pure.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.billing.subscription.downgrade import charged_minor
from domain.billing.subscription.snapshot import Bill, BillReason, BillState, ProviderState, SubscriptionSnapshot
from domain.billing.subscription.state import (
    WINDOW,
    WORKFLOW,
    ChangeKind,
    LatePeriod,
    OrderKind,
    PlanChange,
    Subscription,
    SubscriptionOrder,
    SubscriptionStatus,
    Transition,
)

#: How much earlier than here the provider's clock may have it.
_SKEW = timedelta(hours=1)
#: How soon a period begins where the one before is over by the time that an upgrade is undone.
_SOON = timedelta(hours=1)
_FAILING = frozenset({ProviderState.PAST_DUE, ProviderState.UNPAID})
_CLOSED = frozenset({BillState.VOID, BillState.UNCOLLECTIBLE})


def unpaid_upgrade(subscription: Subscription) -> PlanChange | None:
    """Return the upgrade that is not paid yet."""
    change = subscription.change
    return change if change is not None and change.kind is ChangeKind.UPGRADE else None


def note_upgrade_bill(subscription: Subscription, seen: SubscriptionSnapshot) -> Subscription:
    """Note the bill that an upgrade waits for, when it is first seen open."""
    change = unpaid_upgrade(subscription)
    if change is None or change.bill_ref is not None:
        return subscription
    own = [
        bill.ref
        for bill in seen.bills
        if bill.reason is BillReason.UPDATE
        and bill.state is BillState.OPEN
        and bill.created_at + _SKEW >= change.acts_at
    ]
    return replace(subscription, change=replace(change, bill_ref=own[-1])) if own else subscription


def upgrade_paid_by(subscription: Subscription, bill: Bill) -> PlanChange | None:
    """Return the upgrade that a bill of a change is for; one that is being undone has its own bill or none."""
    change = unpaid_upgrade(subscription)
    if change is None or change.bill_ref == bill.ref:
        return change
    return None if change.bill_ref is not None or is_undoing(subscription) else change


def leaves_trial(subscription: Subscription) -> bool:
    """Return whether a trial continues here, because the upgrade that ended it at the provider is not paid yet."""
    change = unpaid_upgrade(subscription)
    is_open = change is not None and change.bill_ref is not None
    return is_open and subscription.trial_days > 0 and subscription.paid_through is None


def upgrade_begun_by(subscription: Subscription, bill: Bill) -> PlanChange | None:
    """Return the upgrade that the bill of a later period is charged for, although its own bill is not paid yet."""
    change, period = unpaid_upgrade(subscription), bill.period
    if change is None or change.bill_ref is None or change.terms.interval is not subscription.terms.interval:
        return None
    if subscription.begins_anew:
        return None
    if bill.reason is not BillReason.CYCLE or period is None or period.start < change.acts_at:
        return None
    charged = charged_minor(bill, {subscription.terms.price_id, change.terms.price_id})
    return change if charged >= change.terms.amount_minor else None


def begin_upgrade(subscription: Subscription, change: PlanChange) -> Subscription:
    """Have an upgrade act with a later period that was paid at its price; its own bill grants its part once paid."""
    assert change.bill_ref is not None
    late = LatePeriod(bill_ref=change.bill_ref, plan=change.terms.plan, credits_minor=change.credits_minor)
    late_periods = (*subscription.late_periods, late)[-WINDOW:]
    return replace(subscription, terms=change.terms, change=None, late_periods=late_periods)


def has_upgrade_failed(subscription: Subscription, seen: SubscriptionSnapshot) -> bool:
    """Return whether the bill of an upgrade is closed or was declined, and no later period is charged for it."""
    change = unpaid_upgrade(subscription)
    if change is None or subscription.order is not None or subscription.status is SubscriptionStatus.ENDED:
        return False
    own = next((bill for bill in seen.bills if bill.ref == change.bill_ref), None)
    if own is None or own.is_paid:
        return False
    if any(bill.state not in _CLOSED and upgrade_begun_by(subscription, bill) is not None for bill in seen.bills):
        return False
    return own.state in _CLOSED or seen.state in _FAILING


def is_undoing(subscription: Subscription) -> bool:
    """Return whether an upgrade is being undone at the provider."""
    return subscription.order is not None and subscription.order.kind is OrderKind.UNDO


def order_undo(subscription: Subscription, at: datetime) -> Subscription:
    """Order that the provider has what is held again: the change is dropped once it has."""
    change = subscription.change
    assert change is not None
    began_anew = change.terms.interval is not subscription.terms.interval or subscription.begins_anew
    ends = subscription.trial_end if subscription.paid_through is None else subscription.paid_through
    order = SubscriptionOrder(
        kind=OrderKind.UNDO,
        # A provider remembers what it has refused by the key, so each try has its own.
        command_id=f"{change.command_id}:{subscription.version + 1}",
        until=max(ends or at, at + _SOON) if began_anew else None,
    )
    return replace(subscription, order=order)


def confirm_undo(subscription: Subscription, seen: SubscriptionSnapshot | None) -> Subscription:
    """Return the state once the provider has answered: without the upgrade, unless its bill was paid meanwhile."""
    change = subscription.change
    bills = () if seen is None else seen.bills
    after = replace(subscription, order=None)
    if change is not None and any(bill.is_paid and bill.ref == change.bill_ref for bill in bills):
        return after
    cut_short = subscription.order is not None and subscription.order.until is not None
    # The provider counts what is left of a period that was cut short as a trial, and gives nothing back of it.
    worth_minor = 0 if cut_short and subscription.paid_through is not None else subscription.worth_minor
    return replace(after, change=None, worth_minor=worth_minor)


def lapse_upgrade(subscription: Subscription, at: datetime) -> Transition:
    """Undo an upgrade for which no bill was ever seen."""
    return Transition(subscription=order_undo(subscription, at), event="upgrade_lapsed", actor=WORKFLOW)
