"""What an event is charged in credits."""

from decimal import Decimal

from domain.common.credits import CreditPrice
from domain.usage.charge import Part, Waits, credits_of
from domain.usage.charge_model import PerUnit

PRICE = CreditPrice(price=Decimal("0.01"), currency="USD")


def part(unit_price: str, quantity: int, before: int) -> Part:
    charge = PerUnit(unit_price=Decimal(unit_price))
    return Part(quantity=Decimal(quantity), before=Decimal(before), charge=charge, currency="USD")


def test_tiny_usage_after_a_month_of_more_than_one_price_holds_is_charged() -> None:
    assert credits_of([part("0.01", 3, 5 * 10**12)], None, PRICE) == 3_000_000


def test_one_event_of_more_units_than_one_price_holds_is_charged_what_it_costs() -> None:
    assert credits_of([part("0.000000000001", 10**15, 0)], None, PRICE) == 100_000 * 1_000_000


def test_event_that_costs_more_than_one_charge_may_be_waits() -> None:
    assert credits_of([part("1", 10**15, 0)], None, PRICE) is Waits.AMOUNT
