"""State transitions after provider calls, and at the end of a subscription. Pure.

The workflow records each transition. `domain.billing.subscription.commands` has the commands of people.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.billing.subscription.downgrade import acting, waiting
from domain.billing.subscription.snapshot import CheckoutPage, SubscriptionSnapshot
from domain.billing.subscription.state import WORKFLOW, Order, OrderKind, Outcome, Subscription, SubscriptionStatus
from domain.billing.subscription.unpaid import undone

S = SubscriptionStatus
#: The event of an undo that the provider declined.
UNDO_DECLINED = "undo_declined"
#: The event that alerts operators of an order without a response, and after how many attempts: about half an hour.
ORDER_OVERDUE, OVERDUE_AFTER = "order_overdue", 10
#: Why a subscription ended that was never created at the provider, without a decline.
CANCELLED, PAGE_EXPIRED = "cancelled", "checkout_expired"
#: Why a trial from a hosted page ended: its card has had a trial, or cannot be recognised.
TRIAL_CARD_USED, TRIAL_CARD_UNKNOWN = "trial_used", "trial_card_unknown"
#: An upgrade for which no bill was seen within this time is undone.
UPGRADE_LAPSES = timedelta(hours=24)
#: How long a period on net terms may be overdue before the subscription ends.
NET_GRACE = timedelta(days=30)
#: Orders that create the subscription.
MAKING = frozenset({OrderKind.CREATE, OrderKind.CHECK_OUT})
#: Orders that withdraw a downgrade once the provider confirms them.
WITHDRAWING = frozenset({OrderKind.RESUME, OrderKind.CANCEL_AT_END})


def checked_out(subscription: Subscription, page: CheckoutPage) -> Outcome:
    """Record the page where the payer subscribes; nothing is granted before the payment there."""
    after = replace(subscription, order=None, status=S.INCOMPLETE, checkout=page)
    details = {"page": page.ref, "until": page.expires_at.isoformat()}
    return Outcome(subscription=after, event="checkout_opened", actor=WORKFLOW, details=details)


def confirmed(subscription: Subscription, seen: SubscriptionSnapshot | None = None) -> Subscription:
    """Return the state once the provider has accepted the order; `converge` then applies the result.

    An order that withdraws a downgrade removes the downgrade, unless its period has begun at the provider at its price:
    then the downgrade takes effect, and its price is sent to the provider again.
    """
    order, after = subscription.order, replace(subscription, order=None)
    if order is not None and order.kind is OrderKind.UNDO:
        return undone(subscription, seen)
    if order is None or order.kind not in WITHDRAWING or waiting(subscription) is None:
        return after
    if seen is None or not _has_begun(subscription, seen):
        return replace(after, change=None)
    return replace(after, order=Order(kind=OrderKind.DOWNGRADE, command_id=order.command_id))


def looked_up(subscription: Subscription, *, made: bool) -> Subscription:
    """Return the state once the provider was read after a lost response.

    `made`: the provider has the subscription, so it was created. Every other order is resent under its key, which
    executes it once.
    """
    order = subscription.order
    if order is None or not order.unknown:
        return subscription
    done = made and order.kind in MAKING
    return replace(subscription, order=None if done else replace(order, unknown=False))


def is_cancelled_unmade(subscription: Subscription) -> bool:
    """Return whether it is being cancelled while it is unknown whether the provider has created it."""
    order = subscription.order
    return subscription.ref is None and order is not None and order.kind is OrderKind.CANCEL


def lost(subscription: Subscription) -> Outcome:
    """Record a lost response: the provider is read before the next order."""
    assert subscription.order is not None
    after = replace(subscription, order=replace(subscription.order, unknown=True))
    return Outcome(
        subscription=after, event="answer_lost", actor=WORKFLOW, details={"order": subscription.order.kind.value}
    )


def overdue(subscription: Subscription) -> Outcome:
    """Record that an order was sent many times without a response: an operator has to check the provider."""
    assert subscription.order is not None
    details = {"order": subscription.order.kind.value}
    return Outcome(subscription=subscription, event=ORDER_OVERDUE, actor=WORKFLOW, details=details)


def declined(subscription: Subscription, *, why: str, at: datetime) -> Outcome:
    """Drop an order that the provider declined: the earlier terms continue; a new subscription ends."""
    order = subscription.order
    assert order is not None
    if order.kind in MAKING:
        return ended(subscription, why=why, actor=WORKFLOW, at=at)
    change = None if order.kind in {OrderKind.UPGRADE, OrderKind.DOWNGRADE} else subscription.change
    is_undo = order.kind is OrderKind.UNDO
    if is_undo and change is not None:
        change = replace(change, lapses_at=at + UPGRADE_LAPSES)
    after = replace(
        subscription,
        order=None,
        change=change,
        cancel_at_period_end=subscription.cancel_at_period_end and order.kind is not OrderKind.CANCEL_AT_END,
        ends_by_suspension=subscription.ends_by_suspension and order.kind is not OrderKind.SUSPEND,
    )
    details = {"order": order.kind.value, "why": why}
    # A caller gets the decline as the result of its order; an undo has no caller.
    event = UNDO_DECLINED if is_undo else "order_declined"
    return Outcome(subscription=after, event=event, actor=WORKFLOW, details=details)


def ended(subscription: Subscription, *, why: str, actor: str, at: datetime) -> Outcome:
    """End the subscription: the organization falls back to the free plan."""
    after = replace(
        subscription, status=S.ENDED, ended_at=at, ended_why=why, change=None, order=None, cancel_at_period_end=False
    )
    return Outcome(subscription=after, event="ended", actor=actor, details={"why": why})


def trial_refused(subscription: Subscription, *, why: str) -> Outcome:
    """End a trial that began on a hosted page, where its card was entered; nothing is granted."""
    order = Order(kind=OrderKind.CANCEL, command_id=f"trial:{why}", unknown=subscription.ref is None)
    after = replace(subscription, order=order, ended_why=why)
    return Outcome(subscription=after, event="trial_refused", actor=WORKFLOW, details={"why": why})


def is_not_paid(subscription: Subscription, at: datetime) -> bool:
    """Return whether an invoice on net terms is overdue by more than `NET_GRACE`, which ends the subscription."""
    is_over = subscription.status is S.ENDED or subscription.order is not None
    return not is_over and any(at >= each.due_at + NET_GRACE for each in subscription.requests)


def not_paid(subscription: Subscription) -> Outcome:
    """End an unpaid subscription on net terms; its invoices stay due."""
    order = Order(kind=OrderKind.CANCEL, command_id=f"not_paid:{subscription.requests[0].bill_ref}")
    after = replace(subscription, order=order, ended_why="not_paid")
    return Outcome(
        subscription=after, event="not_paid", actor=WORKFLOW, details={"bill": subscription.requests[0].bill_ref}
    )


def reminded_of_trial_end(subscription: Subscription) -> Outcome:
    """Record the reminder of the end of the trial, so that it is sent once."""
    return Outcome(subscription=replace(subscription, trial_told=True), event="trial_ends", actor=WORKFLOW)


def _has_begun(subscription: Subscription, seen: SubscriptionSnapshot) -> bool:
    """Return whether the downgrade's period has begun at the provider; a period without a bill counts as begun."""
    change = waiting(subscription)
    if change is None or seen.period.start < change.acts_at:
        return False
    bills = [bill for bill in seen.bills if bill.period is not None and bill.period.start >= change.acts_at]
    return not bills or acting(subscription, bills[-1]) is not None
