"""What comes of an order at the provider, and what ends a subscription: pure functions from the state to the next.

The workflow records each outcome. What people order is in `domain.billing.subscription.commands`.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.billing.subscription.downgrade import downgrade_begun_by, pending_downgrade
from domain.billing.subscription.snapshot import CheckoutPage, SubscriptionSnapshot
from domain.billing.subscription.state import (
    WORKFLOW,
    OrderKind,
    Subscription,
    SubscriptionOrder,
    SubscriptionStatus,
    Transition,
)
from domain.billing.subscription.unpaid import confirm_undo

S = SubscriptionStatus
#: The event of an undo that the provider refuses.
UNDO_DECLINED = "undo_declined"
#: The event of an order that was lost so many times in a row that operators are alerted, after about half an hour.
ORDER_OVERDUE, OVERDUE_AFTER = "order_overdue", 10
#: Why one ended that was never at the provider, and that nobody declined.
CANCELLED, PAGE_EXPIRED = "cancelled", "checkout_expired"
#: Why a trial ended that began on a page: its card has had one, or nobody knows which card it is.
TRIAL_CARD_USED, TRIAL_CARD_UNKNOWN = "trial_used", "trial_card_unknown"
#: An upgrade for which no bill was seen by then is undone.
UPGRADE_LAPSES = timedelta(hours=24)
#: How long after it was due a period on net terms may be unpaid before the subscription ends.
NET_GRACE = timedelta(days=30)
#: Orders that make the subscription.
CREATING = frozenset({OrderKind.CREATE, OrderKind.CHECK_OUT})
#: Orders that withdraw a downgrade, once the provider has them.
WITHDRAWING = frozenset({OrderKind.RESUME, OrderKind.CANCEL_AT_END})


def open_checkout(subscription: Subscription, page: CheckoutPage) -> Transition:
    """Record the page where the payer subscribes; nothing is granted before they have paid there."""
    after = replace(subscription, order=None, status=S.INCOMPLETE, checkout=page)
    details = {"page": page.ref, "until": page.expires_at.isoformat()}
    return Transition(subscription=after, event="checkout_opened", actor=WORKFLOW, details=details)


def confirm_order(subscription: Subscription, seen: SubscriptionSnapshot | None = None) -> Subscription:
    """Return the state once the provider has accepted the order; `converge` then applies the result.

    An order that withdraws a downgrade removes it here, unless its period has begun at the provider and is billed at
    its price: then it takes effect, and its price is sent to the provider again.
    """
    order, after = subscription.order, replace(subscription, order=None)
    if order is not None and order.kind is OrderKind.UNDO:
        return confirm_undo(subscription, seen)
    if order is None or order.kind not in WITHDRAWING or pending_downgrade(subscription) is None:
        return after
    if seen is None or not _has_downgrade_begun(subscription, seen):
        return replace(after, change=None)
    return replace(after, order=SubscriptionOrder(kind=OrderKind.DOWNGRADE, command_id=order.command_id))


def resolve_unknown(subscription: Subscription, *, made: bool) -> Subscription:
    """Return the state once the provider was read after a lost response.

    If the provider has the subscription, it was created. Everything else is ordered again under its key, which takes
    effect once.
    """
    order = subscription.order
    if order is None or not order.unknown:
        return subscription
    done = made and order.kind in CREATING
    return replace(subscription, order=None if done else replace(order, unknown=False))


def is_cancelled_before_creation(subscription: Subscription) -> bool:
    """Return whether it is being cancelled and it is unknown whether the provider has it."""
    order = subscription.order
    return subscription.ref is None and order is not None and order.kind is OrderKind.CANCEL


def lose_response(subscription: Subscription) -> Transition:
    """Record that the response to a call was lost: the provider is read before anything else is ordered."""
    assert subscription.order is not None
    after = replace(subscription, order=replace(subscription.order, unknown=True))
    return Transition(
        subscription=after, event="answer_lost", actor=WORKFLOW, details={"order": subscription.order.kind.value}
    )


def report_overdue(subscription: Subscription) -> Transition:
    """Record that an order was sent many times and never answered: an operator has to look at the provider."""
    assert subscription.order is not None
    details = {"order": subscription.order.kind.value}
    return Transition(subscription=subscription, event=ORDER_OVERDUE, actor=WORKFLOW, details=details)


def decline_order(subscription: Subscription, *, why: str, at: datetime) -> Transition:
    """Drop an order that the provider refused: the earlier terms continue, and a new subscription has never begun."""
    order = subscription.order
    assert order is not None
    if order.kind in CREATING:
        return end_subscription(subscription, why=why, actor=WORKFLOW, at=at)
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
    # What declines the order of a caller is the answer to it, and an undo is nobody's.
    event = UNDO_DECLINED if is_undo else "order_declined"
    return Transition(subscription=after, event=event, actor=WORKFLOW, details=details)


def end_subscription(subscription: Subscription, *, why: str, actor: str, at: datetime) -> Transition:
    """End the subscription: the organization has the free plan from now on."""
    after = replace(
        subscription, status=S.ENDED, ended_at=at, ended_why=why, change=None, order=None, cancel_at_period_end=False
    )
    return Transition(subscription=after, event="ended", actor=actor, details={"why": why})


def refuse_trial(subscription: Subscription, *, why: str) -> Transition:
    """End a trial that began on a page, where its card was entered: nothing is given for it."""
    order = SubscriptionOrder(kind=OrderKind.CANCEL, command_id=f"trial:{why}", unknown=subscription.ref is None)
    after = replace(subscription, order=order, ended_why=why)
    return Transition(subscription=after, event="trial_refused", actor=WORKFLOW, details={"why": why})


def is_long_overdue(subscription: Subscription, at: datetime) -> bool:
    """Return whether an invoice on net terms is overdue for so long that the subscription is to be ended."""
    is_over = subscription.status is S.ENDED or subscription.order is not None
    return not is_over and any(at >= each.due_at + NET_GRACE for each in subscription.requests)


def end_unpaid(subscription: Subscription) -> Transition:
    """End an unpaid subscription on net terms; its invoices stay due."""
    order = SubscriptionOrder(kind=OrderKind.CANCEL, command_id=f"not_paid:{subscription.requests[0].bill_ref}")
    after = replace(subscription, order=order, ended_why="not_paid")
    return Transition(
        subscription=after, event="not_paid", actor=WORKFLOW, details={"bill": subscription.requests[0].bill_ref}
    )


def record_trial_reminder(subscription: Subscription) -> Transition:
    """Record that the mail about the end of the trial is sent, so that it is sent once."""
    return Transition(subscription=replace(subscription, trial_reminder_sent=True), event="trial_ends", actor=WORKFLOW)


def _has_downgrade_begun(subscription: Subscription, seen: SubscriptionSnapshot) -> bool:
    """Return whether the period of a downgrade has begun at the provider; one that has no bill yet may be of either."""
    change = pending_downgrade(subscription)
    if change is None or seen.period.start < change.acts_at:
        return False
    bills = [bill for bill in seen.bills if bill.period is not None and bill.period.start >= change.acts_at]
    return not bills or downgrade_begun_by(subscription, bills[-1]) is not None
