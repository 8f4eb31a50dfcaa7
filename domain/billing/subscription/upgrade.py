"""The effect of a paid upgrade: the plan changes at once, and its payment is the cost of what it grants."""

from dataclasses import replace
from datetime import datetime

from domain.billing.plan import Interval
from domain.billing.subscription.proration import worth_after_discounts
from domain.billing.subscription.recurring import recurring_after_upgrade
from domain.billing.subscription.snapshot import Bill
from domain.billing.subscription.state import CreditGrant, PlanChange, Subscription, Terms
from domain.billing.subscription.year import MONTHS, grant_from_bills, rescale_bills, year_bill
from domain.common.period import Anchor, Period


def worth_of(terms: Terms, bill: Bill) -> int:
    """Return what a period that a bill has paid is worth when it is cut short."""
    return worth_after_discounts(terms.amount_minor, bill.total_minor, bill.whole_minor or terms.amount_minor)


def apply_upgrade(held: Subscription, change: PlanChange, bill: Bill) -> tuple[Subscription, tuple[CreditGrant, ...]]:
    """Return the state after an upgrade that was paid, and what it grants at once."""
    recurring = recurring_after_upgrade(held.recurring, change.terms)
    after = replace(held, terms=change.terms, change=None, recurring=recurring)
    if change.terms.interval is not held.terms.interval or held.begins_anew:
        return _begun_anew(after, change, bill)
    # The rest of the period was paid at the old price, and its difference now. What a discount took off the period's
    # bill it takes off the larger plan as well.
    worth_minor = worth_after_discounts(change.terms.amount_minor, held.worth_minor, held.terms.amount_minor)
    after = replace(after, paid_minor=held.paid_minor + max(0, bill.paid_minor), worth_minor=worth_minor)
    if after.terms.interval is Interval.YEAR:
        return _year_upgraded(held, after, change, bill)
    return after, _granted_at_once(change, bill, bill.paid_minor, after.granted_until)


def _begun_anew(held: Subscription, change: PlanChange, bill: Bill) -> tuple[Subscription, tuple[CreditGrant, ...]]:
    """Begin the period that an upgrade to a longer interval has paid, or one out of a trial."""
    anchor = Anchor(at=change.acts_at if bill.period is None else bill.period.start, zone=held.zone)
    end = anchor.after(held.terms.interval.months) if bill.period is None else bill.period.end
    paid = max(0, bill.paid_minor)
    after = replace(
        held,
        anchor=anchor,
        period=Period(start=anchor.at, end=end),
        paid_through=end,
        paid_bill=bill.ref,
        paid_minor=paid,
        worth_minor=worth_of(held.terms, bill),
        granted_until=min(anchor.after(1), end),
        months_granted=1,
        year_bills=(),
    )
    if held.terms.interval is Interval.MONTH:
        return after, _granted_at_once(change, bill, paid, after.granted_until)
    year = year_bill(
        bill.ref, paid, at_once_minor=change.credits_minor, monthly_minor=held.terms.credits_minor, months=MONTHS - 1
    )
    return replace(after, year_bills=(year,)), _granted_at_once(change, bill, year.granted_minor, after.granted_until)


def _year_upgraded(
    held: Subscription, after: Subscription, change: PlanChange, bill: Bill
) -> tuple[Subscription, tuple[CreditGrant, ...]]:
    """Have the bill of an upgrade pay for what its plan grants more in the rest of the year."""
    assert held.anchor is not None
    assert held.granted_until is not None
    bills, more = held.year_bills, after.terms.credits_minor - held.terms.credits_minor
    is_free = bill.paid_minor <= 0 and after.terms.amount_minor <= held.terms.amount_minor
    if more <= 0 or is_free:
        # It buys no credits: the earlier bills pay for what the plan grants.
        return replace(after, year_bills=rescale_bills(bills, after.terms.credits_minor)), ()
    # Months that began before it was paid were granted as the plan before grants them.
    until, late = held.anchor.month_of(change.acts_at, held.zone).end, list[Period]()
    while (late[-1].end if late else until) < held.granted_until:
        late.append(held.anchor.month_of(late[-1].end if late else until, held.zone))
    if len(late) >= held.months_granted:
        # The year that it was for is over.
        late, left, more = [], 0, 0
    else:
        left = MONTHS - held.months_granted + len(late)
    new = year_bill(
        bill.ref, max(0, bill.paid_minor), at_once_minor=change.credits_minor, monthly_minor=more, months=left
    )
    grants = _granted_at_once(change, bill, new.granted_minor, until)
    for month in late:
        (new,), granted = grant_from_bills([new], left, month)
        grants, left = (*grants, *granted), left - 1
    return replace(after, year_bills=(*bills, new)), grants


def _granted_at_once(
    change: PlanChange, bill: Bill, cost_minor: int, until: datetime | None
) -> tuple[CreditGrant, ...]:
    """Return what an upgrade grants once money was received for it, until the end of the running month."""
    if bill.paid_minor <= 0 or not change.credits_minor or until is None:
        return ()
    return (
        CreditGrant(
            key=f"{bill.ref}:upgrade",
            credits_minor=change.credits_minor,
            bill_ref=bill.ref,
            paid_minor=cost_minor,
            month=Period(start=min(change.acts_at, bill.created_at), end=until),
        ),
    )
