"""Exchange rates of spend controls, exactly and against the spender."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR
from domain.credits.spend.rate import ExchangeRate, exchange_rate, format_rate, rate_between

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def rate_of(rate: str, quote: str = "EUR", price: str = "0.10") -> tuple[ExchangeRate, CreditPrice]:
    sold_for = CreditPrice(price=Decimal(price), currency="USD")
    return exchange_rate(base="USD", quote=quote, rate=rate, price=sold_for, now=NOW), sold_for


@pytest.mark.parametrize(
    ("rate", "quote", "credits_minor", "quote_minor"),
    [("0.92", "EUR", 10**7, 92), ("150", "JPY", 10**6, 15), ("0.000010512345", "BTC", 10**11, 10_512_345)],
)
def test_worth_of_credits_is_exact(rate: str, quote: str, credits_minor: int, quote_minor: int) -> None:
    made, price = rate_of(rate, quote)
    assert Fraction(*made.of_credits(price)) == Fraction(credits_minor, quote_minor)


@given(
    rate=st.decimals("0.000000000001", "8999", places=12).filter(bool),
    price=st.decimals("0.000000001", "9", places=9).filter(bool),
    quote=st.sampled_from(["EUR", "JPY", "KWD", "BTC", "USDC"]),
    amount=st.integers(1, MAX_AMOUNT_MINOR),
)
def test_worth_of_credits_is_never_below_the_truth_and_by_one_minor_unit_at_most(
    rate: Decimal, price: Decimal, quote: str, amount: int
) -> None:
    try:
        made, sold_for = rate_of(f"{rate:f}", quote, f"{price:f}")
        credits_minor, quote_minor = made.of_credits(sold_for)
    except Invalid:
        assume(False)
    assert max(credits_minor, quote_minor) < 2**63
    scale = {"EUR": 2, "JPY": 0, "KWD": 3, "BTC": 8, "USDC": 6}[quote]
    truth = Fraction(price) * Fraction(rate) * amount * Fraction(10**scale, 10**6)
    counted = ceil(Fraction(amount * quote_minor, credits_minor))
    assert counted - truth >= 0
    assert counted - ceil(truth) <= 1
    assert counted < 2**63


@given(st.decimals("0.000000000001", "999999999", places=12).filter(bool), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_rate_is_read_back_as_it_was_set(rate: Decimal, quote: str) -> None:
    try:
        made, _ = rate_of(f"{rate:f}", quote, "0.000001")
        stored = made.in_minor()
    except Invalid:
        assume(False)
    assert Decimal(format_rate(rate_between("USD", quote, *stored))) == rate
