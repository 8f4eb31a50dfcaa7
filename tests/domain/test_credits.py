"""Credit prices, and settings that allow no sale."""

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from domain.common.credits import credit_price
from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR, scale_of
from runtime.settings import Settings
from tests.support.cases import for_each

PRICES = st.sampled_from(["0.10", "0.000000001", "1", "0.003", "999999999", "7.77"])


@given(price=PRICES, currency=st.sampled_from(["USD", "JPY", "BHD"]), credits_minor=st.integers(1, 10**12))
def test_price_is_the_least_amount_that_covers_the_credits(price, currency, credits_minor):
    exact = Fraction(price) * credits_minor * 10 ** scale_of(currency) / 10**6
    try:
        cost = credit_price(price, currency).of(credits_minor)
    except Invalid:
        assert exact > MAX_AMOUNT_MINOR
    else:
        assert cost - 1 < exact <= cost


@given(price=PRICES, amount_minor=st.integers(1, 10**9))
def test_an_amount_never_buys_more_credits_than_it_pays_for(price, amount_minor):
    credit = credit_price(price, "USD")
    try:
        bought = credit.buys(amount_minor)
    except Invalid:
        return
    assert credit.of(bought) <= amount_minor


@for_each(
    "price, currency",
    [
        ("0", "USD"),
        ("0.00", "USD"),
        ("-1", "USD"),
        ("1e3", "USD"),
        ("NaN", "USD"),
        ("", "USD"),
        ("1", "CREDIT"),
        ("1", "SLOT"),
        ("1", "X"),
    ],
)
def test_price_that_nothing_can_be_sold_at_stops_the_process_from_starting(price, currency):
    with pytest.raises(Invalid):
        credit_price(price, currency)
    if price:
        with pytest.raises(ValueError, match=r"price of a credit|currency that credits"):
            Settings(credit_price=price, credit_currency=currency)
