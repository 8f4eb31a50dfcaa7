"""The monthly grants of a paid year: each bill grants its credits every month, at its own cost.

The first bill buys the allowance of its plan. The bill of an upgrade buys the difference to the larger plan, for the
rest of its month and the following months.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from domain.billing.subscription.state import CreditGrant, YearBill
from domain.common.money import allocate
from domain.common.period import Period

MONTHS = 12


def year_bill(bill_ref: str, paid_minor: int, *, at_once_minor: int, monthly_minor: int, months: int) -> YearBill:
    """Return a paid bill's state after its immediate grant. The payment is spread over all credits of the bill.

    Args:
        bill_ref: the bill.
        paid_minor: the amount paid; zero buys nothing.
        at_once_minor: the credits granted at once.
        monthly_minor: the credits of each following month.
        months: the number of following months.
    """
    credits = at_once_minor + monthly_minor * months
    cost = paid_minor * at_once_minor // credits if credits else 0
    return YearBill(bill_ref=bill_ref, paid_minor=paid_minor, left_minor=paid_minor - cost, credits_minor=monthly_minor)


def grant_from_bills(
    bills: Iterable[YearBill], months_left: int, month: Period
) -> tuple[tuple[YearBill, ...], tuple[CreditGrant, ...]]:
    """Return the bills after the next of `months_left` months, and the grants of that month."""
    after, grants = list[YearBill](), list[CreditGrant]()
    for bill in bills:
        if not bill.credits_minor or not bill.paid_minor:
            after.append(bill)
            continue
        cost = allocate(bill.left_minor, [1] * months_left)[0]
        grant = CreditGrant(
            key=f"{bill.bill_ref}:{month.start:%Y-%m-%d}",
            credits_minor=bill.credits_minor,
            bill_ref=bill.bill_ref,
            paid_minor=cost,
            paid_before_minor=bill.granted_minor,
            month=month,
        )
        grants.append(grant)
        after.append(replace(bill, left_minor=bill.left_minor - cost))
    return tuple(after), tuple(grants)


def rescale_bills(bills: Sequence[YearBill], credits_minor: int) -> tuple[YearBill, ...]:
    """Spread another monthly allowance, for which nothing was paid, over the bills in proportion to their credits."""
    if not bills:
        return ()
    had = [bill.credits_minor for bill in bills]
    parts = allocate(credits_minor, had if any(had) else [1] * len(had))
    return tuple(replace(bill, credits_minor=part) for bill, part in zip(bills, parts, strict=True))
