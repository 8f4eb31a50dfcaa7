"""The changes that follow from the provider's state. The newest state wins, whatever the order of events.

Entitlements follow received money: a paid bill above zero is settled once by its id, and its period's credits are
granted with it. At a boundary the renewal comes first, then the change that waited for it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.billing.plan import Interval
from domain.billing.subscription.commands import trial_card
from domain.billing.subscription.downgrade import credits_charged, downgrade_begun_by, pending_downgrade, short_minor
from domain.billing.subscription.grants import grant_first_month, grant_month, grants_of_period, next_month
from domain.billing.subscription.late import await_given_up, late_period, record_unpaid_periods, without_late_period
from domain.billing.subscription.recurring import with_recurring
from domain.billing.subscription.snapshot import Bill, BillReason, BillState, ProviderState, SubscriptionSnapshot
from domain.billing.subscription.state import (
    WINDOW,
    WORKFLOW,
    ChangeKind,
    CreditGrant,
    LatePeriod,
    NetTermsBill,
    OrderKind,
    PaymentRequest,
    PlanChange,
    SettledBill,
    Subscription,
    SubscriptionStatus,
    Terms,
    Transition,
)
from domain.billing.subscription.suspension import SUSPENDED
from domain.billing.subscription.unpaid import (
    begin_upgrade,
    has_upgrade_failed,
    is_undoing,
    leaves_trial,
    note_upgrade_bill,
    order_undo,
    upgrade_begun_by,
    upgrade_paid_by,
)
from domain.billing.subscription.upgrade import apply_upgrade, worth_of
from domain.common.money import CREDIT, format_amount
from domain.common.period import Anchor, Period

S, P = SubscriptionStatus, ProviderState
#: The detail of an event that has the credits which no money was received for, as text by the bill.
UNGRANTED = "ungranted"
_STATUS: Mapping[ProviderState, SubscriptionStatus] = {
    P.INCOMPLETE: S.INCOMPLETE,
    P.INCOMPLETE_EXPIRED: S.ENDED,
    P.TRIALING: S.TRIALING,
    P.ACTIVE: S.ACTIVE,
    P.PAST_DUE: S.PAST_DUE,
    P.UNPAID: S.UNPAID,
    P.PAUSED: S.UNPAID,
    P.CANCELED: S.ENDED,
}


class SubscriptionMismatch(Exception):
    """The provider's object belongs to another customer, or is not the one recorded for this subscription."""


@dataclass(frozen=True, slots=True)
class _Progress:
    """Work in progress: the subscription, and what was settled, granted and billed so far.

    `ungranted` has the credits that are left out of a bill because no money was received for it, by the bill.
    """

    subscription: Subscription
    settled: tuple[SettledBill, ...] = ()
    grants: tuple[CreditGrant, ...] = ()
    billed: tuple[NetTermsBill, ...] = ()
    ungranted: Mapping[str, int] = field(default_factory=dict)


def converge(
    subscription: Subscription, seen: SubscriptionSnapshot, at: datetime, given_up: Collection[PaymentRequest] = ()
) -> Transition | None:
    """Return the changes since the state was last converged; None if there are none.

    `given_up` are the bills whose invoices were given up: money received for them is returned, and on net terms they
    stay unpaid.

    Raises:
        OtherSubscription: the report is about another subscription.
    """
    if seen.customer != subscription.customer or (subscription.ref not in {None, seen.ref}):
        raise SubscriptionMismatch(f"{seen.ref} is not the subscription {subscription.subscription_id}")
    if subscription.status is S.ENDED and subscription.ref is None:
        return None  # ended before it was made
    returned = {each.bill_ref for each in given_up} if subscription.terms.net_days else set[str]()
    awaited = note_upgrade_bill(await_given_up(subscription, given_up), seen)
    before = replace(
        awaited,
        requests=_with_pages(awaited.requests, seen),
        ref=seen.ref,
        item_ref=seen.item_ref,
        checkout=None,
        trial_card=_card_of_trial(subscription, seen),
        pay_url=_page_to_pay(subscription, seen, returned),
    )
    step = _Progress(before)
    for bill in seen.bills:
        if bill.is_paid and bill.ref not in step.subscription.settled:
            was = step.subscription
            step = _returned(step, bill) if bill.ref in returned else _settle(step, bill)
            step = replace(step, subscription=record_unpaid_periods(was, step.subscription, seen.bills))
        elif _is_requested(step.subscription, bill):
            step = _request(step, bill, at)
        elif bill.state is BillState.VOID:
            held = without_late_period(step.subscription, bill.ref)
            step = replace(step, subscription=_without_request(held, bill.ref))
    after = with_recurring(_with_period(step.subscription, seen), seen.bills)
    after = _with_order(before, _with_status(after, seen, at))
    if has_upgrade_failed(after, seen):
        after = order_undo(after, at)
    if is_undoing(after) and after.status in {S.PAST_DUE, S.UNPAID}:
        after = replace(after, status=subscription.status)  # what failed is the upgrade, and nothing that is held
    booked = [each.bill_ref for each in step.billed] + [each.bill_ref for each in step.settled]
    if after == subscription:
        return None
    return Transition(
        subscription=after,
        event=_event(subscription, after, step),
        actor=WORKFLOW,
        settled=step.settled,
        grants=step.grants,
        plan=entitled_plan(after) if entitled_plan(after) != entitled_plan(subscription) else None,
        details={"state": seen.state.value, "bills": booked, **_next_try(after, seen), **_ungranted(step)},
        billed=step.billed,
    )


def has_unknown_card(subscription: Subscription, seen: SubscriptionSnapshot) -> bool:
    """Return whether a trial began on a page with a method that cannot be recognised again."""
    is_new = subscription.trial_days > 0 and subscription.trial_card is None and not _is_ending(subscription)
    return is_new and seen.state is P.TRIALING and seen.fingerprint is None


def entitled_plan(subscription: Subscription) -> str | None:
    """Return the plan that the subscription entitles the organization to; None for the free plan."""
    return subscription.terms.plan if subscription.is_entitled else None


# Bills ----------------------------------------------------------------------------------------------------------------


def _returned(step: _Progress, bill: Bill) -> _Progress:
    """Book money received for an invoice that was given up: it is returned, so it pays and grants nothing."""
    settled = (_settled(bill, bill.period),) if bill.paid_minor > 0 else ()
    return replace(step, subscription=_known(step.subscription, bill), settled=(*step.settled, *settled))


def _known(subscription: Subscription, bill: Bill) -> Subscription:
    return replace(subscription, settled=(*subscription.settled, bill.ref)[-WINDOW:])


def _settle(step: _Progress, bill: Bill) -> _Progress:
    change = upgrade_paid_by(step.subscription, bill)
    known = _known(step.subscription, bill)
    if bill.reason is BillReason.UPDATE and (bill.paid_minor > 0 or change is not None):
        return _settle_change(replace(step, subscription=known), bill, change)
    if bill.paid_minor <= 0:
        # Nothing was received, so nothing is granted: it is a trial's, or a discount or a credit pays for all of it.
        return _begin_unpaid(replace(step, subscription=known), bill)
    if bill.reason is BillReason.OTHER or bill.period is None:
        return replace(step, subscription=known, settled=(*step.settled, _settled(bill, bill.period)))
    step = _caught_up(replace(step, subscription=known), bill.period.start)
    late = late_period(step.subscription, bill)
    renewed = without_late_period(_renewed(step.subscription, bill, bill.period), bill.ref)
    request = next((each for each in renewed.requests if each.bill_ref == bill.ref), None)
    if request is not None:
        renewed = _without_request(renewed, bill.ref)
    if request is not None and renewed.terms.interval is Interval.MONTH:
        # It is paid late: it grants what it was invoiced with, also when a newer one is paid.
        grants = grants_of_period(bill, request.credits_minor, bill.period)
    elif late is not None:
        grants = grants_of_period(bill, late.credits_minor, bill.period)
    else:
        renewed, grants = grant_first_month(renewed, bill, bill.period, credits_charged(renewed.terms, bill))
    short = short_minor(renewed.terms, bill) if renewed.paid_bill == bill.ref and request is None else None
    settled = replace(_settled(bill, bill.period, late or renewed.terms), short_minor=short)
    return replace(step, subscription=renewed, settled=(*step.settled, settled), grants=(*step.grants, *grants))


def _begin_unpaid(step: _Progress, bill: Bill) -> _Progress:
    """Begin a period that costs nothing: a downgrade that waited for it acts."""
    change, period = downgrade_begun_by(step.subscription, bill), bill.period
    if bill.reason in {BillReason.CREATE, BillReason.CYCLE}:
        terms = step.subscription.terms if change is None else change.terms
        step = _without_credits(step, bill, terms.credits_minor)
    if change is None or period is None or bill.reason is not BillReason.CYCLE:
        return step
    step = _caught_up(step, period.start)
    worth = worth_of(change.terms, bill)
    return replace(step, subscription=replace(step.subscription, terms=change.terms, change=None, worth_minor=worth))


def _without_credits(step: _Progress, bill: Bill, credits_minor: int) -> _Progress:
    """Note the credits of a bill that has a price, for which a discount or a balance left nothing to pay."""
    if bill.whole_minor <= 0 or not credits_minor:
        return step
    return replace(step, ungranted={**step.ungranted, bill.ref: credits_minor})


def _ungranted(step: _Progress) -> Mapping[str, object]:
    """Return the credits that are left out, as a detail of the event."""
    left = {bill_ref: format_amount(credits, CREDIT) for bill_ref, credits in step.ungranted.items()}
    return {UNGRANTED: left} if left else {}


def _is_requested(subscription: Subscription, bill: Bill) -> bool:
    """Return whether payment of a period is requested on net terms, and was not invoiced yet."""
    is_new = bill.ref not in subscription.settled and all(each.bill_ref != bill.ref for each in subscription.requests)
    begins = bill.reason in {BillReason.CREATE, BillReason.CYCLE} and bill.period is not None and bill.total_minor > 0
    return subscription.terms.net_days > 0 and bill.state is BillState.OPEN and is_new and begins


def _without_request(subscription: Subscription, bill_ref: str) -> Subscription:
    left = tuple(each for each in subscription.requests if each.bill_ref != bill_ref)
    return subscription if left == subscription.requests else replace(subscription, requests=left)


def _request(step: _Progress, bill: Bill, at: datetime) -> _Progress:
    """Invoice a period that begins on net terms: a change that waited for it acts, and nothing is granted yet."""
    held, change, period = step.subscription, downgrade_begun_by(step.subscription, bill), bill.period
    assert period is not None
    if change is not None:
        held = replace(held, terms=change.terms, change=None)
    due_at = at + timedelta(days=held.terms.net_days)
    credits = credits_charged(held.terms, bill)
    request = PaymentRequest(bill_ref=bill.ref, credits_minor=credits, due_at=due_at, pay_url=bill.pay_url)
    short = short_minor(held.terms, bill)
    billed = NetTermsBill(
        bill_ref=bill.ref,
        amount_minor=bill.total_minor,
        currency=bill.currency,
        period=period,
        short_minor=short,
        for_credits_minor=held.terms.for_credits_minor(bill.total_minor),
    )
    held = replace(held, requests=(*held.requests, request)[-WINDOW:])
    return replace(step, subscription=held, billed=(*step.billed, billed))


def _next_try(after: Subscription, seen: SubscriptionSnapshot) -> Mapping[str, str]:
    """Return when the provider tries again to collect what was not paid, as a detail of the event."""
    tries = [bill.next_attempt_at for bill in seen.bills if bill.state is BillState.OPEN and bill.next_attempt_at]
    return {"next_try_at": min(tries).isoformat()} if tries and after.status is S.PAST_DUE else {}


def _page_to_pay(subscription: Subscription, seen: SubscriptionSnapshot, returned: Collection[str]) -> str | None:
    """Return the page of the newest bill that is open, and whose money is kept; otherwise the provider charges it."""
    if not subscription.terms.net_days:
        return None
    pages = (b.pay_url for b in reversed(seen.bills) if b.state is BillState.OPEN and b.ref not in returned)
    return next(pages, None)


def _with_pages(requests: tuple[PaymentRequest, ...], seen: SubscriptionSnapshot) -> tuple[PaymentRequest, ...]:
    """Follow the pages of requests, which the provider may renew. What was given up before it was known has none."""
    pages = {bill.ref: bill.pay_url for bill in seen.bills if bill.pay_url is not None}
    return tuple(
        each if each.pay_url is None else replace(each, pay_url=pages.get(each.bill_ref, each.pay_url))
        for each in requests
    )


def _caught_up(step: _Progress, until: datetime) -> _Progress:
    """Grant the months of a year that have begun by a moment and have no credits, before a change at that moment."""
    while (month := next_month(step.subscription)) is not None and month.start <= until:
        subscription, grants = grant_month(step.subscription, month)
        step = replace(step, subscription=subscription, grants=(*step.grants, *grants))
    return step


def _settle_change(step: _Progress, bill: Bill, change: PlanChange | None) -> _Progress:
    if change is None:
        return _settle_late(step, bill)
    step = _caught_up(step, change.acts_at)
    upgraded, grants = apply_upgrade(step.subscription, change, bill)
    # What an unused part has paid is no money: nothing is booked, and nothing granted for it.
    period = _paid_for(upgraded, change, bill)
    settled = (_settled(bill, period, upgraded.terms),) if bill.paid_minor > 0 else ()
    if bill.paid_minor <= 0:
        step = _without_credits(step, bill, change.credits_minor)
    return replace(step, subscription=upgraded, settled=(*step.settled, *settled), grants=(*step.grants, *grants))


def _settle_late(step: _Progress, bill: Bill) -> _Progress:
    """Book a bill of a change that has acted with a later period, and grant its part of the period before.

    Otherwise somebody changed it at the provider's own site: the money is booked, and what is held stays.
    """
    late, rest = late_period(step.subscription, bill), step.subscription.period
    if late is not None:
        rest = max((line.period for line in bill.lines if line.period), key=lambda period: period.end, default=None)
    settled = _settled(bill, rest, late)
    grants = () if late is None else grants_of_period(bill, late.credits_minor, settled.period)
    after = without_late_period(step.subscription, bill.ref)
    return replace(step, subscription=after, settled=(*step.settled, settled), grants=(*step.grants, *grants))


def _paid_for(upgraded: Subscription, change: PlanChange, bill: Bill) -> Period | None:
    period = upgraded.period
    if period is None or upgraded.paid_bill == bill.ref:
        return period
    # By the time that it is paid another period may have begun, which has a bill of its own.
    end = upgraded.paid_through or period.end
    start = min(change.acts_at, bill.created_at)
    start = max(start, period.start) if period.start < end else start
    return Period(start=start, end=end) if start < end else period


def _renewed(subscription: Subscription, bill: Bill, period: Period) -> Subscription:
    """Move on to a period that is paid; then the change that waited for it acts."""
    anchor = subscription.anchor
    if anchor is None or bill.reason is BillReason.CREATE or subscription.status is S.TRIALING:
        anchor = Anchor(at=period.start, zone=subscription.zone)
    is_newest = subscription.paid_through is None or period.end > subscription.paid_through
    if not is_newest:
        return subscription
    after = replace(
        subscription, anchor=anchor, paid_through=period.end, paid_bill=bill.ref, paid_minor=bill.paid_minor
    )
    change, upgrade = downgrade_begun_by(after, bill), upgrade_begun_by(after, bill)
    if change is not None:
        after = replace(after, terms=change.terms, change=None)
    elif upgrade is not None:
        after = begin_upgrade(after, upgrade)
    after = replace(after, worth_minor=worth_of(after.terms, bill))
    month = period
    if after.terms.interval is Interval.YEAR:
        month = Period(start=period.start, end=min(anchor.month_of(period.start, after.zone).end, period.end))
    return replace(after, year_bills=(), granted_until=month.end, months_granted=1)


def _settled(bill: Bill, period: Period | None, of: Terms | LatePeriod | None = None) -> SettledBill:
    """Return a paid bill of these terms, or of an earlier plan; of neither, none of it is for credits."""
    if period is None:
        period = Period(start=bill.created_at, end=bill.created_at + timedelta(days=1))
    for_credits, plan = 0, None
    if isinstance(of, LatePeriod):
        for_credits, plan = min(of.for_credits_minor, bill.paid_minor), of.plan
    elif of is not None:
        for_credits = of.for_credits_minor(bill.paid_minor)
    return SettledBill(
        bill_ref=bill.ref,
        amount_minor=bill.paid_minor,
        currency=bill.currency,
        period=period,
        payment_ref=bill.payment_ref,
        plan=plan,
        for_credits_minor=for_credits,
    )


# The state at the provider --------------------------------------------------------------------------------------------


def _with_period(subscription: Subscription, seen: SubscriptionSnapshot) -> Subscription:
    # What was ordered and not confirmed is not overwritten by what the provider has without it.
    cancels = seen.cancel_at_period_end if subscription.order is None else subscription.cancel_at_period_end
    trial_end = subscription.trial_end if leaves_trial(subscription) else seen.trial_end
    if seen.state is P.TRIALING and subscription.paid_through is not None:
        trial_end = None  # it waits for the end of what was paid, after an upgrade was undone
    is_on = not cancels and subscription.order is None and seen.state is not P.CANCELED
    return replace(
        subscription,
        period=seen.period,
        trial_end=trial_end,
        cancel_at_period_end=cancels,
        ends_by_suspension=subscription.ends_by_suspension and not is_on,
    )


def _card_of_trial(subscription: Subscription, seen: SubscriptionSnapshot) -> str | None:
    is_known = subscription.trial_card is not None or not subscription.trial_days or _is_ending(subscription)
    if is_known or seen.state is not P.TRIALING or seen.fingerprint is None:
        return subscription.trial_card
    return trial_card(seen.fingerprint)


def _is_ending(subscription: Subscription) -> bool:
    return subscription.order is not None and subscription.order.kind is OrderKind.CANCEL


def _with_order(before: Subscription, after: Subscription) -> Subscription:
    """Return what is left to order at the provider once the change has taken effect.

    Nothing of an upgrade whose answer was lost, nor of one that was paid when it was to be undone. A downgrade can no
    longer be withdrawn, and the provider may have been told to: so it is told of its price again, under a key of its
    own.
    """
    order = after.order
    if order is None or after.change is not None:
        return after
    if order.kind in {OrderKind.UPGRADE, OrderKind.UNDO}:
        return replace(after, order=None)
    if order.kind is OrderKind.RESUME and pending_downgrade(before) is not None:
        return replace(after, order=replace(order, kind=OrderKind.DOWNGRADE))
    return after


def _with_status(subscription: Subscription, seen: SubscriptionSnapshot, at: datetime) -> Subscription:
    status = _STATUS[seen.state]
    is_charged = subscription.terms.amount_minor > 0 and not subscription.terms.net_days
    if status is S.TRIALING and subscription.paid_through is not None:
        status = S.ACTIVE
    if status is S.ACTIVE and subscription.paid_through is None and is_charged:
        # Active there and nothing received: nothing is given before the money is, but for what is tried until its end.
        tries = leaves_trial(subscription) and subscription.trial_end is not None and at < subscription.trial_end
        status = S.TRIALING if tries else S.INCOMPLETE
    if status is S.PAST_DUE and subscription.paid_through is None and is_charged:
        # A trial is over and its first bill is declined: nothing was ever paid, so there is nothing to keep meanwhile.
        status = S.INCOMPLETE
    if status is S.ACTIVE and any(at >= each.due_at for each in subscription.requests):
        status = S.PAST_DUE  # the provider looks at its newest request alone, which is never overdue by the month
    if status is S.TRIALING and subscription.trial_days and subscription.trial_card is None:
        status = S.INCOMPLETE  # whoever tries is known by their card
    if status is not S.ENDED:
        return replace(subscription, status=status)
    if subscription.status is S.ENDED:
        return subscription
    why = SUSPENDED if subscription.ends_by_suspension else "cancelled"
    why = subscription.ended_why or ("not_paid" if seen.state is P.INCOMPLETE_EXPIRED else why)
    return replace(
        subscription,
        status=S.ENDED,
        ended_at=seen.ended_at or at,
        ended_why=why,
        change=None,
        order=None,
        cancel_at_period_end=False,
        ends_by_suspension=False,
    )


def _event(before: Subscription, after: Subscription, step: _Progress) -> str:
    if after.status is S.ENDED and before.status is not S.ENDED:
        return "ended"
    awaited = {each.bill_ref for each in after.requests}
    if any(each.bill_ref not in awaited for each in step.settled):
        if before.change is not None and before.change.kind is ChangeKind.UPGRADE and after.change is None:
            return "upgraded"
        return "activated" if before.paid_through is None else "renewed"
    if step.billed:
        return "billed"
    if is_undoing(after) and not is_undoing(before):
        return "upgrade_failed"
    if after.status is not before.status:
        return {S.PAST_DUE: "payment_failed", S.UNPAID: "given_up", S.TRIALING: "trial_began"}.get(after.status, "seen")
    return "seen"
