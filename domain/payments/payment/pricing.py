"""The charge of a payer: the price of an order, in money or in the coin that it is paid with. Pure."""

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
        amount, currency: what the request says; a purpose that knows its price may do without.
        subject: what the purpose is about: the escrow, the invoice, the number of slots; None where nothing was named.
    """

    options: Options
    amount: str | None = None
    currency: str | None = None
    subject: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What things cost here, and which coins are accepted."""

    credit: CreditPrice
    slot: SlotPrice
    coins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What is due, in minor units.

    Attributes:
        pays_in: the coin that pays for a price in money.
        worth_in: the money that an amount in coins is valued in, for what is sold for money.
    """

    amount_minor: int
    currency: str
    pays_in: str | None = None
    worth_in: str | None = None

    @property
    def exchange(self) -> tuple[str, str] | None:
        """The coin and the money whose rate is needed; None where none is."""
        if self.pays_in is not None:
            return self.pays_in, self.currency
        return None if self.worth_in is None else (self.currency, self.worth_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The charge to the payer, in minor units; for coins with the quote that the number was made with.

    `fee_minor` of the amount is the provider's fixed fee, which payers of small top-ups pay.
    """

    amount_minor: int
    currency: str
    quote: Quote | None = None
    fee_minor: int = 0

    @property
    def worth_minor(self) -> int:
        return self.amount_minor if self.quote is None else self.quote.amount_minor


def charge_for(price: Price, rate: Rate | None, *, now: datetime, valid_for: timedelta) -> Charge:
    """Return what is charged for a price.

    Args:
        price: what is due.
        rate: of `price.exchange`; None where that is None.
        now: when the quote is made.
        valid_for: for how long it holds.

    Raises:
        Invalid: the amount in coins is larger than the books hold.
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
    """Return a price in money: as it is, or to be paid in the coin that the payer chose.

    Raises:
        Invalid: credits were to pay it, or no coin was named, or one that is not accepted here.
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
    """Refuse a coin that is not accepted here."""
    if asset not in market.coins:
        raise invalid("asset", f"Payments in {asset} are not accepted here.")


def require_chargeable_coin(currency: str, options: Options, market: Market) -> None:
    """Refuse a charge in a coin that is not accepted here; what is no coin is the provider's to judge."""
    if options.provider == CRYPTO and currency in COINS:
        require_coin(currency, market)


def require_amount(order: Order) -> tuple[int, str]:
    """Return the amount that the request has to name, and its currency."""
    if order.amount is None:
        raise invalid("amount", "An amount is required for this purpose.")
    if order.currency is None:
        raise invalid("currency", "A currency is required for this purpose.")
    return parse_amount(order.amount, order.currency), order.currency
