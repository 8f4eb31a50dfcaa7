"""The amounts of an invoice, in integers of minor units.

A line's net amount is rounded once and the lines add up; tax is rounded once per rate on the sum of its lines, half up
(EN 16931, BR-CO-17). Discounts, granted credits and credits that were taxed when they were sold are deducted before
tax, in that order, granted ones from no line of cost; other purchased credits are a payment after it (BT-113). If
prices include the tax, it is computed from each rate's sum, and the net is allocated over its lines; the tax is then
within one minor unit of rate times net, as BR-CO-17 allows. The amount due is rounded down to what providers can charge
(BT-114).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.billing.invoice.lines import Discount, InvoiceLine
from domain.billing.tax.rates import WHOLE, AppliedTax
from domain.common.money import allocate


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSum:
    """The tax of one rate, and the amount that it is on."""

    tax: AppliedTax
    taxable_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDiscount:
    """A discount on the whole invoice, and the amount deducted, with tax if prices include it."""

    description: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSums:
    """The amounts of an invoice.

    Attributes:
        net_minor: of each line, after all discounts and without tax.
        taxes: one for each rate, in the order of its first line.
        discounts: the deduction of each discount.
        granted_minor: the deduction of granted credits.
        taxed_minor: the deduction of credits that were taxed when they were sold; `taxed_price_minor` is the price of
            these credits, which has no tax and so differs where lines include it.
        prepaid_minor: the amount paid by purchased credits.
        rounded_minor: the deduction from the amount due, because no provider can charge it.
    """

    net_minor: tuple[int, ...]
    taxes: tuple[TaxSum, ...]
    discounts: tuple[AppliedDiscount, ...]
    granted_minor: int
    taxed_minor: int
    taxed_price_minor: int
    prepaid_minor: int
    rounded_minor: int = 0

    @property
    def subtotal_minor(self) -> int:
        return sum(self.net_minor)

    @property
    def tax_minor(self) -> int:
        return sum(each.tax_minor for each in self.taxes)

    @property
    def total_minor(self) -> int:
        return self.subtotal_minor + self.tax_minor

    @property
    def due_minor(self) -> int:
        return self.total_minor - self.prepaid_minor - self.rounded_minor


def sums_of(
    lines: Sequence[InvoiceLine],
    taxes: Sequence[AppliedTax],
    *,
    discounts: Sequence[Discount] = (),
    includes_tax: bool = False,
    granted_minor: int = 0,
    taxed_minor: int = 0,
    purchased_minor: int = 0,
    unit_minor: int = 1,
) -> InvoiceSums:
    """Compute the amounts of an invoice.

    Args:
        lines: checked by `check_lines`.
        taxes: of each line.
        discounts: checked by `check_discounts`; each deducts at most what the previous ones have left.
        includes_tax: whether the lines' amounts include their tax.
        granted_minor: the worth of available granted credits.
        taxed_minor: the price, without tax, of available credits that were taxed when they were sold.
        purchased_minor: the price of other available purchased credits.
        unit_minor: the amount due is a multiple of it.
    """
    amounts = [line.amount_minor for line in lines]
    taken = []
    for discount in discounts:
        off = _off(discount, sum(amounts))
        amounts = _less(amounts, off)
        taken.append(AppliedDiscount(description=discount.description, amount_minor=off))
    # Nobody paid for granted credits, so they pay nothing that the platform itself has to pay for.
    own = [0 if line.is_cost else amount for line, amount in zip(lines, amounts, strict=True)]
    granted = min(granted_minor, sum(own))
    amounts = _less(amounts, granted, own)
    taxed, price = _taxed_off(amounts, taxes, taxed_minor, includes_tax)
    nets, found = _taxed(_less(amounts, taxed), taxes, includes_tax)
    total = sum(nets) + sum(each.tax_minor for each in found)
    prepaid = min(purchased_minor, total)
    return InvoiceSums(
        net_minor=tuple(nets),
        taxes=tuple(found),
        discounts=tuple(taken),
        granted_minor=granted,
        taxed_minor=taxed,
        taxed_price_minor=price,
        prepaid_minor=prepaid,
        rounded_minor=(total - prepaid) % unit_minor,
    )


def _taxed(amounts: Sequence[int], taxes: Sequence[AppliedTax], includes_tax: bool) -> tuple[list[int], list[TaxSum]]:
    nets = list(amounts)
    found: list[TaxSum] = []
    for tax in dict.fromkeys(taxes):
        own = [number for number, each in enumerate(taxes) if each == tax]
        whole = sum(amounts[number] for number in own)
        divisor = WHOLE + tax.rate_e6 if includes_tax else WHOLE
        due = half_up(whole * tax.rate_e6, divisor)
        if includes_tax and whole:
            shares = allocate(whole - due, [amounts[number] for number in own])
            for number, share in zip(own, shares, strict=True):
                nets[number] = share
        found.append(TaxSum(tax=tax, taxable_minor=sum(nets[number] for number in own), tax_minor=due))
    return nets, found


def _taxed_off(
    amounts: Sequence[int], taxes: Sequence[AppliedTax], price_minor: int, includes_tax: bool
) -> tuple[int, int]:
    """Return the deduction of credits at a price without tax from lines, and the used part of the price, rounded up."""
    there = sum(amounts)
    if not includes_tax:
        off = min(price_minor, there)
        return off, off
    net = sum(_taxed(amounts, taxes, includes_tax)[0])
    if not net:
        return 0, 0
    off = min(there, price_minor * there // net)
    return off, min(price_minor, -(-off * net // there))


def half_up(dividend: int, divisor: int) -> int:
    """Divide integers that are not negative, and round a half up."""
    return (2 * dividend + divisor) // (2 * divisor)


def prorated(whole_minor: int, part: int, of: int) -> int:
    """Return the share `part / of` of an amount, rounded down, so that cumulative shares end at the whole."""
    return whole_minor * part // of


def discounted(amount_minor: int, discounts: Sequence[Discount]) -> int:
    """Return what discounts leave of an amount, one after the other."""
    for discount in discounts:
        amount_minor -= _off(discount, amount_minor)
    return amount_minor


def _off(discount: Discount, left_minor: int) -> int:
    if discount.amount_minor is not None:
        return min(discount.amount_minor, left_minor)
    return half_up(left_minor * (discount.share_e4 or 0), 10_000)


def _less(amounts: Sequence[int], off_minor: int, weights: Sequence[int] | None = None) -> list[int]:
    if not off_minor:
        return list(amounts)
    return [amount - off for amount, off in zip(amounts, allocate(off_minor, weights or amounts), strict=True)]
