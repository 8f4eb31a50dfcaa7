"""The tax charged with the payment of a sale of credits, agents or slots. Pure.

Credits that were taxed when they were bought are not taxed again when they are used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.billing.invoice.arithmetic import half_up
from domain.billing.tax.rates import WHOLE, AppliedTax, TaxCategory


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleTax:
    """The tax of one sale, decided when the payment was requested.

    Attributes:
        code, category, rate_e6: see `AppliedTax`.
        amount_minor: the tax in the whole amount of the payment, in its currency.
        is_proven: whether two pieces of evidence agree on the buyer's country.
        entity: the code of the legal entity that sells; None for the deployment's first one.
        party: the buyer's data that documents keep, by name.
    """

    code: str
    category: TaxCategory
    rate_e6: int
    amount_minor: int
    is_proven: bool = True
    entity: str | None = None
    party: tuple[tuple[str, str], ...] = ()

    def part_of(self, kept_minor: int, whole_minor: int) -> int:
        """Return the tax in the part of the whole amount that was received and not refunded, rounded down.

        Bookings are differences of two such values, so the taxes of all parts add up to the tax of the whole, and a
        sale that is refunded completely has no tax, regardless of rounding in between.
        """
        return self.amount_minor * max(0, kept_minor) // whole_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRules:
    """The deployment's settings for taxes on payments.

    Attributes:
        seller_country: the country of its first legal entity, ISO 3166-1.
        includes_tax: the purposes of payments that are taxed on payment, and whether their prices include the tax.
        others: the countries of its other legal entities, by code.
    """

    seller_country: str | None
    includes_tax: Mapping[str, bool]
    others: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taxation:
    """Tax of a sale before its amount is known; `entity` and `party` as in `SaleTax`."""

    tax: AppliedTax
    is_proven: bool
    includes_tax: bool
    entity: str | None = None
    party: tuple[tuple[str, str], ...] = ()

    def charged(self, price_minor: int) -> int:
        """Return the amount charged for a price."""
        return price_minor if self.includes_tax else with_tax(price_minor, self.tax)

    def net(self, price_minor: int) -> int:
        """Return a price without the tax in it."""
        return price_minor - tax_in(price_minor, self.tax) if self.includes_tax else price_minor

    def of(self, charged_minor: int) -> SaleTax:
        """Return the tax of a sale for the whole amount charged."""
        return SaleTax(
            code=self.tax.code,
            category=self.tax.category,
            rate_e6=self.tax.rate_e6,
            amount_minor=tax_in(charged_minor, self.tax),
            is_proven=self.is_proven,
            entity=self.entity,
            party=self.party,
        )


def with_tax(net_minor: int, tax: AppliedTax) -> int:
    """Return a price without tax and its tax."""
    return net_minor + half_up(net_minor * tax.rate_e6, WHOLE)


def tax_in(gross_minor: int, tax: AppliedTax) -> int:
    """Return the tax in an amount that includes it; for an amount from `with_tax`, exactly the tax that it added."""
    return half_up(gross_minor * tax.rate_e6, WHOLE + tax.rate_e6)
