"""The lowest price of a credit, and the value of granted ones."""

from decimal import Decimal

import pytest

from domain.billing.plan import DEFAULT_PLANS, plans_from
from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.payments.cost_price import CHEAPEST, check_share, granted_value, lowest_price
from domain.payments.topup import Package

USUAL = CreditPrice(price=Decimal("0.10"), currency="USD")
FREE = plans_from('[{"name": "free", "projects": 1, "deploys": 1, "seats": 1}]')
CREDIT = 1_000_000


def package(price: int, currency: str = "USD") -> Package:
    return Package(name="large", credits_minor=1_000 * CREDIT, price_minor=price, currency=currency)


def test_the_lowest_price_is_that_of_the_list_a_package_or_a_plan_in_its_currency() -> None:
    assert lowest_price(USUAL, [package(20_000)], FREE) == (Decimal("0.10"), "the list price")
    assert lowest_price(USUAL, [package(7_000), package(1, "EUR")], FREE) == (Decimal("0.07"), "the package large")
    # 2,392.00 of 2,990.00 for twelve times 10,000 credits.
    lowest = lowest_price(USUAL, [package(7_000)], plans_from(DEFAULT_PLANS))
    assert lowest == (Decimal("0.019933333"), "the plan enterprise by the year")


@pytest.mark.parametrize(("setting", "value"), [(CHEAPEST, "0.0249"), ("0.03", "0.03")])
def test_granted_credit_is_worth_the_lowest_price_or_a_stated_one(setting: str, value: str) -> None:
    assert granted_value(setting, USUAL, Decimal("0.0249")).price == Decimal(value)


@pytest.mark.parametrize("setting", ["0", "-1", "dear"])
def test_granted_credit_that_is_worth_nothing_is_refused(setting: str) -> None:
    with pytest.raises(Invalid):
        granted_value(setting, USUAL, Decimal("0.1"))


@pytest.mark.parametrize("share", ["x", "-1", "1e3"])
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(Invalid, match="The markup must be a decimal number"):
        check_share(share, "The markup")
