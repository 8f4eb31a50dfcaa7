"""Bills paid out of order: given up on net terms, or paid after the bill of a newer period. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from domain.billing.subscription.downgrade import charged_minor, credits_charged, downgrade_begun_by
from domain.billing.subscription.snapshot import Bill, BillReason, BillState
from domain.billing.subscription.state import (
    WINDOW,
    LatePeriod,
    PaymentRequest,
    Subscription,
    SubscriptionStatus,
    Terms,
)

_PERIODS = frozenset({BillReason.CREATE, BillReason.CYCLE})
_UNPAID = frozenset({BillState.DRAFT, BillState.OPEN, BillState.UNCOLLECTIBLE})


def await_given_up(subscription: Subscription, given_up: Collection[PaymentRequest]) -> Subscription:
    """Await each bill on net terms whose invoice was given up, although the provider may have been paid for it.

    Such money is returned, so the period stays unpaid: the subscription becomes past due, and then ends.
    """
    if not subscription.terms.net_days or subscription.status is SubscriptionStatus.ENDED:
        return subscription
    refs, known = ({each.bill_ref for each in some} for some in (given_up, subscription.requests))
    kept = [
        each for each in subscription.requests if each.bill_ref in refs or each.bill_ref not in subscription.settled
    ]
    requests = (*kept, *(each for each in given_up if each.bill_ref not in known))[-WINDOW:]
    return subscription if requests == subscription.requests else replace(subscription, requests=requests)


def page_of(subscription: Subscription, bill_ref: str) -> str | None:
    """Return the page where a bill on net terms is paid, also after the end; None if it is unknown."""
    return next((each.pay_url for each in subscription.requests if each.bill_ref == bill_ref), None)


def record_unpaid_periods(before: Subscription, after: Subscription, bills: Iterable[Bill]) -> Subscription:
    """Record the grants of unpaid earlier periods once a newer period is paid, by the terms agreed until then.

    They are granted whenever their bill is paid. On net terms the payment request has them already.
    """
    if after.paid_through is None or after.paid_through == before.paid_through or after.terms.net_days:
        return after
    known = {each.bill_ref for each in after.late_periods}.union(after.settled)
    late = [
        _noted(before, bill)
        for bill in bills
        if bill.state in _UNPAID and bill.ref not in known and _is_before(bill, after)
    ]
    return replace(after, late_periods=(*after.late_periods, *late)[-WINDOW:]) if late else after


def late_period(subscription: Subscription, bill: Bill) -> LatePeriod | None:
    """Return the grant of a bill that is paid after a newer one; None if the terms agreed for it are unknown.

    Where none was recorded, the terms are known only if the period was billed at today's price.
    """
    noted = next((each for each in subscription.late_periods if each.bill_ref == bill.ref), None)
    if noted is not None or subscription.terms.net_days or not _is_before(bill, subscription):
        return noted
    terms = _agreed(subscription, bill)
    return _noted(subscription, bill) if charged_minor(bill, {terms.price_id}) == terms.amount_minor else None


def without_late_period(subscription: Subscription, bill_ref: str) -> Subscription:
    """Return the subscription after a bill was paid or voided."""
    left = tuple(each for each in subscription.late_periods if each.bill_ref != bill_ref)
    return subscription if left == subscription.late_periods else replace(subscription, late_periods=left)


def _is_before(bill: Bill, paid: Subscription) -> bool:
    period, until = bill.period, paid.paid_through
    return bill.reason in _PERIODS and period is not None and until is not None and period.end <= until


def _agreed(held: Subscription, bill: Bill) -> Terms:
    change = downgrade_begun_by(held, bill)
    return held.terms if change is None else change.terms


def _noted(held: Subscription, bill: Bill) -> LatePeriod:
    """Return the grant of a bill by the agreed terms; at most its part of the price, before discounts."""
    terms = _agreed(held, bill)
    whole = replace(terms, credits_minor=terms.credits_minor * terms.interval.months)
    credits = credits_charged(whole, bill)
    part = terms.for_credits_minor(bill.total_minor)
    return LatePeriod(bill_ref=bill.ref, plan=terms.plan, credits_minor=credits, for_credits_minor=part)
