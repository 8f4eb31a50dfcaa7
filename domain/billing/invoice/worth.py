"""The worth of the credits that pay an invoice: what was paid for them, lot by lot. Pure.

Credits that are taxed when they are used are multi-purpose vouchers, of which the taxable amount is what was paid for
them (Directive 2006/112/EC, Art. 73a). An invoice that they pay with just that is taxed on it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from domain.billing.invoice.arithmetic import prorated
from domain.common.credits import CreditPrice
from domain.credits.lots import slice_cost

#: Amounts of lots, in minor units of credits.
Slices = tuple[tuple[UUID, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayingLot:
    """Credits of one price: a lot that may pay an invoice, or what an invoice has taken of one.

    Attributes:
        id: of the lot.
        free_minor: how many credits can be taken of it.
        amount_minor: all of its credits, of which `gone_minor` have left it.
        paid_minor: the price of all of them, of which `costed_minor` have left it.
        rate: so many minor units of the invoice's currency are worth so many of the price's currency.
    """

    id: UUID
    free_minor: int
    amount_minor: int
    gone_minor: int = 0
    paid_minor: int
    costed_minor: int = 0
    rate: tuple[int, int] = (1, 1)

    @classmethod
    def at(cls, price: CreditPrice, id: UUID, free_minor: int) -> Self:
        """Return credits that count at a price, because nothing was paid for them, or in a currency without a rate."""
        credits_minor, money_minor = price.rate()
        worth = free_minor * money_minor // credits_minor
        return cls(id=id, free_minor=free_minor, amount_minor=free_minor, paid_minor=worth)

    def worth(self, part_minor: int) -> int:
        """Return what the books say was paid for the next part of it, in the invoice's currency, rounded down."""
        gone, (worth, costs) = self.gone_minor + part_minor, self.rate
        return slice_cost(self.paid_minor, self.costed_minor, self.amount_minor, gone) * worth // costs


def worth_of(lots: Sequence[PayingLot]) -> int:
    """Return the worth of all that is free of lots."""
    return sum(lot.worth(lot.free_minor) for lot in lots)


def take_lots(lots: Sequence[PayingLot], worth_minor: int) -> Slices:
    """Take lots in their order until they are worth an amount: of the last one the fewest credits that will do.

    A rest of a lot that is worth nothing is left. If all lots are worth less, all are taken.
    """
    slices, left = list[tuple[UUID, int]](), worth_minor
    for lot in lots:
        if not left:
            break
        worth = lot.worth(lot.free_minor)
        if worth:
            part = lot.free_minor
            if worth > left:
                part = bisect_left(range(part + 1), left, lo=1, key=lot.worth)
            slices.append((lot.id, part))
            left -= min(left, worth)
    return tuple(slices)


def credits_of(slices: Slices) -> int:
    """Return the number of credits in slices, in minor units."""
    return sum(part for _, part in slices)


def to_return(used: Sequence[PayingLot], part: int, of: int) -> int:
    """Return how many of the credits that paid an invoice come back with the share `part / of` of what they paid.

    Args:
        used: what the invoice has taken of each lot and not returned, in the order in which it comes back.
        part: of `of`; all of it returns all of them.
        of: more than zero.
    """
    if part == of:
        return sum(lot.free_minor for lot in used)
    return credits_of(take_lots(used, prorated(worth_of(used), part, of)))
