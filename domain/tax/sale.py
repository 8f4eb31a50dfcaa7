"""Tax that is charged with the payment of a sale: of credits, in place of when they are used, of agents and slots.

Frozen values and integers alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.invoice.arithmetic import half_up
from domain.tax.rates import WHOLE, AppliedTax, TaxCategory


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleTax:
    """The tax of one sale, decided when it was asked for.

    Attributes:
        code, category, rate_e6: see `AppliedTax`.
        amount_minor: the tax in the whole amount of the payment, in its currency.
        is_proven: false where the country of the buyer has no two pieces of evidence.
        keeps_parties: whether the following two are known: those of who paid before they were kept are not.
        entity: the code of the legal entity that sells; None for the deployment's first one.
        party: whom it was decided for, by name of what a document keeps of a buyer.
    """

    code: str
    category: TaxCategory
    rate_e6: int
    amount_minor: int
    is_proven: bool = True
    keeps_parties: bool = False
    entity: str | None = None
    party: tuple[tuple[str, str], ...] = ()

    def part_of(self, kept_minor: int, whole_minor: int) -> int:
        """Return the tax in the part of the whole amount that was received and not refunded, rounded down.

        What is booked is the difference of two of these, so parts that add up to the whole have its tax, and a sale of
        which everything went back has none, whatever came in between.
        """
        return self.amount_minor * max(0, kept_minor) // whole_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRules:
    """How a deployment taxes what payments buy.

    Attributes:
        seller_country: where it is, ISO 3166-1.
        includes_tax: the purposes of payments that are taxed when they are paid, and whether their prices include the
            tax.
        others: where its other legal entities are, by their codes.
    """

    seller_country: str | None
    includes_tax: Mapping[str, bool]
    others: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxation:
    """The tax that a buyer is charged with a sale, before the amount is known; `entity` and `party` as in `SaleTax`."""

    tax: AppliedTax
    is_proven: bool
    includes_tax: bool
    entity: str | None = None
    party: tuple[tuple[str, str], ...] = ()

    def charged(self, price_minor: int) -> int:
        """Return what is charged for a price."""
        return price_minor if self.includes_tax else with_tax(price_minor, self.tax)

    def of(self, charged_minor: int) -> SaleTax:
        """Return the tax of a sale, of the whole amount that is charged."""
        return SaleTax(
            code=self.tax.code,
            category=self.tax.category,
            rate_e6=self.tax.rate_e6,
            amount_minor=tax_in(charged_minor, self.tax),
            is_proven=self.is_proven,
            keeps_parties=True,
            entity=self.entity,
            party=self.party,
        )


def with_tax(net_minor: int, tax: AppliedTax) -> int:
    """Return a price without tax and its tax."""
    return net_minor + half_up(net_minor * tax.rate_e6, WHOLE)


def tax_in(gross_minor: int, tax: AppliedTax) -> int:
    """Return the tax in an amount that includes it; of what `with_tax` returns, what it has added."""
    return half_up(gross_minor * tax.rate_e6, WHOLE + tax.rate_e6)
