"""Exchange rates of spend controls: exact, and rounded against the spender."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import assume, given, strategies as st

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR, SCALES
from domain.credits.spend.rate import (
    ExchangeRate,
    ReferenceRates,
    cross_rates,
    exchange_rate,
    format_rate,
    rate_between,
)

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
def test_credit_value_is_rounded_up_by_at_most_one_minor_unit(
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


PER_EURO = st.decimals("0.0001", "999999", places=4)
A_WEEK = timedelta(days=7)


def file_of(day: date = NOW.date(), **per_euro: Decimal) -> ReferenceRates:
    return ReferenceRates(day=day, per_euro=per_euro, source="ecb.example")


def read(file: ReferenceRates, base: str = "USD", price: str = "0.10", now: datetime = NOW) -> dict[str, ExchangeRate]:
    sold_for = CreditPrice(price=Decimal(price), currency=base)
    return {rate.quote: rate for rate in cross_rates(file, price=sold_for, now=now, max_age=A_WEEK)}


@given(
    usd=PER_EURO,
    other=PER_EURO,
    quote=st.sampled_from(["CAD", "JPY", "KWD"]),
    base=st.sampled_from(["USD", "EUR"]),
    price=st.decimals("0.0001", "9", places=4).filter(bool),
    amount=st.integers(1, MAX_AMOUNT_MINOR),
)
def test_spend_at_a_cross_rate_counts_its_worth_rounded_up_by_at_most_a_minor_unit(
    usd: Decimal, other: Decimal, quote: str, base: str, price: Decimal, amount: int
) -> None:
    found = read(file_of(USD=usd, **{quote: other}), base, f"{price:f}")
    assume(quote in found)
    rate = found[quote]
    exact = Fraction(other) / (Fraction(usd) if base == "USD" else 1)
    assert rate_between(base, quote, *rate.in_minor()) == exact
    credits_minor, quote_minor = rate.of_credits(CreditPrice(price=price, currency=base))
    truth = Fraction(price) * exact * amount * Fraction(10 ** SCALES[quote], 10**6)
    counted = ceil(Fraction(amount * quote_minor, credits_minor))
    assert counted - truth >= 0
    assert counted - ceil(truth) <= 1
    shown = Fraction(format_rate(rate.rate))
    assert 0 <= shown - exact < Fraction(1, 10**12)


def test_file_has_rates_of_the_euro_and_of_known_currencies() -> None:
    file = file_of(USD=Decimal("1.25"), CAD=Decimal("1.5"), XXX=Decimal(2), BTC=Decimal("0.00001"))
    found = read(file)
    assert {quote: rate.rate for quote, rate in found.items() if quote != "BTC"} == {
        "CAD": Fraction(6, 5),
        "EUR": Fraction(4, 5),
    }
    assert {rate.source for rate in found.values()} == {"ecb.example"}
    assert {rate.starts_at for rate in found.values()} == {NOW}


def test_currency_in_which_a_spend_exceeds_the_books_is_omitted() -> None:
    file = file_of(USD=Decimal("0.0001"), CAD=Decimal(999_999), GBP=Decimal(1))
    assert set(read(file, price="1")) == {"EUR", "GBP"}


def test_file_without_the_currency_of_credits_is_refused() -> None:
    with pytest.raises(Invalid, match="no rate of USD"):
        read(file_of(CAD=Decimal("1.5")))


def test_file_is_used_for_the_days_after_its_own_and_not_for_one_more() -> None:
    file = file_of(NOW.date() - A_WEEK, USD=Decimal("1.25"))
    ends_at = NOW + timedelta(days=1)
    assert [read(file, now=at)["EUR"].ends_at for at in (NOW, ends_at - timedelta(microseconds=1))] == [ends_at] * 2
    assert read(file, now=ends_at) == {}
