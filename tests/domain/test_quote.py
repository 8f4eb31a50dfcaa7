"""Quotes: the quoted amount is enough, and its value is never less than the credits given for it, at every price."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR, SCALES
from domain.common.quote import Rate, asset_amount, credits_for, currency_value, price_of_credits, quote

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)

prices = st.decimals(min_value="0.000001", max_value="1000000", places=6)
assets = st.sampled_from(["BTC", "ETH", "TON", "USDC"])
currencies = st.sampled_from(["USD", "EUR", "JPY", "KWD"])
amounts = st.integers(1, 10**7)


def rate(price: Decimal | str, asset: str = "BTC", currency: str = "USD") -> Rate:
    return Rate(asset=asset, currency=currency, price=Decimal(price), at=NOW, source="test")


def exact_value(asset_minor: int, of: Rate) -> Fraction:
    coins = Fraction(asset_minor, 10 ** SCALES[of.asset])
    return Fraction(coins * Fraction(of.price) * 10 ** SCALES[of.currency])


rates = st.builds(lambda price, asset, currency: rate(price, asset, currency), prices, assets, currencies)


@pytest.mark.parametrize(
    ("amount_minor", "price", "asset", "currency", "asset_minor"),
    [
        (10_000, "64000", "BTC", "USD", 156_250),
        (10_000, "3", "USDC", "USD", 33_333_334),
        (1, "100000", "BTC", "USD", 10),
        (1, "10000000", "BTC", "USD", 1),
        (500, "5.25", "TON", "USD", 952_380_953),
        (1_000, "9600000", "BTC", "JPY", 10_417),
    ],
)
def test_amounts_in_coins_are_rounded_up(amount_minor, price, asset, currency, asset_minor):
    assert asset_amount(amount_minor, rate(price, asset, currency)) == asset_minor


@given(amounts, rates)
def test_quoted_amount_is_enough_and_one_unit_less_is_not(amount_minor, of):
    try:
        asset_minor = asset_amount(amount_minor, of)
    except Invalid:
        assert exact_value(MAX_AMOUNT_MINOR, of) < amount_minor
        return
    assert exact_value(asset_minor, of) >= amount_minor
    assert exact_value(asset_minor - 1, of) < amount_minor


@given(st.integers(0, 10**15), rates)
def test_the_value_of_coins_is_rounded_down(asset_minor, of):
    value = currency_value(asset_minor, of)
    assert value <= exact_value(asset_minor, of) < value + 1


@given(st.integers(1, 10**12), prices, currencies)
def test_credits_are_never_given_for_less_than_their_price(credits_minor, price, currency):
    paid = price_of_credits(credits_minor, credit_price=price, currency=currency)
    assert Fraction(paid, 10 ** SCALES[currency]) >= Fraction(credits_minor, 10**6) * Fraction(price)
    bought = credits_for(paid, credit_price=price, currency=currency)
    assert bought >= credits_minor
    assert Fraction(bought, 10**6) * Fraction(price) <= Fraction(paid, 10 ** SCALES[currency])


def test_a_quote_holds_until_it_expires():
    made = quote(10_000, rate("64000"), now=NOW, valid_for=AN_HOUR)
    assert (made.asset_minor, made.amount_minor, made.price, made.source) == (156_250, 10_000, "64000", "test")
    assert made.is_open(NOW + AN_HOUR - timedelta(microseconds=1))
    assert not made.is_open(NOW + AN_HOUR)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity"])
def test_an_invalid_price_is_refused(price):
    with pytest.raises(Invalid):
        quote(10_000, rate(price), now=NOW, valid_for=AN_HOUR)


def test_an_amount_beyond_the_books_is_refused():
    for amount_minor, price in ((0, "1"), (-1, "1"), (10**12, "0.000001")):
        with pytest.raises(Invalid):
            asset_amount(amount_minor, rate(price))
