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
    """Credits of one price: a lot that may pay an invoice, or the part of a lot that an invoice has taken.

    Attributes:
        id: of the lot.
        free_minor: the credits that can be taken.
        amount_minor: all of its credits, of which `gone_minor` are used.
        paid_minor: the price of all of them, of which `costed_minor` is used.
        rate: the exchange rate (invoice's currency, price's currency), in minor units.
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
        """Return the price paid for its next `part_minor` credits, in the invoice's currency, rounded down."""
        gone, (worth, costs) = self.gone_minor + part_minor, self.rate
        return slice_cost(self.paid_minor, self.costed_minor, self.amount_minor, gone) * worth // costs


def worth_of(lots: Sequence[PayingLot]) -> int:
    """Return the worth of the free credits of lots."""
    return sum(lot.worth(lot.free_minor) for lot in lots)


def take_lots(lots: Sequence[PayingLot], worth_minor: int) -> Slices:
    """Take lots in order until they are worth an amount; of the last one, as few credits as possible.

    A worthless rest of a lot is left. If all lots are worth less, all are taken.
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
    """Return how many of the credits that paid an invoice are returned for the share `part / of` of their worth.

    Args:
        used: the credits that the invoice has taken and not returned, in the order of return.
        part: at most `of`; equal to it returns all credits.
        of: more than zero.
    """
    if part == of:
        return sum(lot.free_minor for lot in used)
    return credits_of(take_lots(used, prorated(worth_of(used), part, of)))
