"""The commands of a subscription, as pure functions from the state to an outcome or a refusal.

A change is previewed by the same function that orders it. The order of the list of plans decides which is larger.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.billing.plan import Interval, Plans
from domain.billing.subscription.downgrade import pending_downgrade
from domain.billing.subscription.orders import CREATING
from domain.billing.subscription.proration import (
    Proration,
    credits_of_new_period,
    credits_of_upgrade,
    prorate_new_period,
    prorate_within_period,
)
from domain.billing.subscription.state import (
    CHANGEABLE,
    ChangeKind,
    OrderKind,
    PlanChange,
    Subscription,
    SubscriptionOrder,
    SubscriptionStatus,
    Terms,
    Transition,
)
from domain.billing.subscription.terms import require_seats
from domain.common import errors as refusals
from domain.common.errors import Conflict, Invalid
from domain.common.period import Anchor, Period
from domain.common.text import rfc3339

S = SubscriptionStatus
#: A change costs more than was agreed to.
PRICE_CHANGED = "subscription.price_changed"
#: How much later than it was ordered a change to a longer interval may be counted from.
LATER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The effects of a change: when it takes effect, its cost now and its grant; a downgrade costs nothing now.

    `later_minor` is its cost if the provider prorates it from a moment that is `LATER`.
    """

    kind: ChangeKind
    terms: Terms
    acts_at: datetime
    proration: Proration | None = None
    credits_minor: int = 0
    later_minor: int = 0

    @property
    def due_minor(self) -> int:
        return 0 if self.proration is None else self.proration.due_minor


def require_none(held: Subscription | None) -> None:
    """Refuse a second subscription beside one that has not ended.

    Raises:
        SubscriptionRefused: `subscription.exists`.
    """
    if held is not None and held.status is not S.ENDED:
        raise refusals.SubscriptionExists(
            f"The organization has a subscription to the plan {held.terms.plan}. Change it instead.",
            extra={"plan": held.terms.plan, "state": held.status.value},
        )


def require_none_unpaid(terms: Terms, *, is_unpaid: bool) -> None:
    """Refuse net terms to an organization that did not pay on net terms before.

    Raises:
        SubscriptionRefused: `subscription.unpaid`.
    """
    if terms.net_days and is_unpaid:
        raise refusals.SubscriptionUnpaid(
            "An invoice of an earlier subscription was not paid. Pay it if it is open, or agree "
            "on terms that charge automatically."
        )


def require_contact(addresses: Sequence[str]) -> None:
    """Refuse net terms without a billing contact: the provider sends no invoice without an address.

    Raises:
        SubscriptionRefused: `subscription.contact_missing`.
    """
    if not addresses:
        raise refusals.SubscriptionContactMissing(
            "On net terms somebody has to receive invoices. Set a contact for billing first."
        )


def trial_card(fingerprint: str) -> str:
    """Return what is kept of the card of a trial: enough to know it again."""
    return hashlib.sha256(f"card:{fingerprint}".encode()).hexdigest()


def require_first_trial(org_id: str, tried_by: Collection[str]) -> None:
    """Refuse a trial to an organization that had one, or whose card had one.

    Args:
        org_id: who asks.
        tried_by: the organizations that had a trial, of this one and of all that its card has paid for.

    Raises:
        SubscriptionRefused: `subscription.trial_used`; it does not say whose trial it was.
    """
    if tried_by:
        own = org_id in tried_by
        raise refusals.SubscriptionTrialUsed(
            f"{'The organization' if own else 'This card'} has had a trial. Subscribe without one."
        )


def preview(subscription: Subscription, plans: Plans, terms: Terms, people: int, at: datetime) -> Preview:
    """Return what the change to other terms would do at a moment.

    Raises:
        SubscriptionRefused: a change is pending, the terms are those it has, seats are taken, it is not running, or the
            period that an upgrade would be counted from is not paid.
        Invalid: a shorter interval, or another currency.
    """
    held, period = subscription.terms, _running(subscription, at)
    _require_no_order(subscription)
    if subscription.change is not None:
        goes_on = "Resume to cancel it." if pending_downgrade(subscription) is not None else "Its payment is awaited."
        raise refusals.SubscriptionChangePending(
            f"A change to the plan {subscription.change.terms.plan} is pending. {goes_on}",
            extra={"plan": subscription.change.terms.plan, "acts_at": rfc3339(subscription.change.acts_at)},
        )
    is_same = (terms.plan, terms.interval, terms.seats) == (held.plan, held.interval, held.seats)
    if is_same and (not terms.is_agreed or terms.amount_minor == held.amount_minor):
        raise refusals.SubscriptionSamePlan(
            f"The organization has the plan {held.plan} by the {held.interval.value} already.", extra=_chosen(held)
        )
    require_seats(plans.get(terms.plan), terms, people)
    if terms.currency != held.currency:
        raise Invalid(f"This subscription is paid in {held.currency}.", extra={"field": "currency"})
    if terms.interval.months < held.interval.months:
        raise Invalid(
            "A year cannot be changed to months. Cancel at the end of the period, then subscribe by the month.",
            extra={"field": "interval"},
        )
    has_fewer = terms.plan == held.plan and terms.quantity < held.quantity
    is_smaller = plans.rank(terms.plan) < plans.rank(held.plan) or has_fewer
    if is_smaller and terms.interval is not held.interval:
        raise Invalid(
            "A smaller plan, or fewer seats, cannot be combined with another interval. Change these first.",
            extra={"field": "interval"},
        )
    if held.net_days and terms.interval is not held.interval:
        raise Invalid(
            "The interval of a subscription on net terms cannot be changed. Cancel at the end of the period instead.",
            extra={"field": "interval"},
        )
    # Nothing is paid back: what costs less, and another price of the same plan, begins with the next period. So does
    # everything on net terms, because a part of a period would have a request of its own.
    if (
        held.net_days
        or is_smaller
        or is_same
        or (terms.interval is held.interval and terms.amount_minor < held.amount_minor)
    ):
        return Preview(kind=ChangeKind.DOWNGRADE, terms=terms, acts_at=period.end)
    if subscription.paid_through is not None and subscription.paid_through < period.end:
        # The renewal comes first: its credits are those of the plan before, and so is what is left of them.
        raise refusals.SubscriptionRefused(
            "The period that has begun is not paid yet. Try again when it is.",
            extra={"state": subscription.status.value, "began_at": rfc3339(period.start)},
        )
    return _upgrade(subscription, period, terms, at)


def order_change(
    subscription: Subscription, ordered: Preview, command_id: str, *, actor: str, most_minor: int | None = None
) -> Transition:
    """Record an ordered change, before the provider is asked for it.

    Args:
        subscription: the present state.
        ordered: its preview at this moment.
        command_id: what identifies the proration; never the time.
        actor: who orders it.
        most_minor: the most that the caller agreed to pay now. The provider bills it, with discounts that only it
            knows, so it is what is held to that.
    """
    agreed_minor = ordered.due_minor if most_minor is None else most_minor
    change = PlanChange(
        kind=ordered.kind,
        terms=ordered.terms,
        command_id=command_id,
        acts_at=ordered.acts_at,
        credits_minor=ordered.credits_minor,
        most_minor=agreed_minor + max(0, ordered.later_minor - ordered.due_minor),
    )
    return Transition(
        subscription=replace(
            subscription,
            change=change,
            order=SubscriptionOrder(kind=OrderKind(ordered.kind.value), command_id=command_id),
        ),
        event=f"{ordered.kind.value}_ordered",
        actor=actor,
        details=_chosen(ordered.terms),
    )


def order_cancel(subscription: Subscription, command_id: str, *, at_period_end: bool, actor: str) -> Transition:
    """End a subscription now, or when its period ends; nothing is refunded by that.

    One without an id of the provider may exist there all the same: the run that created it may have been lost, with the
    answer. So it is looked up, and ended there too.

    Raises:
        SubscriptionRefused: it has ended, or is already cancelled in this way.
    """
    if subscription.status is S.ENDED:
        raise _wrong(subscription, "This subscription has ended, so it cannot be cancelled.")
    if subscription.ref is None and (subscription.order is None or subscription.order.kind in CREATING):
        sought = SubscriptionOrder(kind=OrderKind.CANCEL, command_id=command_id, unknown=True)
        return Transition(subscription=replace(subscription, order=sought), event="cancellation_ordered", actor=actor)
    _require_no_order(subscription)
    if not at_period_end or subscription.period is None or subscription.status not in CHANGEABLE | {S.PAST_DUE}:
        order = SubscriptionOrder(kind=OrderKind.CANCEL, command_id=command_id)
        after = replace(subscription, order=order, ends_by_suspension=False)
        return Transition(subscription=after, event="cancellation_ordered", actor=actor)
    if subscription.cancel_at_period_end and not subscription.ends_by_suspension:
        raise _wrong(subscription, "This subscription is already cancelled to the end of its period.")
    order = SubscriptionOrder(kind=OrderKind.CANCEL_AT_END, command_id=command_id)
    after = replace(subscription, cancel_at_period_end=True, ends_by_suspension=False, order=order)
    return Transition(subscription=after, event="cancellation_ordered", actor=actor, details={"at": "period_end"})


def order_resume(subscription: Subscription, command_id: str, *, actor: str, at: datetime) -> Transition:
    """Withdraw the cancellation that was to take effect at the end of the period; without one, the downgrade.

    A downgrade beside a cancellation was ordered after it, and stays: otherwise the larger plan would be billed.

    Raises:
        SubscriptionRefused: there is none, or the period is over.
    """
    _running(subscription, at)
    _require_no_order(subscription)
    if not subscription.cancel_at_period_end and pending_downgrade(subscription) is None:
        raise _wrong(subscription, "Nothing is due to change when this period ends, so there is nothing to resume.")
    stays = pending_downgrade(subscription) if subscription.cancel_at_period_end else None
    # The provider has the downgrade's price until it confirms, so the downgrade waits until then.
    order = SubscriptionOrder(kind=OrderKind.RESUME if stays is None else OrderKind.GO_ON, command_id=command_id)
    after = replace(subscription, cancel_at_period_end=False, order=order)
    details = {} if stays is None else {"stays": stays.terms.plan}
    return Transition(subscription=after, event="resumed", actor=actor, details=details)


# The provider's answers to what was ordered ---------------------------------------------------------------------------


def order_creation(subscription: Subscription, command_id: str, *, actor: str) -> Transition:
    """Return the first event: the agreed terms, before the provider is asked for it."""
    kind = OrderKind.CREATE if subscription.return_url is None else OrderKind.CHECK_OUT
    order = SubscriptionOrder(kind=kind, command_id=command_id)
    details = _chosen(subscription.terms)
    return Transition(subscription=replace(subscription, order=order), event="ordered", actor=actor, details=details)


def _chosen(terms: Terms) -> dict[str, object]:
    """Return the content of an order, as its event records it."""
    chosen: dict[str, object] = {"plan": terms.plan, "interval": terms.interval.value}
    return chosen if terms.seats is None else {**chosen, "seats": terms.seats}


def record_refusal(subscription: Subscription, *, actor: str, details: Mapping[str, object]) -> Transition:
    """Record the refusal of a signal in the timeline."""
    return Transition(subscription=subscription, event="command_refused", actor=actor, details=details)


def _upgrade(subscription: Subscription, period: Period, terms: Terms, at: datetime) -> Preview:
    held, anchor = subscription.terms, subscription.anchor
    # Nothing is paid yet in a trial, so months are counted from nowhere, and none has credits.
    month = period if held.interval is Interval.MONTH or anchor is None else anchor.month_of(at, subscription.zone)
    (left, _), (left_of_month, _) = period.seconds_left(at), month.seconds_left(at)
    # Whoever tries has paid nothing, and has nothing left.
    is_paid = subscription.status is S.ACTIVE and subscription.paid_bill is not None
    old_minor, old_credits = (subscription.worth_minor, held.credits_minor) if is_paid else (0, 0)
    if terms.interval is held.interval and is_paid and not subscription.begins_anew:
        proration = later = prorate_within_period(held.amount_minor, terms.amount_minor, left, period)
        credits = credits_of_upgrade(old_credits, terms.credits_minor, left_of_month, month)
    else:
        begins = Period(start=at, end=Anchor(at=at, zone=subscription.zone).after(terms.interval.months))
        left_later, _ = period.seconds_left(at + LATER)
        proration, later = (
            prorate_new_period(old_minor, terms.amount_minor, each, period, begins) for each in (left, left_later)
        )
        credits = credits_of_new_period(old_credits, terms.credits_minor, left_of_month, month)
    return Preview(
        kind=ChangeKind.UPGRADE,
        terms=terms,
        acts_at=at,
        proration=proration,
        credits_minor=credits,
        later_minor=later.due_minor,
    )


def _running(subscription: Subscription, at: datetime) -> Period:
    period = subscription.period
    if subscription.status not in CHANGEABLE:
        state = subscription.status.value.replace("_", " ")
        raise _wrong(subscription, f"This subscription is {state}. It cannot be changed or resumed now.")
    if period is None or at not in period:
        raise _wrong(subscription, "The current period of this subscription is not known yet. Try again shortly.")
    return period


def _require_no_order(subscription: Subscription) -> None:
    if subscription.order is not None:
        raise refusals.SubscriptionChangePending(
            "The provider has not confirmed the last change yet. Try again shortly.",
            extra={"order": subscription.order.kind.value},
        )


def _wrong(subscription: Subscription, detail: str) -> Conflict:
    return refusals.SubscriptionRefused(detail, extra={"state": subscription.status.value})
