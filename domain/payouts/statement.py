"""Attribution of reversals of a sale to the times when it was earned. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class ReversalPart:
    """Part of a reversal, in minor units, and when it was earned; None if no earnings are left for it.

    `goods` is the part in the earned asset, such as credits, in its minor units.
    """

    amount_minor: int
    earned_at: datetime | None
    goods: Fraction


def divide_reversals(moves: Sequence[tuple[datetime, int, int]]) -> list[list[ReversalPart]]:
    """Divide the reversals of a sale over its earnings, newest first.

    The parts attributed to an earning never exceed it.

    Args:
        moves: all earnings with one reference and, negative, their reversals, in order: the time, the value, and the
            amount in the earned asset.

    Returns:
        The parts of each reversal; none for earnings.
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
