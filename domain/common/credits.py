"""The sources of granted credits, and the price of a credit, which is a setting."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from domain.common.errors import Invalid
from domain.common.money import CREDIT, ISSUED, MAX_AMOUNT_MINOR, SCALES, format_amount, scale_of
from domain.common.quote import credits_for, price_of_credits

_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class GrantSource(StrEnum):
    """Reason of a credit grant. An adjustment is a correction; the platform pays for the other grants.

    The signup bonus is granted once, with the organization; operators grant the others.
    """

    PROMOTION = "promotion"
    REWARD = "reward"
    ADJUSTMENT = "adjustment"
    SIGNUP = "signup"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPrice:
    """The price of one credit, in whole units of a currency."""

    price: Decimal
    currency: str

    def of(self, credits_minor: int) -> int:
        """Return the price of credits, rounded up to the currency's minor unit.

        Raises:
            Invalid: it is more than the books can hold.
        """
        cost = price_of_credits(credits_minor, credit_price=self.price, currency=self.currency)
        if cost > MAX_AMOUNT_MINOR:
            limit = format_amount(MAX_AMOUNT_MINOR, self.currency)
            raise Invalid(f"The price must not be greater than {limit} {self.currency}.", extra={"field": "amount"})
        return cost

    def rate(self) -> tuple[int, int]:
        """Return the exact price, as minor units of credits and the minor units of the currency that they cost."""
        per_minor = Fraction(self.price) * 10 ** scale_of(self.currency) / 10 ** scale_of(CREDIT)
        return per_minor.denominator, per_minor.numerator

    def buys(self, amount_minor: int) -> int:
        """Return how many credits an amount of the currency buys, rounded down to the credit's minor unit.

        Raises:
            Invalid: it buys none, or more than the books can hold.
        """
        credits_minor = credits_for(amount_minor, credit_price=self.price, currency=self.currency)
        if not 0 < credits_minor <= MAX_AMOUNT_MINOR:
            raise Invalid("The amount buys too few or too many credits.", extra={"field": "amount"})
        return credits_minor


def credit_price(price: str, currency: str) -> CreditPrice:
    """Read the price of a credit from the settings.

    Raises:
        Invalid: the price is not a positive decimal number, or the currency is unknown or not money.
    """
    if not _PRICE.fullmatch(price) or not Decimal(price):
        raise Invalid("The price of a credit must be a positive decimal number such as 0.10.")
    if currency not in SCALES or currency in ISSUED:
        raise Invalid("The currency that credits are sold for must be money, such as USD.")
    return CreditPrice(price=Decimal(price), currency=currency)
