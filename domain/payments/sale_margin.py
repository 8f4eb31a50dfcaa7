"""The platform's part of each package and plan that is sold, after the provider's fee and what payees get. Pure.

Credits are worth what was paid for them: a package's its price, a plan's the part of its price that is for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from domain.billing.plan import Plans
from domain.common.credits import CreditPrice
from domain.common.money import Amounts, format_amount
from domain.payments.topup import Package

_WHOLE_BPS, _WHOLE_E6 = 10_000, 1_000_000


class CreditUse(StrEnum):
    """How all credits of a sale are spent."""

    ESCROW = "escrows"
    MARKETPLACE = "sales of agents"
    MODELS = "model calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFee:
    """The fee that a payment provider keeps of each payment.

    Attributes:
        percent: of the amount.
        fixed: for each payment.
        passed_on_below: payers of smaller top-ups pay the fixed fee as well.
    """

    percent: Decimal
    fixed: Amounts
    passed_on_below: Amounts

    def of(self, amount_minor: int, currency: str) -> int:
        """Return the fee on a payment, rounded half up as Stripe does."""
        share = (amount_minor * self.percent / 100).to_integral_value(ROUND_HALF_UP)
        return int(share) + self.fixed.minor(currency)

    def passed_on(self, price_minor: int, currency: str) -> int:
        """Return what a payer pays beyond the price of a top-up."""
        return self.fixed.minor(currency) if price_minor < self.passed_on_below.minor(currency) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditSale:
    """Credits that are sold at one price; amounts in minor units.

    Attributes:
        name: such as `package small` or `plan starter, year`.
        worth_minor: the part of the price that is for the credits.
    """

    name: str
    price_minor: int
    currency: str
    credits_minor: int
    worth_minor: int
    is_top_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeRates:
    """How the price of what is paid with credits is divided.

    Attributes:
        commission_bps, creator_bps: the platform's part of an escrow, and a creator's of a sale on the marketplace.
        markup_e6: what model calls cost beyond their cost, in 10^-6 of it.
        list_price: see `domain.credits.lots.Sharing.list_price`.
    """

    commission_bps: int
    creator_bps: int
    markup_e6: int
    list_price: CreditPrice | None = None

    def owed(self, sale: CreditSale, use: CreditUse) -> int:
        """Return what payees, or the providers of models, get of a sale's credits, rounded up."""
        if use is CreditUse.MODELS:
            return -(-sale.worth_minor * _WHOLE_E6 // (_WHOLE_E6 + self.markup_e6))
        bps = self.creator_bps if use is CreditUse.MARKETPLACE else _WHOLE_BPS - self.commission_bps
        most = sale.worth_minor
        if self.list_price is not None and self.list_price.currency == sale.currency and sale.credits_minor:
            most = max(most, self.list_price.of(sale.credits_minor))
        return min(sale.worth_minor, -(-most * bps // _WHOLE_BPS))


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleMargin:
    """A sale, the provider's fee on it, and for each use of its credits what is owed and what is left."""

    sale: CreditSale
    fee_minor: int
    owed: Mapping[CreditUse, int]
    left: Mapping[CreditUse, int]

    @property
    def loss(self) -> str:
        """The loss by each use, in words; empty where there is none."""
        currency = self.sale.currency
        by = [f"{format_amount(-minor, currency)} {currency} in {use}" for use, minor in self.left.items() if minor < 0]
        return f"{self.sale.name} loses {' and '.join(by)}" if by else ""


def margin(sale: CreditSale, fee: ProviderFee, parts: PayeeRates) -> SaleMargin:
    """Return what is left of a sale, below zero where it loses."""
    paid = sale.price_minor + (fee.passed_on(sale.price_minor, sale.currency) if sale.is_top_up else 0)
    fee_minor = fee.of(paid, sale.currency)
    owed = {use: parts.owed(sale, use) for use in CreditUse}
    left = {use: paid - minor - fee_minor for use, minor in owed.items()}
    return SaleMargin(sale=sale, fee_minor=fee_minor, owed=owed, left=left)


def sales_of(packages: Sequence[Package], plans: Plans) -> Iterator[CreditSale]:
    """Yield each package and each price of a plan."""
    for package in packages:
        yield CreditSale(
            name=f"package {package.name}",
            price_minor=package.price_minor,
            currency=package.currency,
            credits_minor=package.credits_minor,
            worth_minor=package.price_minor,
            is_top_up=True,
        )
    for plan in plans.all:
        for price in plan.prices:
            yield CreditSale(
                name=f"plan {plan.name}, {price.interval.value}",
                price_minor=price.amount_minor,
                currency=price.currency,
                credits_minor=plan.credits_minor * price.interval.months,
                worth_minor=plan.for_credits_minor(price),
            )
