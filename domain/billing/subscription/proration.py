"""The cost and the grant of a change in the middle of a period, in integers, each amount rounded once.

A line of money is the price times the part of the period that is left, in whole seconds, rounded half up. Credits are
rounded up to whole ones, and are never more than the allowance that they are a part of.
"""

from dataclasses import dataclass

from domain.common.money import CREDIT, scale_of
from domain.common.period import Period

_WHOLE: int = 10 ** scale_of(CREDIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proration:
    """The cost of a change now, in minor units.

    Attributes:
        unused_minor: the credit for the rest of the period at the old price.
        charge_minor: the charge at the new price, for the rest of the period or for a whole period that begins now.
        period: the period of the charge.
    """

    unused_minor: int
    charge_minor: int
    period: Period

    @property
    def due_minor(self) -> int:
        """What is to be paid now; never below zero, because nothing is paid back."""
        return max(0, self.charge_minor - self.unused_minor)


def part_of_seconds(amount_minor: int, left: int, whole: int) -> int:
    """Return the part of an amount for a part of its seconds, rounded half up."""
    if amount_minor < 0 or not 0 <= left <= whole or whole <= 0:
        raise ValueError("a part takes an amount of zero or more, and seconds of a whole that is not empty")
    return (2 * amount_minor * left + whole) // (2 * whole)


def prorate_within_period(old_minor: int, new_minor: int, left: int, period: Period) -> Proration:
    """Return what the change to another price of the same interval costs; the period stays.

    Args:
        old_minor: the price of the whole period as it was.
        new_minor: the price of a whole period now.
        left: how many seconds of the period are left.
        period: the one that holds the change.
    """
    _, whole = period.seconds_left(period.start)
    return Proration(
        unused_minor=part_of_seconds(old_minor, left, whole),
        charge_minor=part_of_seconds(new_minor, left, whole),
        period=period,
    )


def prorate_new_period(old_minor: int, new_minor: int, left: int, period: Period, begins: Period) -> Proration:
    """Return the cost of a change to a longer interval: a whole new period, less what is left of the old one."""
    _, whole = period.seconds_left(period.start)
    return Proration(unused_minor=part_of_seconds(old_minor, left, whole), charge_minor=new_minor, period=begins)


def credits_of_upgrade(old_minor: int, new_minor: int, left: int, month: Period) -> int:
    """Return the credits that an upgrade grants: the difference of allowances for the rest of the month.

    Args:
        old_minor: the allowance of a month that was granted at its start.
        new_minor: the allowance of a month on the larger plan.
        left: how many seconds of the month are left.
        month: the one that the old allowance was for.
    """
    _, whole = month.seconds_left(month.start)
    most = max(0, new_minor - old_minor)
    return whole_credits(most * left // whole, most)


def credits_of_new_period(old_minor: int, new_minor: int, left: int, month: Period) -> int:
    """Return the credits of a month that begins early: what the last one granted for its rest is taken off."""
    _, whole = month.seconds_left(month.start)
    return whole_credits(max(0, new_minor * whole - old_minor * left) // whole, new_minor)


def whole_credits(part_minor: int, most_minor: int) -> int:
    """Round a part of an allowance up to whole credits: nobody is shown, or owes, the fraction of a second.

    Args:
        part_minor: the exact part.
        most_minor: the allowance, which may have a fraction of a credit itself.
    """
    return min(most_minor, -(-part_minor // _WHOLE) * _WHOLE)


def worth_after_discounts(amount_minor: int, total_minor: int, whole_minor: int) -> int:
    """Return what was paid for a period of this price, less its part of the bill's discounts.

    Args:
        amount_minor: the price of the whole period.
        total_minor: the bill's total.
        whole_minor: the sum of its lines, before discounts.
    """
    if whole_minor <= 0 or total_minor >= whole_minor:
        return amount_minor
    return part_of_seconds(amount_minor, max(0, total_minor), whole_minor)


def refundable_minor(paid_minor: int, granted_minor: int, used_minor: int) -> int:
    """Return the refund of a period whose lot is clawed back first: used credits reduce it.

    A period without credits is refunded whole. What is used counts as its share of what was paid, rounded up, so that
    nobody gains by using before a refund.
    """
    if not 0 <= used_minor <= granted_minor:
        raise ValueError("used credits cannot exceed granted credits")
    if not granted_minor:
        return paid_minor
    return paid_minor - -(-paid_minor * used_minor // granted_minor)
