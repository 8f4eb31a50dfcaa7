"""Converts an organization's own expectations: a credit counts what was paid for the lots that are taken next."""

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

#: Decimals of the price of a credit, which counts as it is shown.
_PLACES = 12


class OwnRates(Rates):
    """The rates into one currency for an organization's own expectations.

    One price of a credit holds for all amounts, so they compare. What no lot covers counts as `lot_price` says: credits
    at the list price, for which the next ones are bought, and costs at the value of granted credits, at which they are
    owed. Without an exchange rate for lots it is the list price.
    """

    def __init__(self, session: AsyncSession, currency: str, org_id: str, *, granted_minor: int | None = None) -> None:
        """Take whose lots count, and how much of a month's costs granted ones pay; None: no costs."""
        super().__init__(session, currency)
        self._org_id, self._granted_minor = org_id, granted_minor

    async def take(self, asset: str, minor: Fraction | int, at: datetime) -> None:
        """Price a credit at the lots that an amount would take, unless that is known or no credits are converted.

        With an amount in the currency itself, the price is that of the credits that would pay it.
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
        """Convert at a price of a credit, as `priced_at` has it."""
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
        """The price of one credit at which amounts were converted; None where no credits were."""
        for (asset, _), rate in sorted(self._rates.items()):
            if CREDIT in {asset, self.currency}:
                money, price = (asset, 1 / rate) if self.currency == CREDIT else (self.currency, rate)
                return {"amount": _text(_whole(price, money), money), "currency": money}
        return None


def price_shown(found: LotPrice) -> dict[str, str] | None:
    """Return the price of one credit of the lots that pay an amount, as `priced_at`; None if none are taken.

    A cost takes whole minor units of credits. Of the prices that take as many, it is the one with the fewest decimals.
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
