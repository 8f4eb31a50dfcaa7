"""The charge of an event: a cost in money, paid by credits at their purchase price, and prices in credits."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from domain.common.credits import CreditPrice
from domain.usage.charge import CostRules, EventCharge, MeteredPart, WaitReason, charge_of
from domain.usage.charge_model import PerUnit

RULES = CostRules(granted=CreditPrice(price=Decimal("0.01"), currency="USD"))
CREDIT, PICO = 10**6, 10**12
OWN = MeteredPart(quantity=Decimal(1), before=Decimal(0), charge=None, currency=None)


def part(unit_price: str, quantity: int, before: int = 0, currency: str = "USD") -> MeteredPart:
    charge = PerUnit(unit_price=Decimal(unit_price))
    return MeteredPart(quantity=Decimal(quantity), before=Decimal(before), charge=charge, currency=currency)


def charged(
    *parts: MeteredPart, cost: tuple[int, str] | None = None, rules: CostRules = RULES, **rates: Fraction
) -> EventCharge:
    found = charge_of(parts, cost, rules, rates)
    assert isinstance(found, EventCharge)
    return found


def test_tiny_usage_after_a_month_of_more_than_one_price_holds_is_charged() -> None:
    assert charged(part("0.01", 3, 5 * 10**12)).pico == 3 * PICO // 100


def test_event_that_may_make_a_debt_beyond_one_charge_waits() -> None:
    assert charged(part("0.000000000001", 10**15)).most_minor == 100_000 * CREDIT
    assert charge_of([part("1", 10**7 + 1)], None, RULES) is WaitReason.AMOUNT
    assert charge_of([part("1", 10**15)], None, RULES) is WaitReason.AMOUNT


def test_markup_and_granted_credit_limit_apply_to_cost_and_not_to_meter_prices() -> None:
    rules = replace(RULES, markup_e6=200_000)
    both = charged(OWN, part("1", 1), part("2", 3, currency="CREDIT"), cost=(100 * PICO, "USD"), rules=rules)
    assert (both.pico, both.credits_minor, both.has_own) == (121 * PICO, 6 * CREDIT, True)
    # At the granted value, as what is owed.
    assert both.most_minor == 12_106 * CREDIT
    priced = charged(part("1", 1), cost=(100 * PICO, "USD"), rules=rules)
    assert (priced.pico, priced.has_own) == (PICO, False)
    in_credits = charged(OWN, cost=(PICO, "CREDIT"), rules=rules)
    assert (in_credits.pico, in_credits.credits_minor, in_credits.has_own) == (0, CREDIT, False)


def test_prices_in_several_currencies_are_added_up_in_that_of_credits_at_their_rates() -> None:
    both = charged(part("1", 4, currency="EUR"), part("1", 2), EUR=Fraction(4, 5))
    assert both.pico == 7 * PICO
    assert charge_of([part("1", 1, currency="EUR")], None, RULES) is WaitReason.RATE


def test_credits_pay_their_purchase_price_and_granted_ones_the_granted_value() -> None:
    # A quarter of 100 credits for 29.90, 20 for 1.60 EUR, 5 of a currency without a rate, and 10 granted ones.
    lots = [
        (25 * CREDIT, Fraction(2990, 4), "USD"),
        (20 * CREDIT, Fraction(160), "EUR"),
        (5 * CREDIT, Fraction(9), "ISK"),
    ]
    rest = charged(part("1", 10), EUR=Fraction(4, 5)).less(60 * CREDIT, lots)
    assert rest.pico == 10 * PICO - (Fraction("7.475") + 2 + Fraction("0.15")) * PICO


@pytest.mark.parametrize(
    ("paid", "worth", "pico", "credits"),
    [
        (10, 1, 3 * PICO, 6),
        (10, Fraction(1, 3), 4 * PICO - PICO // 3, 6),
        (40, 4, 0, 6),
        (50, 5, 0, 0),
        (44, 5, 0, 0),
        (42, Fraction(21, 5), 0, 4),
        (7, 0, 4 * PICO, 6),
    ],
)
def test_payment_covers_the_cost_first_and_then_credit_prices(
    paid: int, worth: Fraction, pico: int, credits: int
) -> None:
    charge = charged(part("1", 4), part("1", 6, currency="CREDIT"))
    rest = charge.less(paid * CREDIT, [(paid * CREDIT, Fraction(worth) * 100, "USD")])
    assert (rest.pico, rest.credits_minor) == (pico, credits * CREDIT)
    assert rest.most_minor == -(-100 * pico * CREDIT // PICO) + credits * CREDIT
