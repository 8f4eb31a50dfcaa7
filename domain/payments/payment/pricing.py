"""The charge for an order: its price, in money or in the coin that pays it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.billing.project import SlotPrice
from domain.common.credits import CreditPrice
from domain.common.money import COINS, parse_amount
from domain.common.quote import Quote, Rate, currency_value, quote
from domain.payments.payment.options import CREDITS, CRYPTO, Options, invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A requested payment.

    Attributes:
        amount, currency: from the request; optional where the purpose determines its price.
        subject: the escrow, the invoice or the number of slots; None if the request names none.
    """

    options: Options
    amount: str | None = None
    currency: str | None = None
    subject: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Prices of credits and slots, and the accepted coins."""

    credit: CreditPrice
    slot: SlotPrice
    coins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Price of an order, in minor units.

    Attributes:
        pays_in: the coin that pays a price in money.
        worth_in: the currency that an amount in coins is valued in, for an entitlement that is sold for money.
    """

    amount_minor: int
    currency: str
    pays_in: str | None = None
    worth_in: str | None = None

    @property
    def exchange(self) -> tuple[str, str] | None:
        """The coin and the currency whose exchange rate is needed; None if none is."""
        if self.pays_in is not None:
            return self.pays_in, self.currency
        return None if self.worth_in is None else (self.currency, self.worth_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The amount to charge, in minor units; for coins with the quote that it was computed with.

    `fee_minor` of it is the provider's fixed fee, which payers of small top-ups pay.
    """

    amount_minor: int
    currency: str
    quote: Quote | None = None
    fee_minor: int = 0

    @property
    def worth_minor(self) -> int:
        return self.amount_minor if self.quote is None else self.quote.amount_minor


def charge_for(price: Price, rate: Rate | None, *, now: datetime, valid_for: timedelta) -> Charge:
    """Return the charge for a price.

    Args:
        price: the price of the order.
        rate: the rate of `price.exchange`; None where that is None.
        now: the time of the quote.
        valid_for: how long the quote is valid.

    Raises:
        Invalid: the amount in coins exceeds the range of the books.
    """
    if rate is None:
        return Charge(amount_minor=price.amount_minor, currency=price.currency)
    if price.pays_in is not None:
        promised = quote(price.amount_minor, rate, now=now, valid_for=valid_for)
    else:
        promised = Quote(
            amount_minor=currency_value(price.amount_minor, rate),
            currency=rate.currency,
            asset_minor=price.amount_minor,
            asset=price.currency,
            price=f"{rate.price:f}",
            source=rate.source,
            quoted_at=now,
            expires_at=now + valid_for,
        )
    return Charge(amount_minor=promised.asset_minor, currency=promised.asset, quote=promised)


def price_in_money(amount_minor: int, currency: str, options: Options, market: Market) -> Price:
    """Return a price in money, to be paid in money or in the coin that the payer chose.

    Raises:
        Invalid: it was to be paid with credits, without a named coin, or with one that is not accepted.
    """
    if options.provider == CREDITS:
        raise invalid("provider", "Credits cannot pay a price in money. Choose another provider.")
    if options.provider != CRYPTO:
        return Price(amount_minor=amount_minor, currency=currency)
    if options.asset is None:
        raise invalid("asset", "Name the coin to pay with in asset.")
    require_coin(options.asset, market)
    return Price(amount_minor=amount_minor, currency=currency, pays_in=options.asset)


def require_coin(asset: str, market: Market) -> None:
    """Refuse a coin that is not accepted."""
    if asset not in market.coins:
        raise invalid("asset", f"Payments in {asset} are not accepted here.")


def require_chargeable_coin(currency: str, options: Options, market: Market) -> None:
    """Refuse a charge in a coin that is not accepted. The provider checks all other currencies."""
    if options.provider == CRYPTO and currency in COINS:
        require_coin(currency, market)


def require_amount(order: Order) -> tuple[int, str]:
    """Return the amount and currency of the request, which has to name both."""
    if order.amount is None:
        raise invalid("amount", "An amount is required for this purpose.")
    if order.currency is None:
        raise invalid("currency", "A currency is required for this purpose.")
    return parse_amount(order.amount, order.currency), order.currency
