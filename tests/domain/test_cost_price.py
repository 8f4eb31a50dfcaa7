"""Cost becomes credits at a price of its own, and not at one that credits are sold above."""

from decimal import Decimal

import pytest

from domain.billing.plan import DEFAULTS, plans_from
from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.payments.cost_price import CHEAPEST, cheapest, cost_price
from domain.payments.topup import Package
from domain.usage.charge import Part, credits_of
from domain.usage.charge_model import PerUnit

USUAL = CreditPrice(price=Decimal("0.10"), currency="USD")
FREE = plans_from('[{"name": "free", "projects": 1, "deploys": 1, "seats": 1}]')
CREDIT, PICO = 1_000_000, 10**12


def package(price: int, currency: str = "USD") -> Package:
    return Package(name="large", credits_minor=1_000 * CREDIT, price_minor=price, currency=currency)


def test_the_lowest_price_is_that_of_the_list_a_package_or_a_plan_in_its_currency() -> None:
    assert cheapest(USUAL, [package(20_000)], FREE) == (Decimal("0.10"), "the list price")
    assert cheapest(USUAL, [package(7_000), package(1, "EUR")], FREE) == (Decimal("0.07"), "the package large")
    # 2,990.00 for twelve times 10,000 credits.
    lowest = cheapest(USUAL, [package(7_000)], plans_from(DEFAULTS))
    assert lowest == (Decimal("0.024916666"), "the plan enterprise by the year")


@pytest.mark.parametrize(
    ("setting", "markup", "price"),
    [(CHEAPEST, "0", "0.0249"), ("0.03", "0", "0.03"), ("0.03", "0.2", "0.025"), (CHEAPEST, "2", "0.0083")],
)
def test_a_credit_pays_the_price_less_the_markup(setting: str, markup: str, price: str) -> None:
    assert cost_price(setting, markup, USUAL, Decimal("0.0249")).price == Decimal(price)


@pytest.mark.parametrize(("setting", "markup"), [("0", "0"), ("-1", "0"), ("dear", "0"), ("0.1", "x"), ("0.1", "-1")])
def test_a_price_of_nothing_is_refused(setting: str, markup: str) -> None:
    with pytest.raises(Invalid):
        cost_price(setting, markup, USUAL, Decimal("0.1"))


def test_cost_takes_credits_at_its_own_price_and_a_meters_price_at_the_list_price() -> None:
    own = CreditPrice(price=Decimal("0.0299"), currency="USD")
    costs = Part(quantity=Decimal(1), before=Decimal(0), charge=None, currency=None)
    priced = Part(quantity=Decimal(1), before=Decimal(0), charge=PerUnit(unit_price=Decimal(1)), currency="USD")
    assert credits_of([costs], (100 * PICO, "USD"), USUAL) == 1_000 * CREDIT
    # 100.00 of cost are worth 3,344.48 credits that were sold for 0.0299.
    assert credits_of([costs], (100 * PICO, "USD"), USUAL, cost_price=own) == 3_344_481_606
    assert credits_of([priced], (100 * PICO, "USD"), USUAL, cost_price=own) == 10 * CREDIT
    assert credits_of([costs, priced], (100 * PICO, "USD"), USUAL, cost_price=own) == 3_354_481_606
