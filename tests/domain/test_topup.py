"""The packages that credits are bought in, and settings that none could be sold by."""

import json

import pytest

from domain.common.errors import Invalid
from domain.payments.topup import find_package, parse_packages, with_prices
from runtime.settings import Settings
from tests.support.cases import for_each

STARTER = {"name": "starter", "credits": "100", "price": "10.00", "currency": "USD"}


def test_packages_are_read_exactly():
    text = json.dumps([STARTER, {**STARTER, "name": "odd"}]).replace('"100"', "0.1", 1)
    packages = parse_packages(text)
    assert [(p.name, p.credits_minor, p.price_minor, p.currency) for p in packages] == [
        ("starter", 100_000, 1000, "USD"),
        ("odd", 100_000_000, 1000, "USD"),
    ]
    assert find_package(packages, "odd") is packages[1]
    assert parse_packages("[]") == ()
    with pytest.raises(Invalid):
        find_package(packages, "gone")


def test_price_that_is_set_for_a_package_replaces_that_of_the_list():
    packages = parse_packages(json.dumps([STARTER, {**STARTER, "name": "odd"}]))
    changed = with_prices(packages, {"starter": 750, "odd": None})
    assert [(package.name, package.price_minor) for package in changed] == [("starter", 750), ("odd", 1000)]
    for wrong in ({"gone": 1}, {"odd": 0}, {"odd": -1}, {"odd": 10**15 + 1}):
        with pytest.raises(Invalid):
            with_prices(packages, wrong)


@pytest.mark.parametrize(
    ("credits", "price", "currency", "per_credit"),
    [("100", "9.90", "USD", "0.099000"), ("3", "1.00", "USD", "0.333333"), ("0.5", "10", "JPY", "20.000000")],
)
def test_price_per_credit_is_rounded_to_six_decimals(credits, price, currency, per_credit):
    package = {"name": "one", "credits": credits, "price": price, "currency": currency}
    assert str(parse_packages(json.dumps([package]))[0].price_per_credit) == per_credit


@for_each(
    "packages",
    [
        "",
        "{}",
        "[1]",
        "[" * 5000,
        json.dumps([STARTER, STARTER]),
        *(
            json.dumps([{**STARTER, **wrong}])
            for wrong in (
                {"name": "Big One"},
                {"name": 5},
                {"credits": "0"},
                {"credits": "0.0000001"},
                {"credits": True},
                {"credits": None},
                {"price": "1.001"},
                {"price": "-1"},
                {"currency": "CREDIT"},
                {"currency": "SLOT"},
                {"currency": "usd"},
                {"currency": ["USD"]},
                {"bonus": 1},
            )
        ),
        json.dumps([{"name": "starter"}]),
        json.dumps([{**STARTER, "name": f"p{number}"} for number in range(51)]),
    ],
)
def test_packages_that_cannot_be_sold_stop_the_process_from_starting(packages):
    with pytest.raises(Invalid):
        parse_packages(packages)
    if packages:
        with pytest.raises(ValueError, match=r"package|amount|Unknown currency|decimals"):
            Settings(credit_packages=packages)
