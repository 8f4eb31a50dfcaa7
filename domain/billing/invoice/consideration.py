"""What was paid for the credits that pay an invoice, where tax is due on that and not on their value. Pure.

Credits that are taxed when they are used are multi-purpose vouchers: the taxable amount is what was paid for them
(Directive 2006/112/EC, Art. 73a). What they are worth beyond it is a discount before tax.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.billing.invoice.arithmetic import InvoiceSums, half_up
from domain.credits.lots import slice_cost

#: The discount on invoices that such credits pay.
BELOW_VALUE = "Credits bought below their value"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidLot:
    """A lot of purchased credits: `free_minor` can be taken of `remaining_minor`, and `costed_minor` of the price went.

    Attributes:
        amount_minor: of the whole lot.
        paid_minor: the price of the whole lot, in minor units of `asset`.
        rate: so many minor units of the invoice's currency are worth so many of `asset`; None where no rate is known.
    """

    free_minor: int
    amount_minor: int
    remaining_minor: int
    paid_minor: int
    costed_minor: int
    asset: str
    rate: tuple[int, int] | None = None

    def price_of(self, part_minor: int) -> int:
        """Return what leaves of the price with a part."""
        gone = self.amount_minor - self.remaining_minor + part_minor
        return slice_cost(self.paid_minor, self.costed_minor, self.amount_minor, gone)


def paid_for(lots: Sequence[PaidLot], credits_minor: int, currency: str, value_of: Callable[[int], int]) -> int:
    """Return what was paid for credits, in minor units of a currency, in the order in which lots are spent.

    What was paid in another currency is converted by the rate that is known; without one the credits count at their
    value.
    """
    paid, left = 0, credits_minor
    for lot in lots:
        part = min(lot.free_minor, left)
        if lot.asset == currency:
            paid += lot.price_of(part)
        elif lot.rate is not None:
            worth, costs = lot.rate
            paid += half_up(lot.price_of(part) * worth, costs)
        else:
            paid += value_of(part)
        left -= part
        if not left:
            break
    return paid + (value_of(left) if left else 0)


def below_value(sums: InvoiceSums, paid_minor: int, *, includes_tax: bool) -> int:
    """Return the discount before tax after which the credits pay what was paid for them, and as much is due as before.

    Args:
        sums: of the invoice, paid by the credits at their value.
        paid_minor: what was paid for them, with tax.
        includes_tax: whether the amounts of its lines include tax.
    """
    off = max(0, sums.prepaid_minor - paid_minor)
    if includes_tax or not sums.total_minor:
        return off
    return half_up(off * sums.subtotal_minor, sums.total_minor)
