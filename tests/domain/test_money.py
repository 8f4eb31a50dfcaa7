from decimal import Decimal

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter, ValidationError

from api.fields import Amount, Ratio, Share
from domain.common.errors import Invalid
from domain.common.money import (
    MAX_AMOUNT_MINOR,
    SCALES,
    allocate,
    amounts_from,
    format_amount,
    format_ratio,
    parse_amount,
    parse_ratio,
    plain_number,
)
from domain.usage.amounts import parse_price
from tests.support.cases import for_each


@given(st.integers(0, 10**15), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_parts_add_up_to_the_whole_and_miss_their_share_by_less_than_one(total, weights):
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


@given(st.integers(0, 10**6), st.integers(1, 20))
def test_equal_weights_differ_by_one_unit_at_most(total, parts):
    shares = allocate(total, [1] * parts)
    assert max(shares) - min(shares) <= 1


def test_ties_go_to_the_earlier_part():
    assert allocate(10, [1, 1, 1]) == [4, 3, 3]


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, []), (1, [0, 0]), (1, [2, -1])])
def test_invalid_splits_are_refused(total, weights):
    with pytest.raises(ValueError):
        allocate(total, weights)


@given(st.sampled_from(sorted(SCALES)), st.integers(1, MAX_AMOUNT_MINOR))
def test_every_amount_survives_writing_and_reading(asset, minor):
    assert parse_amount(format_amount(minor, asset), asset) == minor
    assert parse_amount(Decimal(format_amount(minor, asset)), asset) == minor


@for_each(
    "minor, asset, written",
    [
        (1200, "USD", "12.00"),
        (50_000_000, "CREDIT", "50.00"),
        (50_500_000, "CREDIT", "50.50"),
        (1, "CREDIT", "0.000001"),
        (12, "JPY", "12"),
        (1234, "KWD", "1.234"),
        (-5, "USD", "-0.05"),
        (0, "USD", "0.00"),
        (100_000_000, "BTC", "1.00"),
    ],
)
def test_amounts_are_written_with_the_decimals_of_their_asset(minor, asset, written):
    assert format_amount(minor, asset) == written


@for_each(
    "value, asset",
    [
        ("0", "USD"),
        ("-1", "USD"),
        ("1.001", "USD"),
        ("0.1", "JPY"),
        ("1e3", "USD"),
        ("NaN", "USD"),
        ("Infinity", "USD"),
        ("", "USD"),
        ("1,000", "USD"),
        ("\u0661", "USD"),
        ("9" * 41, "USD"),
        ("10000000000000.01", "USD"),
        (True, "USD"),
        ("1", "usd"),
        ("1", "DOGE"),
        (Decimal("NaN"), "USD"),
        (Decimal("sNaN"), "USD"),
    ],
)
def test_other_values_than_exact_positive_amounts_are_refused(value, asset):
    with pytest.raises(Invalid):
        parse_amount(value, asset)


#: Notations besides plain digits that number parsers of languages and libraries accept.
_OTHER_DIGITS = [
    str.maketrans("0123456789", "".join(chr(zero + i) for i in range(10))) for zero in (0x660, 0x966, 0xFF10)
]
NOTATIONS = (
    *(lambda text, mark=mark: mark + text for mark in ("+", " ", "\t", "\n", "\xa0", "0x", "$", "--", "\u2212")),
    *(lambda text, mark=mark: text + mark for mark in (" ", "\n", "e0", "E3", "e-2", ".", "_", "j", "d", "%")),
    *(lambda text, mark=mark: text[0] + mark + text[1:] for mark in ("_", ",", "'", " ", "\u200b", "e")),
    *(lambda text, table=table: text.translate(table) for table in _OTHER_DIGITS),
)


@given(st.integers(10, 10**9), st.sampled_from(NOTATIONS))
def test_number_in_another_notation_is_refused_everywhere(number, noted):
    text = noted(str(number))
    assert plain_number(text) is None
    for door in (parse_price, lambda it: parse_amount(it, "USD"), lambda it: parse_ratio(it, "score")):
        with pytest.raises(Invalid):
            door(text)
    for field in (Amount, Share, Ratio):
        with pytest.raises(ValidationError, match="plain decimal number"):
            TypeAdapter(field).validate_python(text)


@given(st.text(alphabet=st.sampled_from("0123456789+-._eE \u0661\uff11"), max_size=12))
def test_plain_number_is_ascii_digits_with_a_sign_and_a_point_between(text):
    whole, point, decimals = text.removeprefix("-").partition(".")
    parts = [whole, decimals] if point else [whole]
    plain = all(part and set(part) <= set("0123456789") for part in parts)
    assert plain_number(text) == (text if plain else None)


@pytest.mark.parametrize(
    "number",
    [Decimal("1e999999999"), Decimal("1e-999999999"), Decimal("-Infinity"), 10**5000, 1.5],
    ids=["huge", "tiny", "infinite", "long", "float"],
)
def test_number_that_is_too_long_to_write_is_invalid(number):
    assert plain_number(number) is None


def test_trailing_zeros_do_not_count_as_decimals():
    assert parse_amount("1.500000", "USD") == 150
    assert parse_amount(Decimal("1E+2"), "USD") == 10_000


@given(st.integers(0, 10_000))
def test_every_ratio_survives_writing_and_reading(ratio_e4):
    assert parse_ratio(format_ratio(ratio_e4), "score") == ratio_e4


@for_each("value", ["1.0001", "-0.1", "-0", "0.01234", "x", "", True, Decimal("NaN"), "2"])
def test_invalid_ratio_is_refused(value):
    with pytest.raises(Invalid):
        parse_ratio(value, "score")


@for_each(
    "text, currency, minor",
    [
        ("10000.00", "USD", 1_000_000),
        ("10000", "JPY", 1_000_000),
        ("10000", "KWD", 1_000_000),
        ("0", "EUR", 0),
        ("10000.00, 1500000 JPY,3000 KWD", "USD", 1_000_000),
        ("10000.00, 1500000 JPY,3000 KWD", "JPY", 1_500_000),
        ("10000.00, 1500000 JPY,3000 KWD", "KWD", 3_000_000),
        ("100, 0 IDR, 100 USDC", "IDR", 0),
        ("100, 0 IDR, 100 USDC", "USDC", 100_000_000),
    ],
)
def test_amount_of_the_settings_counts_smallest_units_of_every_currency_that_it_does_not_name(text, currency, minor):
    amounts = amounts_from(text)
    assert amounts.minor(currency) == minor
    assert amounts.written(currency) == format_amount(minor, currency)


@for_each(
    "text, told",
    [
        *(
            (text, "Write an amount for all currencies")
            for text in ("10000 USD", "1, 2", "1, 2 JPY, 3 JPY", "1, 2 usd")
        ),
        *(
            (text, "Write an amount for all currencies")
            for text in ("1, 2 CREDIT", "1, 2 SLOT", "1, JPY 2", "1, 2 JPY X", "1,")
        ),
        *((text, "plain decimal number") for text in ("", "1e3", "ten", "1, x JPY")),
        *((text, "too many decimals") for text in ("1.001", "1, 2.50 JPY", "1, 2.0001 KWD")),
        *((text, "zero or more") for text in ("-1", "1, -2 JPY")),
        ("1" * 16, "must not be greater"),
    ],
)
def test_amount_of_the_settings_that_is_written_wrong_is_refused(text, told):
    with pytest.raises(Invalid, match=told):
        amounts_from(text)
