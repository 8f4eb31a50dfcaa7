"""Boundaries and shares of billing periods against a calendar and exact fractions."""

from fractions import Fraction

import pytest

from dev.sandbox.stripe import periods
from tests.sandbox.stripe.billing import DAY, moment
from tests.support.cases import for_each

MONTH, YEAR = ({"interval": each, "interval_count": 1} for each in ("month", "year"))


@for_each(
    "anchor, recurring, at, begin, end",
    [
        ("2027-01-31", MONTH, "2027-02-27", "2027-01-31", "2027-02-28"),
        ("2027-01-31", MONTH, "2027-02-28", "2027-02-28", "2027-03-31"),
        ("2027-01-31", MONTH, "2028-02-29", "2028-02-29", "2028-03-31"),
        ("2028-02-29", YEAR, "2029-03-01", "2029-02-28", "2030-02-28"),
        ("2028-02-29", YEAR, "2032-02-28", "2031-02-28", "2032-02-29"),
        ("2027-05-15T10:00", MONTH, "2027-05-01", "2027-04-15T10:00", "2027-05-15T10:00"),
        ("2027-01-31", {"interval": "month", "interval_count": 3}, "2027-04-30", "2027-04-30", "2027-07-31"),
        ("2027-01-01", {"interval": "week", "interval_count": 2}, "2026-12-31", "2026-12-18", "2027-01-01"),
    ],
)
def test_moment_lies_in_its_period(anchor, recurring, at, begin, end):
    assert periods.around(moment(anchor), recurring, moment(at)) == (moment(begin), moment(end))


def test_periods_follow_one_another_without_a_gap():
    at = moment("2027-01-31T23:59")
    for index in range(48):
        begin, end = periods.around(moment("2027-01-31T23:59"), MONTH, at)
        assert begin == at == periods.boundary(moment("2027-01-31T23:59"), MONTH, index)
        assert periods.around(moment("2027-01-31T23:59"), MONTH, end - 1) == (begin, end)
        assert 28 * DAY <= end - begin <= 31 * DAY
        at = end


@pytest.mark.parametrize(("value", "whole"), [("1/2", 1), ("-1/2", -1), ("3/2", 2), ("5/3", 2), ("-4/3", -1), ("0", 0)])
def test_half_a_unit_is_rounded_up(value, whole):
    assert periods.rounded(Fraction(value)) == whole


def test_price_is_exact_until_the_end_and_packages_are_whole():
    price = {"unit_amount_decimal": "0.05", "transform_quantity": None}
    assert periods.priced(price, 30) == 2
    assert periods.priced(price, 30, Fraction(1, 3)) == 1
    packed = {"unit_amount_decimal": "100", "transform_quantity": {"divide_by": 10, "round": "up"}}
    assert periods.priced(packed, 11) == 200
