"""Meters: per unit, graduated, volume, package, free units."""

from decimal import Decimal as D

import pytest
from hypothesis import assume, given, strategies as st

from domain.common.errors import Invalid
from domain.usage.amounts import PICO
from domain.usage.charge_model import charge_to_json, parse_charge, rate_quantity, rate_step
from tests.support.cases import for_each

# https://getlago.com/docs/guide/plans/charges/charge-models/graduated: $1, then $0.50 above 100, then $0.10 above 200.
LAGO = [
    {"up_to": "100", "unit_price": "1"},
    {"up_to": "200", "unit_price": "0.50"},
    {"up_to": None, "unit_price": "0.10"},
]
FEES = [
    {"up_to": "10", "unit_price": "2", "flat_price": "5"},
    {"up_to": None, "unit_price": "1", "flat_price": "3"},
]
# https://getlago.com/docs/guide/plans/charges/charge-models/volume
VOLUME = [
    {"up_to": "10000", "unit_price": "0.0010", "flat_price": "10"},
    {"up_to": "50000", "unit_price": "0.0008", "flat_price": "10"},
    {"up_to": "100000", "unit_price": "0.0006", "flat_price": "10"},
    {"up_to": None, "unit_price": "0.0004", "flat_price": "10"},
]


def dollars(quantity, document):
    return D(rate_quantity(D(str(quantity)), parse_charge(document))) / PICO


@pytest.mark.parametrize(
    ("quantity", "cost"),
    [(0, "0"), (1, "1"), (100, "100"), (101, "100.50"), (200, "150"), (250, "155"), ("0.5", "0.5")],
)
def test_graduated_prices_each_unit_by_the_tier_that_it_falls_in(quantity, cost):
    assert dollars(quantity, {"model": "graduated", "tiers": LAGO}) == D(cost)


@pytest.mark.parametrize(("quantity", "cost"), [(0, "0"), (1, "7"), (10, "25"), (11, "29"), ("10.5", "28.5")])
def test_graduated_adds_the_flat_price_of_each_tier_that_is_reached(quantity, cost):
    assert dollars(quantity, {"model": "graduated", "tiers": FEES}) == D(cost)


@pytest.mark.parametrize(
    ("quantity", "cost"), [(0, "0"), (65_000, "49"), (10_000, "20"), (10_001, "18.0008"), (200_000, "90")]
)
def test_volume_prices_every_unit_by_the_tier_that_the_total_reaches(quantity, cost):
    assert dollars(quantity, {"model": "volume", "tiers": VOLUME}) == D(cost)


@pytest.mark.parametrize(("quantity", "cost"), [(0, "0"), (1, "0.5"), (1000, "0.5"), (1001, "1"), ("1000.1", "1")])
def test_started_package_is_charged_whole(quantity, cost):
    assert dollars(quantity, {"model": "package", "size": "1000", "price": "0.50"}) == D(cost)


@pytest.mark.parametrize(
    ("document", "quantity", "cost"),
    [
        ({"model": "per_unit", "unit_price": "0.002", "free_units": "100"}, 100, "0"),
        ({"model": "per_unit", "unit_price": "0.002", "free_units": "100"}, 101, "0.002"),
        ({"model": "package", "size": "10", "price": "1", "free_units": "100"}, 105, "1"),
        ({"model": "graduated", "tiers": LAGO, "free_units": "100"}, 250, "125"),
        ({"model": "volume", "tiers": VOLUME, "free_units": "10000"}, 20_000, "20"),
    ],
)
def test_free_units_are_deducted_first(document, quantity, cost):
    assert dollars(quantity, document) == D(cost)


def test_a_quantity_is_rounded_once_at_the_end():
    charge = parse_charge({"model": "per_unit", "unit_price": "0.0000000000003"})
    assert rate_quantity(5, charge) == 2  # 1.5 pico: not five times 0.3, each rounded to nothing
    assert rate_quantity(1, charge) == 0


@pytest.mark.parametrize("wrong", [-1, D("-0.1"), D("1e-13"), 0.5])
def test_invalid_quantity_is_refused(wrong):
    with pytest.raises(Invalid):
        rate_quantity(wrong, parse_charge({"model": "per_unit", "unit_price": "1"}))


@pytest.mark.parametrize("decimals", ["", ".000000000001"])
def test_period_quantity_may_exceed_one_price_limit(decimals):
    charge = parse_charge({"model": "per_unit", "unit_price": "1"})
    whole, small = D(f"3000000000000000000{decimals}"), D("0.000000000001")
    assert rate_quantity(whole, charge) == int(f"{whole:f}".replace(".", "").ljust(31, "0"))
    assert rate_step(whole, small, charge) == 1
    assert rate_step(0, 2 * 10**12, charge) == 2 * 10**12 * PICO


QUANTITIES = st.decimals(min_value=0, max_value=10**6, places=6)
PRICES = st.decimals(min_value=0, max_value=100, places=12)


@st.composite
def charges(draw):
    kind = draw(st.sampled_from(["per_unit", "graduated", "volume", "package"]))
    free = f"{draw(QUANTITIES):f}"
    if kind == "per_unit":
        return parse_charge({"model": kind, "unit_price": f"{draw(PRICES):f}", "free_units": free})
    if kind == "package":
        size = draw(QUANTITIES)
        assume(size > 0)
        return parse_charge({"model": kind, "size": f"{size:f}", "price": f"{draw(PRICES):f}", "free_units": free})
    tops = sorted(draw(st.sets(st.integers(1, 10**6), max_size=4)))
    tiers = [
        {"up_to": top, "unit_price": f"{draw(PRICES):f}", "flat_price": f"{draw(PRICES):f}"} for top in [*tops, None]
    ]
    return parse_charge({"model": kind, "tiers": tiers, "free_units": free})


@given(charges())
def test_charge_model_round_trips(charge):
    assert parse_charge(charge_to_json(charge)) == charge


@given(charges(), st.lists(QUANTITIES, max_size=6))
def test_partial_charges_of_a_period_add_up_to_its_total(charge, quantities):
    steps, before = 0, D(0)
    for quantity in quantities:
        steps += rate_step(before, quantity, charge)
        before += quantity
    assert steps == rate_quantity(before, charge)


@given(charges(), QUANTITIES)
def test_the_integers_agree_with_decimal_arithmetic(charge, quantity):
    """The same models implemented independently with `decimal`."""
    from decimal import ROUND_CEILING, ROUND_HALF_EVEN, localcontext

    with localcontext() as context:
        context.prec = 100
        document = charge_to_json(charge)
        left = max(D(0), quantity - D(document.get("free_units", "0")))
        cost = D(0)
        if left and document["model"] == "per_unit":
            cost = left * D(document["unit_price"])
        elif left and document["model"] == "package":
            cost = (left / D(document["size"])).to_integral_value(ROUND_CEILING) * D(document["price"])
        elif left:
            bottom = D(0)
            for tier in document["tiers"]:
                top = D("Infinity") if tier["up_to"] is None else D(tier["up_to"])
                if document["model"] == "graduated" and left > bottom:
                    cost += (min(left, top) - bottom) * D(tier["unit_price"]) + D(tier["flat_price"])
                elif document["model"] == "volume" and bottom < left <= top:
                    cost = left * D(tier["unit_price"]) + D(tier["flat_price"])
                bottom = top
        expected = (cost * PICO).to_integral_value(ROUND_HALF_EVEN)
    assert rate_quantity(quantity, charge) == expected


@for_each(
    "document, field",
    [
        ({}, "price.model"),
        ({"model": "percentage"}, "price.model"),
        ({"model": "per_unit"}, "price.unit_price"),
        ({"model": "per_unit", "unit_price": 0.1}, "price.unit_price"),
        ({"model": "per_unit", "unit_price": "1", "size": "2"}, "price.size"),
        ({"model": "package", "size": "0", "price": "1"}, "price.size"),
        ({"model": "package", "size": "1", "price": "-1"}, "price.price"),
        ({"model": "graduated", "tiers": []}, "price.tiers"),
        ({"model": "graduated", "tiers": [{"up_to": "5", "unit_price": "1"}]}, "price.tiers.0.up_to"),
        (
            {"model": "volume", "tiers": [{"up_to": None, "unit_price": "1"}, {"up_to": None, "unit_price": "1"}]},
            "price.tiers.0.up_to",
        ),
        ({"model": "volume", "tiers": [*LAGO[1::-1], LAGO[2]]}, "price.tiers.1.up_to"),
        ({"model": "graduated", "tiers": [{"up_to": "0", "unit_price": "1"}, LAGO[2]]}, "price.tiers.0.up_to"),
        ({"model": "graduated", "tiers": [LAGO[0], {"up_to": None, "unit_price": "x"}]}, "price.tiers.1.unit_price"),
        ({"model": "graduated", "tiers": [LAGO[0], {"unit_price": "1", "flat_price": []}]}, "price.tiers.1.flat_price"),
        ({"model": "graduated", "tiers": [LAGO[0], {"up_to": True, "unit_price": "1"}]}, "price.tiers.1.up_to"),
        ({"model": "graduated", "tiers": [LAGO[0], {}]}, "price.tiers.1.unit_price"),
        ({"model": "graduated", "tiers": [LAGO[0], 5]}, "price.tiers.1"),
        ({"model": "graduated", "tiers": [{"up_to": None, "unit_price": "1", "price": "1"}]}, "price.tiers.0.price"),
        ({"model": "per_unit", "unit_price": "1", "free_units": "-1"}, "price.free_units"),
    ],
)
def test_a_charge_that_cannot_be_applied_is_refused_by_its_field(document, field):
    with pytest.raises(Invalid) as refusal:
        parse_charge(document)
    assert refusal.value.extra["field"] == field
    assert refusal.value.detail.startswith(f"{field} ")
