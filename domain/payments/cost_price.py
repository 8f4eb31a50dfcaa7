"""The price at which a cost in money becomes credits, apart from the prices at which credits are sold. Pure.

Credits are sold for less than the list price by packages and plans. A cost that becomes credits at the list price is
paid with credits that brought less than it.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Decimal

from domain.billing.plan import Plans
from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import CREDIT, scale_of
from domain.payments.topup import Package

#: The setting by which a cost becomes credits at the lowest price of a credit.
CHEAPEST = "cheapest"
_MARKUP = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
#: Decimals of a price. It is rounded down, so that credits never bring less than the cost.
_STEP = Decimal("0.000000001")


def cheapest(usual: CreditPrice, packages: Sequence[Package], plans: Plans) -> tuple[Decimal, str]:
    """Return the lowest price of a credit in the currency of the list price, and what is sold at it.

    Packages and plans in other currencies do not count, nor do discounts that a provider gives.
    """
    return min(_offers(usual, packages, plans))


def _offers(usual: CreditPrice, packages: Sequence[Package], plans: Plans) -> Iterator[tuple[Decimal, str]]:
    yield usual.price, "the list price"
    for package in packages:
        if package.currency == usual.currency:
            yield _each(package.price_minor, package.credits_minor, usual.currency), f"the package {package.name}"
    for plan in plans.all:
        for price in plan.prices:
            if price.currency == usual.currency and plan.credits_minor:
                credits = plan.credits_minor * price.interval.months
                each = _each(price.amount_minor, credits, usual.currency)
                yield each, f"the plan {plan.name} by the {price.interval.value}"


def cost_price(setting: str, markup: str, usual: CreditPrice, lowest: Decimal) -> CreditPrice:
    """Return how much cost one credit pays.

    Args:
        setting: a price, or `CHEAPEST`.
        markup: the part of the cost that is charged beyond it, such as `0.2`.
        usual: the list price, whose currency it is in.
        lowest: see `cheapest`.

    Raises:
        Invalid: it is no positive price, or no markup.
    """
    if not _MARKUP.fullmatch(markup):
        raise Invalid("The markup on cost must be a decimal number such as 0.2.")
    price = lowest if setting == CHEAPEST else _price(setting)
    paid = (price / (1 + Decimal(markup))).quantize(_STEP, ROUND_DOWN)
    if not paid:
        raise Invalid("The price at which cost becomes credits must be positive, or cheapest.")
    return CreditPrice(price=paid, currency=usual.currency)


def _price(setting: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", setting):
        raise Invalid("The price at which cost becomes credits must be a decimal number such as 0.03, or cheapest.")
    return Decimal(setting)


def _each(price_minor: int, credits_minor: int, currency: str) -> Decimal:
    whole = Decimal(price_minor).scaleb(-scale_of(currency))
    return (whole / Decimal(credits_minor).scaleb(-scale_of(CREDIT))).quantize(_STEP, ROUND_DOWN)
