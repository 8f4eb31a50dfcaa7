"""The value of granted credits where they pay a cost in money. Pure."""

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Decimal

from domain.billing.plan import Plans
from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import CREDIT, scale_of
from domain.payments.topup import Package

#: The setting by which a granted credit is worth the lowest price of a credit.
CHEAPEST = "cheapest"
_SHARE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
#: Decimals of a price. It is rounded down, so that credits never bring less than the cost.
_STEP = Decimal("0.000000001")


def lowest_price(usual: CreditPrice, packages: Sequence[Package], plans: Plans) -> tuple[Decimal, str]:
    """Return the lowest price of a credit in the currency of the list price, and what is sold at it.

    A plan sells its credits for the part of its price that is for them. Packages and plans in other currencies do not
    count, nor do discounts that a provider gives.
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
                each = _each(plan.for_credits_minor(price), credits, usual.currency)
                yield each, f"the plan {plan.name} by the {price.interval.value}"


def granted_value(setting: str, usual: CreditPrice, lowest: Decimal) -> CreditPrice:
    """Return how much of a cost one granted credit pays.

    Args:
        setting: a price, or `CHEAPEST`.
        usual: the list price, whose currency it is in.
        lowest: see `lowest_price`.

    Raises:
        Invalid: it is neither.
    """
    if setting == CHEAPEST:
        return CreditPrice(price=lowest, currency=usual.currency)
    if not _PRICE.fullmatch(setting) or not Decimal(setting):
        raise Invalid("The value of a granted credit must be a positive decimal number such as 0.03, or cheapest.")
    return CreditPrice(price=Decimal(setting), currency=usual.currency)


def check_share(share: str, what: str) -> None:
    """Refuse what is no share such as 0.2; `what` names it.

    Raises:
        Invalid: it is none.
    """
    if not _SHARE.fullmatch(share):
        raise Invalid(f"{what} must be a decimal number such as 0.2.")


def _each(price_minor: int, credits_minor: int, currency: str) -> Decimal:
    whole = Decimal(price_minor).scaleb(-scale_of(currency))
    return (whole / Decimal(credits_minor).scaleb(-scale_of(CREDIT))).quantize(_STEP, ROUND_DOWN)
