"""Amounts of usage: read exactly or refused, rounded once, and charged rounded up."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given, strategies as st

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.usage.amounts import (
    format_pico,
    from_scaled,
    parse_price,
    to_credits,
    to_minor,
    to_pico,
    to_scaled,
    without_trailing_zeros,
)
from tests.support.cases import for_each

DECIMALS = st.decimals(min_value=0, max_value=10**12, places=24, allow_nan=False)


@pytest.mark.parametrize(
    ("given_price", "exact"),
    [
        ("0.0000025", "0.0000025"),
        (Decimal("2.5E-7"), "0.00000025"),
        ("1.2500", "1.25"),
        (3, "3"),
        ("0", "0"),
        (Decimal("0.000005714000000000001"), "0.000005714000000000001"),
    ],
)
def test_price_keeps_its_written_form(given_price, exact):
    assert f"{parse_price(given_price):f}" == exact


@for_each("wrong", [0.1, True, None, "-1", "1e", "", " 1", "1,5", "NaN", "Infinity", "1e-25", "2e12", []])
def test_inexact_price_is_refused(wrong):
    with pytest.raises(Invalid):
        parse_price(wrong)


@given(DECIMALS)
def test_scaling_is_exact_whatever_the_context(number):
    with localcontext() as context:
        context.prec = 5
        whole = to_scaled(number)
        assert from_scaled(whole) == without_trailing_zeros(number)
    assert whole == int(f"{number:.27f}".replace(".", ""))


def test_scaling_refuses_rounding():
    with pytest.raises(ValueError, match="decimals"):
        to_scaled(Decimal("0.0015"), 3)


@pytest.mark.parametrize(
    ("yocto_tenths", "pico"),
    [("0.0000000000005", 0), ("0.0000000000015", 2), ("0.0000000000025", 2), ("0.00000000000250001", 3)],
)
def test_half_a_pico_rounds_to_even(yocto_tenths, pico):
    assert to_pico(to_scaled(Decimal(yocto_tenths)), 27) == pico


@pytest.mark.parametrize(
    ("pico", "written"),
    [(0, "0"), (1, "0.000000000001"), (1_234_000, "0.000001234"), (2 * 10**12, "2"), (-5, "-0.000000000005")],
)
def test_pico_are_written_plainly(pico, written):
    assert format_pico(pico) == written


@pytest.mark.parametrize(
    ("pico", "asset", "minor"),
    [(0, "USD", 0), (1, "USD", 1), (10**10, "USD", 1), (10**10 + 1, "USD", 2), (10**12, "JPY", 1), (10**6, "USDC", 1)],
)
def test_charge_is_rounded_up_to_the_minor_unit(pico, asset, minor):
    assert to_minor(pico, asset) == minor


@pytest.mark.parametrize(
    ("pico", "price", "credits_minor"),
    [
        (10**11, "0.10", 1_000_000),  # ten cents are one credit
        (10**5, "0.10", 1),  # a tenth of a millionth of a dollar is one micro-credit
        (10**5 + 1, "0.10", 2),
        (0, "0.10", 0),
        (10**12, "3", 333_334),
        (7_500_000_000, "0.015", 500_000),
    ],
)
def test_credits_for_usage_are_rounded_up_to_the_micro_credit(pico, price, credits_minor):
    assert to_credits(pico, CreditPrice(price=Decimal(price), currency="USD")) == credits_minor
