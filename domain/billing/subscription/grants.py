"""The credits that paid periods grant: at once with a payment, and month by month in a paid year."""

from dataclasses import replace
from datetime import datetime

from domain.billing.plan import Interval
from domain.billing.subscription.snapshot import Bill
from domain.billing.subscription.state import WORKFLOW, CreditGrant, Subscription, Transition
from domain.billing.subscription.year import MONTHS, grant_from_bills, year_bill
from domain.common.period import Period


def grant_first_month(
    subscription: Subscription, bill: Bill, period: Period, credits: int
) -> tuple[Subscription, tuple[CreditGrant, ...]]:
    """Grant what a period that was just paid grants at once: all of a month, the first month of a year."""
    if subscription.paid_bill != bill.ref:
        return subscription, ()
    if subscription.terms.interval is Interval.MONTH:
        return subscription, grants_of_period(bill, credits, period)
    assert subscription.granted_until is not None
    year = year_bill(bill.ref, bill.paid_minor, at_once_minor=0, monthly_minor=credits, months=MONTHS)
    bills, grants = grant_from_bills([year], MONTHS, Period(start=period.start, end=subscription.granted_until))
    return replace(subscription, year_bills=bills), grants


def grants_of_period(bill: Bill, credits_minor: int, period: Period) -> tuple[CreditGrant, ...]:
    """Return what a month that was paid grants; its credits cost all that was paid."""
    if not credits_minor:
        return ()
    return (
        CreditGrant(
            key=f"{bill.ref}:{period.start:%Y-%m-%d}",
            credits_minor=credits_minor,
            bill_ref=bill.ref,
            paid_minor=bill.paid_minor,
            month=period,
        ),
    )


def monthly_grant(subscription: Subscription, at: datetime) -> Transition | None:
    """Return the credits of the next month of a paid year, once that month has begun; None before.

    Months that passed without a run are granted too, one after the other.
    """
    month = due_month(subscription)
    if month is None or at < month.start or subscription.paid_bill is None:
        return None
    after, grants = grant_month(subscription, month)
    return Transition(
        subscription=after,
        event="month_granted",
        actor=WORKFLOW,
        grants=grants,
        details={"month": month.start.isoformat()},
    )


def due_month(subscription: Subscription) -> Period | None:
    """Return the next month of a paid year to grant; None if there is none left."""
    return next_month(subscription) if subscription.terms.credits_minor else None


def next_month(state: Subscription) -> Period | None:
    """Return the month of a year that is paid which follows the last one that was granted, or had nothing to grant."""
    anchor, start = state.anchor, state.granted_until
    if state.terms.interval is not Interval.YEAR or not state.is_entitled:
        return None
    if anchor is None or start is None or state.paid_through is None or start >= state.paid_through:
        return None
    if state.months_granted >= MONTHS:
        return None
    month = anchor.month_of(start, state.zone)
    return Period(start=start, end=min(month.end, state.paid_through)) if start < month.end else None


def grant_month(subscription: Subscription, month: Period) -> tuple[Subscription, tuple[CreditGrant, ...]]:
    """Grant a month of a paid year."""
    granted = subscription.months_granted
    bills, grants = grant_from_bills(subscription.year_bills, MONTHS - granted, month)
    after = replace(subscription, year_bills=bills, granted_until=month.end, months_granted=granted + 1)
    return after, grants
