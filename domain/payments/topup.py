"""The packages that credits are bought in: each has a price of its own, whatever one credit costs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal

from domain.common.errors import Invalid
from domain.common.money import CREDIT, ISSUED, MAX_AMOUNT_MINOR, parse_amount, scale_of

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
#: More would be a list that nobody chooses from.
MAX_PACKAGES = 50
_FIELDS = {"name", "credits", "price", "currency"}
#: Decimals of a price per credit. It is for comparing packages; nothing is charged by it.
_PER_CREDIT = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Credits that are sold together at a price of their own; amounts in minor units."""

    name: str
    credits_minor: int
    price_minor: int
    currency: str

    @property
    def price_per_credit(self) -> Decimal:
        """What one of its credits costs, in whole units of the currency, rounded to six decimals."""
        price = Decimal(self.price_minor).scaleb(-scale_of(self.currency))
        return (price / Decimal(self.credits_minor).scaleb(-scale_of(CREDIT))).quantize(_PER_CREDIT, ROUND_HALF_UP)


def parse_packages(text: str) -> tuple[Package, ...]:
    """Read packages from a JSON list of `{"name", "credits", "price", "currency"}`, amounts as decimal strings.

    Raises:
        Invalid: it is not such a list, or names one package twice.
    """
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Invalid("The credit packages must be a JSON list.") from None
    if not isinstance(found, list) or len(found) > MAX_PACKAGES:
        raise Invalid(f"The credit packages must be a JSON list of at most {MAX_PACKAGES}.")
    packages = tuple(_package(item) for item in found)
    if len({package.name for package in packages}) < len(packages):
        raise Invalid("Two credit packages have the same name.")
    return packages


def with_prices(packages: Sequence[Package], prices_minor: Mapping[str, int | None]) -> tuple[Package, ...]:
    """Return the packages with the prices that are set for them by name, in minor units of their currencies.

    Raises:
        Invalid: a price is set for a package that does not exist, or is not positive or too large.
    """
    given = {name: price for name, price in prices_minor.items() if price is not None}
    for name, price in given.items():
        if name not in {package.name for package in packages}:
            raise Invalid(f"A price is set for the credit package {name}, which does not exist.")
        if not 0 < price <= MAX_AMOUNT_MINOR:
            raise Invalid(f"The price of the credit package {name} must be positive, in minor units such as cents.")
    return tuple(replace(package, price_minor=given.get(package.name, package.price_minor)) for package in packages)


def find_package(packages: Sequence[Package], name: str) -> Package:
    """Return a package; `Invalid` when nobody sells it."""
    for package in packages:
        if package.name == name:
            return package
    raise Invalid(f"There is no credit package {name[:40]!r}.", extra={"field": "package"})


def _package(item: object) -> Package:
    if not isinstance(item, dict) or item.keys() != _FIELDS:
        raise Invalid("A credit package must have name, credits, price and currency.")
    name, currency = item["name"], item["currency"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Invalid("A credit package's name must consist of lower case letters, digits, - and _.")
    if not isinstance(currency, str) or currency in ISSUED:
        raise Invalid(f"The currency of the credit package {name} must be money, such as USD.")
    return Package(
        name=name,
        credits_minor=parse_amount(item["credits"], CREDIT),
        price_minor=parse_amount(item["price"], currency),
        currency=currency,
    )
