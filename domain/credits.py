"""What credits are granted for, what they cost, and the packages that they are sold in.

A credit has one price, a setting. A package has a price of its own, whatever a credit costs.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.errors import Invalid
from domain.money import CREDIT, ISSUED, MAX_AMOUNT_MINOR, SCALES, format_amount, parse_amount
from domain.payment.quote import credits_for, price_of_credits

_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
#: More would be a list that nobody chooses from.
MAX_PACKAGES = 50
_FIELDS = {"name", "credits", "price", "currency"}


class GrantSource(StrEnum):
    """Why credits are granted. An adjustment corrects, the others are paid for by the platform."""

    PROMOTION = "promotion"
    REWARD = "reward"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPrice:
    """What one credit costs, in whole units of a currency."""

    price: Decimal
    currency: str

    def of(self, credits_minor: int) -> int:
        """Return what credits cost, rounded up to the currency's minor unit.

        Raises:
            Invalid: it is more than the books hold.
        """
        cost = price_of_credits(credits_minor, credit_price=self.price, currency=self.currency)
        if cost > MAX_AMOUNT_MINOR:
            limit = format_amount(MAX_AMOUNT_MINOR, self.currency)
            raise Invalid(f"Nothing can cost more than {limit} {self.currency}.", extra={"field": "amount"})
        return cost

    def buys(self, amount_minor: int) -> int:
        """Return how many credits an amount of the currency buys, rounded down to the credit's minor unit.

        Raises:
            Invalid: it is none, or more than the books hold.
        """
        credits_minor = credits_for(amount_minor, credit_price=self.price, currency=self.currency)
        if not 0 < credits_minor <= MAX_AMOUNT_MINOR:
            raise Invalid("This amount buys no number of credits that can be held.", extra={"field": "amount"})
        return credits_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Credits that are sold together at a price of their own; amounts in minor units."""

    name: str
    credits_minor: int
    price_minor: int
    currency: str


def credit_price(price: str, currency: str) -> CreditPrice:
    """Read the price of a credit from the settings.

    Raises:
        Invalid: the price is no positive decimal number, or the currency is unknown or no money.
    """
    if not _PRICE.fullmatch(price) or not Decimal(price):
        raise Invalid("The price of a credit is a positive decimal number such as 0.10.")
    if currency not in SCALES or currency in ISSUED:
        raise Invalid("Credits are sold for a currency such as USD.")
    return CreditPrice(price=Decimal(price), currency=currency)


def packages_from(text: str) -> tuple[Package, ...]:
    """Read packages from a JSON list of `{"name", "credits", "price", "currency"}`, amounts as decimal strings.

    Raises:
        Invalid: it is not such a list, or names one package twice.
    """
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Invalid("The credit packages are a JSON list.") from None
    if not isinstance(found, list) or len(found) > MAX_PACKAGES:
        raise Invalid(f"The credit packages are a JSON list of at most {MAX_PACKAGES}.")
    packages = tuple(_package(item) for item in found)
    if len({package.name for package in packages}) < len(packages):
        raise Invalid("Two credit packages have one name.")
    return packages


def named(packages: Sequence[Package], name: str) -> Package:
    """Return a package; `Invalid` when nobody sells it."""
    for package in packages:
        if package.name == name:
            return package
    raise Invalid(f"There is no credit package {name[:40]!r}.", extra={"field": "package"})


def _package(item: object) -> Package:
    if not isinstance(item, dict) or item.keys() != _FIELDS:
        raise Invalid("A credit package has name, credits, price and currency.")
    name, currency = item["name"], item["currency"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Invalid("A credit package's name is of small letters, digits, - and _.")
    if not isinstance(currency, str) or currency in ISSUED:
        raise Invalid(f"The credit package {name} is sold for a currency such as USD.")
    return Package(
        name=name,
        credits_minor=parse_amount(item["credits"], CREDIT),
        price_minor=parse_amount(item["price"], currency),
        currency=currency,
    )
