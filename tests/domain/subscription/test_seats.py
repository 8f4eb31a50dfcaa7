"""Plans priced per seat: the price of a quantity, changes of the quantity, and the refusal of one below use."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, strategies as st

from domain.billing.plan import MAX_SEATS, Plan, PlanPrice, Plans
from domain.billing.subscription.commands import order_change, preview
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.snapshot import BillReason
from domain.billing.subscription.state import ChangeKind, Subscription, Terms
from domain.billing.subscription.terms import require_seats, seats_of, terms_of, terms_of_change
from domain.common.errors import Invalid, SubscriptionRefused
from tests.domain.subscription.building import MONTH, PLANS, START, YEAR, bill, created, days, month, seen, taken

TEAM = Plan(
    name="team",
    title="Team",
    prices=tuple(
        PlanPrice(interval=interval, amount_minor=minor, currency="USD")
        for interval, minor in ((MONTH, 1_299), (YEAR, 12_990))
    ),
    credits_minor=100_000_000,
    projects=None,
    deployments=None,
    seats=200,
    is_per_seat=True,
)
BOOK = Plans((*PLANS.all[:2], TEAM, *PLANS.all[2:]))


def team(seats: int, **changes: object) -> Terms:
    return replace(terms_of(TEAM, MONTH, "USD", seats=seats), price_id="price_team", **changes)


def having(seats: int) -> Subscription:
    """A subscription of so many seats whose first month is paid."""
    made = replace(confirm_order(created()), terms=team(seats))
    return taken(made, seen(bill(0, made.terms.amount_minor, month(0)), quantity=seats)).subscription


def test_price_and_credits_are_those_of_all_seats() -> None:
    found = terms_of(TEAM, MONTH, "USD", seats=7)
    assert (found.amount_minor, found.credits_minor, found.unit_minor, found.quantity) == (
        7 * 1_299,
        700_000_000,
        1_299,
        7,
    )
    paid = taken(
        replace(confirm_order(created()), terms=found), seen(bill(0, found.amount_minor, month(0)), quantity=7)
    )
    assert [each.credits_minor for each in paid.grants] == [700_000_000]


@pytest.mark.parametrize("seats", [None, 0, 201])
def test_number_of_seats_has_to_be_said_and_be_on_sale(seats: int | None) -> None:
    with pytest.raises(Invalid) as refusal:
        terms_of(TEAM, MONTH, "USD", seats=seats)
    assert refusal.value.extra == {"field": "seats"}


def test_seats_are_sold_up_to_what_the_books_hold_and_not_of_other_plans() -> None:
    dear = replace(TEAM, seats=None, prices=(PlanPrice(interval=MONTH, amount_minor=10**12, currency="USD"),))
    assert terms_of(replace(TEAM, seats=None), MONTH, "USD", seats=MAX_SEATS).seats == MAX_SEATS
    for plan, seats in ((dear, MAX_SEATS), (PLANS.get("starter"), 2)):
        with pytest.raises(Invalid) as refusal:
            terms_of(plan, MONTH, "USD", seats=seats)
        assert refusal.value.extra == {"field": "seats"}


@pytest.mark.parametrize("changes", [{"is_sold": False}, {"prices": ()}])
def test_team_whose_plan_is_sold_no_more_adds_and_drops_seats_at_its_price(changes: dict[str, object]) -> None:
    kept = replace(TEAM, **changes)
    for seats in (3, 12):
        assert terms_of_change(team(9), kept, None, seats=seats) == team(seats)
    for plan, seats in ((kept, 201), (replace(kept, is_per_seat=False), 3)):
        with pytest.raises(Invalid) as refusal:
            terms_of_change(team(9), plan, None, seats=seats)
        assert refusal.value.extra == {"field": "seats"}
    with pytest.raises(Invalid, match="not sold"):
        terms_of_change(team(9), kept, YEAR, seats=12)


def test_seats_below_use_are_refused_and_say_what_is_left() -> None:
    require_seats(TEAM, team(5), 5)
    for refused in (
        lambda: require_seats(TEAM, team(5), 6),
        lambda: preview(having(9), BOOK, team(5), 6, START + days(3)),
    ):
        with pytest.raises(SubscriptionRefused) as refusal:
            refused()
        assert refusal.value.error_code == "subscription.seats_in_use"
        assert refusal.value.extra == {"limit": 5, "used": 6, "plan": "team"}


def test_seats_of_an_organization_are_those_that_it_bought_of_the_plan_that_it_is_on() -> None:
    assert (seats_of(TEAM, team(5)), seats_of(TEAM, None)) == (5, 200)
    assert seats_of(PLANS.get("starter"), team(5)) == 3


def test_same_number_of_seats_is_no_change() -> None:
    with pytest.raises(SubscriptionRefused) as refusal:
        preview(having(5), BOOK, team(5), 1, START + days(3))
    assert refusal.value.error_code == "subscription.same_plan"
    assert refusal.value.extra["seats"] == 5


def test_fewer_seats_begin_with_the_next_period_and_are_renewed_first() -> None:
    held = having(5)
    shown = preview(held, BOOK, team(2), 2, START + days(3))
    assert (shown.kind, shown.acts_at, shown.due_minor) == (ChangeKind.DOWNGRADE, month(0).end, 0)
    waiting = confirm_order(order_change(held, shown, "cmd_2", actor="kim").subscription)
    assert waiting.terms.seats == 5
    renewed = taken(waiting, seen(bill(1, 2 * 1_299, month(1)), period=month(1), quantity=2), month(1).start)
    assert (renewed.subscription.terms.seats, renewed.subscription.change) == (2, None)
    assert [each.credits_minor for each in renewed.grants] == [200_000_000]


def test_fewer_seats_cannot_be_combined_with_a_year() -> None:
    with pytest.raises(Invalid) as refusal:
        preview(having(5), BOOK, terms_of(TEAM, YEAR, "USD", seats=4), 1, START + days(3))
    assert refusal.value.extra == {"field": "interval"}


@given(st.integers(1, 150), st.integers(1, 50), st.integers(0, 28 * 86_400 - 1))
def test_more_seats_cost_and_grant_what_an_independent_calculation_says(first: int, more: int, second: int) -> None:
    held, at = having(first), START + timedelta(seconds=second)
    wanted = first + more
    shown = preview(held, BOOK, team(wanted), 1, at)
    left = Fraction(int((month(0).end - at).total_seconds()), int((month(0).end - START).total_seconds()))
    unused, charge = (floor(Fraction(number * 1_299) * left + Fraction(1, 2)) for number in (first, wanted))
    assert (shown.kind, shown.due_minor) == (ChangeKind.UPGRADE, charge - unused)
    assert shown.credits_minor == ceil(Fraction(floor(more * 100_000_000 * left), 10**6)) * 10**6
    pending = confirm_order(order_change(held, shown, "cmd_2", actor="kim").subscription)
    assert pending.terms.seats == first
    update = bill(1, charge - unused, None, reason=BillReason.UPDATE, created_at=at)
    assert taken(pending, seen(update, quantity=wanted), at).subscription.terms == team(wanted)


def test_seats_are_added_at_the_price_that_the_subscription_has() -> None:
    dearer = replace(TEAM, prices=(PlanPrice(interval=MONTH, amount_minor=2_000, currency="USD"),))
    assert terms_of_change(team(5), dearer, None, seats=8) == team(8)
    assert terms_of_change(team(5), dearer, None).amount_minor == 5 * 2_000
    agreed = PlanPrice(interval=MONTH, amount_minor=999, currency="USD")
    wanted = terms_of_change(team(5), TEAM, None, [agreed], seats=6)
    assert (wanted.amount_minor, wanted.is_agreed) == (6 * 999, True)
