"""Where what was taken back of a sale had been earned. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class ReversalPart:
    """A part of a reversal, in minor units, and when it was earned; None if no earnings are left for it.

    `goods` is what it was of the goods that were earned, such as credits, in their minor units.
    """

    amount_minor: int
    earned_at: datetime | None
    goods: Fraction


def divide_reversals(moves: Sequence[tuple[datetime, int, int]]) -> list[list[ReversalPart]]:
    """Divide the reversals of a sale over its earnings, the youngest first.

    Nothing that the sale brought is taken back for more than it was, so parts of what was earned at a time add up to
    that at most.

    Args:
        moves: all earnings with one reference and, below zero, all that was taken back of them, in their order: the
            time, the worth, and the goods.

    Returns:
        The parts of each move; none of what was earned.
    """
    left = list[ReversalPart]()
    found = list[list[ReversalPart]]()
    for at, minor, goods in moves:
        if minor > 0:
            left.append(ReversalPart(minor, at, Fraction(goods)))
        parts, missing = list[ReversalPart](), -minor
        while missing > 0:
            last = left.pop() if left else ReversalPart(missing, None, Fraction(goods * missing, minor))
            taken = min(missing, last.amount_minor)
            gone = last.goods * taken / last.amount_minor
            parts.append(ReversalPart(taken, last.earned_at, gone))
            missing -= taken
            if taken < last.amount_minor:
                left.append(ReversalPart(last.amount_minor - taken, last.earned_at, last.goods - gone))
        found.append(parts)
    return found
