"""Conversion of an organization's expected amounts, with credits at the purchase price of the next lots."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import CREDIT, scale_of
from domain.insight.metrics import decimal_text
from repositories.credits import lot_price
from repositories.credits.lot_price import LotPrice
from repositories.insight.rates import Rates

#: The decimals of a credit's price, which is used as shown.
_PLACES = 12


class OwnRates(Rates):
    """Rates into one currency for an organization's expected amounts.

    All amounts use one price of a credit, so that they are comparable. Beyond the lots, `lot_price` applies: credits
    count at the list price, and costs at the value of granted credits. Without an exchange rate for lots it is the list
    price.
    """

    def __init__(self, session: AsyncSession, currency: str, org_id: str, *, granted_minor: int | None = None) -> None:
        """Take the owner of the lots, and the monthly maximum of costs that granted credits pay; None: no costs."""
        super().__init__(session, currency)
        self._org_id, self._granted_minor = org_id, granted_minor

    async def take(self, asset: str, minor: Fraction | int, at: datetime) -> None:
        """Price a credit at the lots for an amount, unless it has a price or no credits are converted.

        For an amount in the currency itself, these are the lots that would pay it.
        """
        money = asset if self.currency == CREDIT else self.currency
        if money == CREDIT or asset not in {CREDIT, money} or minor <= 0 or self._known(money, at):
            return
        if asset == CREDIT:
            found = await lot_price.for_credits(self._session, self._org_id, ceil(minor), money, at=at)
        else:
            exact = Decimal(Fraction(minor).numerator) / Fraction(minor).denominator
            found = await lot_price.for_cost(
                self._session, self._org_id, exact, money, granted_minor=self._granted_minor, at=at
            )
        if found is not None and (shown := price_shown(found)) is not None and Fraction(shown["amount"]):
            self.fix(shown, at)

    def fix(self, priced_at: Mapping[str, str], at: datetime) -> None:
        """Set the price of a credit, in the form of `priced_at`."""
        money = priced_at["currency"]
        price = Fraction(priced_at["amount"]) * Fraction(10) ** (scale_of(money) - scale_of(CREDIT))
        if self.currency == CREDIT:
            self._rates[money, at] = 1 / price
        elif self.currency == money:
            self._rates[CREDIT, at] = price

    def _known(self, money: str, at: datetime) -> bool:
        return (money if self.currency == CREDIT else CREDIT, at) in self._rates

    @property
    def priced_at(self) -> dict[str, str] | None:
        """The price of a credit in conversions; None without conversions of credits."""
        for (asset, _), rate in sorted(self._rates.items()):
            if CREDIT in {asset, self.currency}:
                money, price = (asset, 1 / rate) if self.currency == CREDIT else (self.currency, rate)
                return {"amount": _text(_whole(price, money), money), "currency": money}
        return None


def price_shown(found: LotPrice) -> dict[str, str] | None:
    """Return the price of a credit in the lots that pay an amount, in the form of `priced_at`; None without lots.

    A cost takes whole minor units of credits. Of the prices with the same result, it is the one with the fewest
    decimals.
    """
    credits = found.credits_minor
    if not credits:
        return None
    lowest, above = _whole(found.price, found.asset), _whole(found.money / max(1, credits - 1), found.asset)
    fitting = (Fraction(ceil(lowest * 10**places), 10**places) for places in range(scale_of(found.asset), _PLACES))
    price = next((each for each in fitting if each < above), lowest)
    return {"amount": _text(price, found.asset), "currency": found.asset}


def _whole(price: Fraction, money: str) -> Fraction:
    """Return the price of a credit in whole units."""
    return price * Fraction(10) ** (scale_of(CREDIT) - scale_of(money))


def _text(price: Fraction, money: str) -> str:
    exact = Decimal(decimal_text(price, _PLACES))
    return f"{exact:.{max(scale_of(money), -int(exact.as_tuple().exponent))}f}"
