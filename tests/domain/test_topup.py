"""The packages that credits are bought in, and settings that none could be sold by."""

import json

import pytest

from domain.errors import Invalid
from domain.topup import named, packages_from
from runtime.settings import Settings

STARTER = {"name": "starter", "credits": "100", "price": "10.00", "currency": "USD"}


def test_packages_are_read_exactly():
    text = json.dumps([STARTER, {**STARTER, "name": "odd"}]).replace('"100"', "0.1", 1)
    packages = packages_from(text)
    assert [(p.name, p.credits_minor, p.price_minor, p.currency) for p in packages] == [
        ("starter", 100_000, 1000, "USD"),
        ("odd", 100_000_000, 1000, "USD"),
    ]
    assert named(packages, "odd") is packages[1]
    assert packages_from("[]") == ()
    with pytest.raises(Invalid):
        named(packages, "gone")


@pytest.mark.parametrize(
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
    ids=lambda text: text[:50],
)
def test_packages_that_cannot_be_sold_stop_the_process_from_starting(packages):
    with pytest.raises(Invalid):
        packages_from(packages)
    if packages:
        with pytest.raises(ValueError, match=r"package|amount|Unknown currency|decimals"):
            Settings(credit_packages=packages)
