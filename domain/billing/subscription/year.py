"""What pays for the months of a year: each bill grants every month what it has bought, at its own cost.

The bill that began the year has bought the allowance of its plan. An upgrade buys what the larger plan has more: for
the rest of the month in which it acts, and for the months that follow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from domain.billing.subscription.state import CreditGrant, YearBill
from domain.common.money import allocate
from domain.common.period import Period

MONTHS = 12


def year_bill(bill_ref: str, paid_minor: int, *, at_once_minor: int, monthly_minor: int, months: int) -> YearBill:
    """Return what a paid bill pays for in the months of a year, after what it grants at once.

    All that was paid is the cost of all that the bill grants, by the part that it is of these credits.

    Args:
        bill_ref: the bill.
        paid_minor: what was paid by it; zero buys nothing.
        at_once_minor: the credits that it grants at once.
        monthly_minor: the credits that it grants in each month that follows.
        months: how many follow.
    """
    credits = at_once_minor + monthly_minor * months
    cost = paid_minor * at_once_minor // credits if credits else 0
    return YearBill(bill_ref=bill_ref, paid_minor=paid_minor, left_minor=paid_minor - cost, credits_minor=monthly_minor)


def grant_from_bills(
    bills: Iterable[YearBill], months_left: int, month: Period
) -> tuple[tuple[YearBill, ...], tuple[CreditGrant, ...]]:
    """Return the bills after the next month of so many that are left, and what each of them grants for it."""
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
    """Return the bills with another allowance, where nothing was to be paid for it: each with the part that it had."""
    if not bills:
        return ()
    had = [bill.credits_minor for bill in bills]
    parts = allocate(credits_minor, had if any(had) else [1] * len(had))
    return tuple(replace(bill, credits_minor=part) for bill, part in zip(bills, parts, strict=True))
