"""Plans of the configuration, and what they entitle to."""

import json
from decimal import Decimal
from typing import Any

import pytest

from domain.billing.entitlement import Entitlement, EntitlementUse, included_quantity, require_room, upgrade_options
from domain.billing.plan import DEFAULT_PLANS, Interval, PlanOverrides, PlanPrice, Plans, plans_from, with_overrides
from domain.common.credits import CreditPrice
from domain.common.errors import EntitlementMissing, Invalid
from domain.credits.lots import Sharing
from domain.marketplace.least_payout import least_payout
from domain.marketplace.revenue_share import share_bps
from domain.payments.included import with_credits_priced
from domain.payments.topup import Package
from tests.support.cases import for_each

PLANS = plans_from(DEFAULT_PLANS)
MONTH, YEAR = Interval.MONTH, Interval.YEAR
FREE = {"name": "free", "projects": 1, "deploys": 1, "seats": 1}
PRICE = {"interval": "month", "amount": "10.00", "currency": "USD"}
LARGE_PRICE = {"interval": "month", "amount": "90.00", "currency": "USD"}
BASIC = {"name": "basic", "projects": 2, "deploys": 2, "seats": None, "prices": [PRICE]}


def read(*plans: dict[str, Any]) -> Plans:
    return plans_from(json.dumps(plans))


def test_defaults_are_the_published_plans_with_two_months_of_a_year_free() -> None:
    shown = [
        (
            plan.name,
            *((plan.price(each, "USD").amount_minor if plan.prices else None) for each in (MONTH, YEAR)),
            plan.credits_minor // 1_000_000,
            *(included_quantity(plan, each) for each in Entitlement),
        )
        for plan in PLANS.all
    ]
    assert shown == [
        ("free", None, None, 0, 1, 1, 1, 0, 0),
        ("premium", 500, 5_000, 0, 5, 5, 3, 0, 0),
        ("starter", 2_900, 29_000, 500, 1, 1, 3, 0, 0),
        ("professional", 9_900, 99_000, 2_000, 5, 5, 10, 1, 0),
        ("enterprise", 29_900, 299_000, 10_000, None, None, None, 1, 1),
    ]


@for_each(
    "plans, told",
    [
        ([], "a JSON list of 1 to 50"),
        ([BASIC], "The first plan must be free"),
        ([BASIC, FREE], "The first plan must be free"),
        ([{**FREE, "prices": [PRICE]}], "The first plan must be free"),
        ([{**FREE, "credits": "1"}], "cannot grant credits"),
        ([FREE, FREE], "the same name"),
        ([FREE, {**BASIC, "prices": []}], "must have a price"),
        ([FREE, {**BASIC, "prices": [PRICE, PRICE]}], "two prices for one interval"),
        ([FREE, BASIC, {**BASIC, "name": "less", "prices": [{**PRICE, "amount": "9"}]}], "costs less"),
        ([FREE, {**BASIC, "prices": [{**PRICE, "currency": "CREDIT"}]}], "must be money"),
        ([FREE, {**BASIC, "prices": [{**PRICE, "interval": "week"}]}], "must be month or year"),
        ([FREE, {**BASIC, "prices": [{**PRICE, "amount": 9.999}]}], "too many decimals"),
        ([FREE, {**BASIC, "prices": [{**PRICE, "price_id": "a b"}]}], "price_id"),
        ([FREE, {**BASIC, "projects": -1}], "must be a whole number"),
        ([FREE, {**BASIC, "seats": True}], "must be a whole number"),
        ([FREE, {**BASIC, "api_access": "yes"}], "must be true or false"),
        ([FREE, {**BASIC, "name": "Basic"}], "lower case"),
        ([FREE, {**BASIC, "title": ""}], "1 to 80 characters"),
        ([FREE, {**BASIC, "more": 1}], "A plan must have"),
        (
            [
                FREE,
                {
                    **BASIC,
                    "prices": [{**PRICE, "price_id": "p"}, {**PRICE, "interval": "year", "price_id": "p"}],
                },
            ],
            "the same price_id",
        ),
    ],
)
def test_plans_that_nobody_could_be_billed_by_are_refused(plans: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read(*plans)


@pytest.mark.parametrize("text", ["[", "{}", "7", "[7]", "[" * 100_000])
def test_what_is_no_list_of_plans_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        plans_from(text)


def test_terms_that_are_set_one_by_one_change_two_plans_only() -> None:
    overrides = PlanOverrides(
        premium_price_minor=700,
        premium_price_id="price_1",
        free_projects=2,
        free_deployments=0,
        premium_projects=8,
        premium_deployments=9,
    )
    changed = with_overrides(PLANS, overrides)
    free, premium = changed.get("free"), changed.get("premium")
    assert (free.projects, free.deployments, premium.projects, premium.deployments) == (2, 0, 8, 9)
    assert [premium.price(each, "USD").amount_minor for each in (MONTH, YEAR)] == [700, 7_000]
    assert premium.price(MONTH, "USD").price_id == "price_1"
    assert changed.all[2:] == PLANS.all[2:]


def test_terms_of_a_plan_that_is_not_there_or_out_of_order_are_refused() -> None:
    with pytest.raises(Invalid, match="There is no plan 'premium'"):
        with_overrides(read(FREE, BASIC), PlanOverrides(premium_projects=1))
    with pytest.raises(Invalid, match="starter costs less"):
        with_overrides(PLANS, PlanOverrides(premium_price_minor=5_000))


def test_organization_whose_plan_was_removed_has_what_is_free() -> None:
    assert PLANS.of("gone").name == "free"
    with pytest.raises(Invalid):
        PLANS.get("gone")


@for_each(
    "plan, what, used, more, refused",
    [
        ("free", Entitlement.SEATS, 0, 1, False),
        ("free", Entitlement.SEATS, 1, 1, True),
        ("starter", Entitlement.SEATS, 2, 2, True),
        ("enterprise", Entitlement.SEATS, 10**6, 10**6, False),
        ("starter", Entitlement.API_ACCESS, 0, 1, True),
        ("professional", Entitlement.API_ACCESS, 0, 1, False),
        ("professional", Entitlement.CUSTOM_INTEGRATIONS, 0, 1, True),
        ("enterprise", Entitlement.CUSTOM_INTEGRATIONS, 0, 1, False),
    ],
)
def test_what_a_plan_does_not_include_is_refused(
    plan: str, what: Entitlement, used: int, more: int, refused: bool
) -> None:
    found = PLANS.get(plan)
    standing = EntitlementUse(entitlement=what, limit=included_quantity(found, what), used=used)
    if not refused:
        require_room(PLANS, found, standing, more)
        return
    with pytest.raises(EntitlementMissing) as caught:
        require_room(PLANS, found, standing, more)
    ways = upgrade_options(PLANS, found, what)
    assert ways
    assert caught.value.extra == {
        "entitlement": what.value,
        "limit": standing.limit,
        "used": used,
        "plan": plan,
        "ways_up": ways,
    }


def test_ways_up_are_larger_plans_that_are_sold_and_slots_only_where_they_help() -> None:
    assert [way.get("plan") for way in upgrade_options(PLANS, PLANS.get("starter"), Entitlement.SEATS)] == [
        "professional",
        "enterprise",
    ]
    hidden = read(FREE, {**BASIC, "sold": False})
    assert upgrade_options(hidden, hidden.get("free"), Entitlement.PROJECTS) == [{"way": "slot"}]
    assert upgrade_options(PLANS, PLANS.get("enterprise"), Entitlement.API_ACCESS) == []


def test_two_of_a_feature_cannot_be_asked_for() -> None:
    with pytest.raises(Invalid):
        require_room(PLANS, PLANS.get("enterprise"), EntitlementUse(entitlement=Entitlement.API_ACCESS, limit=1), 2)


@pytest.mark.parametrize(
    ("text", "bps"), [("0.9", 9_000), ("90", 9_000), ("1", 10_000), ("100", 10_000), ("0", 0), ("12.5", 1_250)]
)
def test_share_is_read_as_a_part_or_a_percentage(text: str, bps: int) -> None:
    assert share_bps(text, "share") == bps


@pytest.mark.parametrize("text", ["101", "100.01", "-1", "x", "12.345", "0.12345", ""])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        share_bps(text, "share")


def test_plan_that_is_sold_by_the_seat_gives_more_seats_first() -> None:
    plans = read(FREE, {**BASIC, "seats": 50, "per_seat": True}, {**BASIC, "name": "large", "prices": [LARGE_PRICE]})
    team = plans.get("basic")
    assert (team.is_per_seat, plans.get("large").is_per_seat) == (True, False)
    standing = EntitlementUse(entitlement=Entitlement.SEATS, limit=3, used=3)
    with pytest.raises(EntitlementMissing, match="Buy more seats") as refusal:
        require_room(plans, team, standing)
    assert refusal.value.extra["ways_up"] == [{"way": "seat"}, {"way": "plan", "plan": "large", "limit": None}]
    with pytest.raises(Invalid, match="per_seat"):
        read(FREE, {**BASIC, "per_seat": 1})


@pytest.mark.parametrize(
    ("price", "credits", "month", "year"),
    [
        # What 100 credits cost by the cheapest package, and for twelve months; then 80 % of 299.00 and of 2,990.00.
        ({}, "100", 699, 8_397),
        ({}, "10000", 23_920, 239_200),
        ({"credits_price": "299.00"}, "10000", 29_900, 299_000),
        ({}, "0", 0, 0),
    ],
)
def test_part_of_a_price_is_for_credits(price: dict[str, str], credits: str, month: int, year: int) -> None:
    sold = {"interval": "month", "amount": "299.00", "currency": "USD", **price}
    plan = {**BASIC, "credits": credits, "prices": [sold]}
    package = Package(name="jumbo", credits_minor=5_000 * 10**6, price_minor=34_990, currency="USD")
    usual = CreditPrice(price=Decimal("0.10"), currency="USD")
    found = with_credits_priced(read(FREE, plan), usual, [package]).get("basic")
    assert [found.for_credits_minor(each) for each in found.prices] == [month, year]
    # An agreed price divides as the plan's own.
    agreed = PlanPrice(interval=MONTH, amount_minor=14_950, currency="USD")
    assert found.for_credits_minor(agreed) == month * 14_950 // 29_900


@pytest.mark.parametrize(("price", "credits"), [("299.01", "10000"), ("1.00", "0"), ("0", "10000")])
def test_part_for_credits_that_is_more_than_the_price_or_for_none_is_refused(price: str, credits: str) -> None:
    sold = {"interval": "month", "amount": "299.00", "currency": "USD", "credits_price": price}
    with pytest.raises(Invalid):
        read(FREE, {**BASIC, "credits": credits, "prices": [sold]})


def test_the_least_payout_is_the_share_of_what_the_cheapest_credits_cost() -> None:
    lowest, usual = (CreditPrice(price=Decimal(each), currency="USD") for each in ("0.02", "0.10"))

    def least(currency: str, list_price: CreditPrice | None = None) -> tuple[int, str]:
        sharing = Sharing(list_price=list_price)
        return least_payout(100 * 10**6 if currency == "CREDIT" else 999, currency, 500, lowest=lowest, sharing=sharing)

    assert (least("CREDIT"), least("CREDIT", usual), least("EUR")) == ((190, "USD"), (200, "USD"), (949, "EUR"))
