from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, strategies as st

from domain.billing import project
from domain.billing.plan import DEFAULT_PLANS, Plan, plans_from
from domain.billing.project import (
    SLUG,
    ProjectUsage,
    check_new_project,
    slot_price,
    slots_to_return,
    slots_to_take,
    slug_of,
    split_freed,
)
from domain.common.errors import Invalid, LimitReached
from tests.support.cases import for_each

PLANS = plans_from(DEFAULT_PLANS)
FREE, PREMIUM, ENTERPRISE = PLANS.get("free"), PLANS.get("premium"), PLANS.get("enterprise")
NO_LIMIT = 10**9
SLOT_OR_PLAN = [
    {"way": "plan", "plan": "premium", "limit": 5},
    {"way": "plan", "plan": "professional", "limit": 5},
    {"way": "plan", "plan": "enterprise", "limit": None},
    {"way": "slot"},
]


def usage(plan: Plan = FREE, **counts: int) -> ProjectUsage:
    counts = {"projects": 0, "deployments": 0, "slots_free": 0, "slots_in_use": 0, **counts}
    return ProjectUsage(plan=plan, plans=PLANS, **counts)


def limit_of(found: ProjectUsage) -> int:
    return NO_LIMIT if found.deployment_limit is None else found.deployment_limit


@pytest.mark.parametrize(("plan", "share"), [(FREE, 1), (PREMIUM, 5)])
def test_plan_has_its_share_and_every_slot_adds_one_of_both(plan: Plan, share: int) -> None:
    plain, bought = usage(plan), usage(plan, slots_free=2, slots_in_use=1)
    assert (plain.project_limit, plain.deployment_limit) == (share, share)
    assert (bought.project_limit, bought.deployment_limit) == (share + 3, share + 3)


def test_project_beyond_the_limit_is_refused_with_the_limit_and_what_is_used() -> None:
    check_new_project(usage(projects=1, slots_free=1))
    with pytest.raises(LimitReached) as caught:
        check_new_project(usage(projects=2, slots_free=1))
    named = {"entitlement": "projects", "plan": "free", "ways_up": SLOT_OR_PLAN}
    assert caught.value.extra == {"limit": 2, "used": 2, **named}


def test_plan_without_a_limit_takes_no_slot_and_gives_all_back() -> None:
    many = usage(ENTERPRISE, projects=10_000, deployments=10_000, slots_in_use=3)
    check_new_project(many)
    assert (many.project_limit, many.deployment_limit) == (None, None)
    assert (slots_to_take(many), slots_to_return(many)) == (-3, 3)


def test_slots_that_a_plan_came_to_include_are_given_back_with_the_next_deployment() -> None:
    assert slots_to_take(usage(PREMIUM, deployments=3, slots_in_use=2)) == -2


@pytest.mark.parametrize(
    ("found", "taken"),
    [
        (usage(), 0),
        (usage(slots_free=3), 0),
        (usage(deployments=1, slots_free=1), 1),
        (usage(deployments=2, slots_free=1, slots_in_use=1), 1),
        (usage(PREMIUM, deployments=4, slots_free=1), 0),
        (usage(PREMIUM, deployments=5, slots_free=1), 1),
    ],
)
def test_deployment_takes_a_slot_only_beyond_the_share_of_the_tier(found: ProjectUsage, taken: int) -> None:
    assert slots_to_take(found) == taken


@pytest.mark.parametrize(
    "found",
    [
        usage(deployments=1),
        usage(deployments=2, slots_in_use=1),
        usage(PREMIUM, deployments=5),
        usage(deployments=5),
        usage(deployments=5, slots_free=4),
        usage(deployments=1, slots_owed=1),
    ],
)
def test_deployment_without_room_is_refused(found: ProjectUsage) -> None:
    with pytest.raises(LimitReached) as caught:
        slots_to_take(found)
    assert caught.value.extra["limit"] == found.deployment_limit
    assert caught.value.extra["used"] == found.deployments


def test_what_runs_beyond_a_lowered_tier_is_covered_before_something_new_starts() -> None:
    assert slots_to_take(usage(deployments=5, slots_free=5)) == 5
    assert slots_to_take(usage(deployments=3, slots_free=2, slots_in_use=1)) == 2


@pytest.mark.parametrize(
    ("found", "back"),
    [
        (usage(deployments=0), 0),
        (usage(deployments=1, slots_in_use=1), 1),
        (usage(deployments=2, slots_in_use=2), 1),
        (usage(deployments=4, slots_in_use=0), 0),
        (usage(deployments=4, slots_in_use=2), 0),
        (usage(PREMIUM, deployments=6, slots_in_use=5), 4),
    ],
)
def test_slots_are_given_back_as_far_as_nothing_needs_them(found: ProjectUsage, back: int) -> None:
    assert slots_to_return(found) == back


def test_slots_that_are_given_back_repay_what_is_owed_first() -> None:
    assert split_freed(3, 0) == (0, 3)
    assert split_freed(3, 2) == (2, 1)
    assert split_freed(1, 2) == (1, 0)


@dataclass
class Model:
    """An organization by the rules alone: what the books would hold after each step."""

    now: ProjectUsage
    lowered: bool = False

    def deploy(self, _amount: int) -> None:
        before = self.now
        try:
            slots = slots_to_take(before)
        except LimitReached:
            assert before.deployments >= limit_of(before)
            return
        assert slots <= before.slots_free
        self._moved(slots, deployments=before.deployments + 1)
        assert self.now.deployments <= limit_of(self.now)
        assert self.now.slots_in_use == self.now.slots_needed
        self.lowered = False

    def undeploy(self, _amount: int) -> None:
        if self.now.deployments:
            self.now = replace(self.now, deployments=self.now.deployments - 1)
            self._moved(-slots_to_return(self.now))

    def raise_tier(self, _amount: int) -> None:
        self.now = replace(self.now, plan=PREMIUM)
        self._moved(-slots_to_return(self.now))

    def lower_tier(self, _amount: int) -> None:
        self.now = replace(self.now, plan=FREE)
        self._moved(-slots_to_return(self.now))
        self.lowered = True

    def buy(self, amount: int) -> None:
        repaid, free = split_freed(amount, self.now.slots_owed)
        self.now = replace(self.now, slots_free=self.now.slots_free + free, slots_owed=self.now.slots_owed - repaid)

    def refund(self, amount: int) -> None:
        if amount <= self.now.slots_free:
            self.now = replace(self.now, slots_free=self.now.slots_free - amount)

    def charge_back(self, amount: int) -> None:
        taken = min(amount, self.now.slots_free)
        owed = self.now.slots_owed + amount - taken
        self.now = replace(self.now, slots_free=self.now.slots_free - taken, slots_owed=owed)

    def _moved(self, slots: int, **more: int) -> None:
        repaid, freed = split_freed(max(0, -slots), self.now.slots_owed)
        self.now = replace(
            self.now,
            slots_in_use=self.now.slots_in_use + slots,
            slots_free=self.now.slots_free + freed - max(0, slots),
            slots_owed=self.now.slots_owed - repaid,
            **more,
        )

    def check(self) -> None:
        now = self.now
        assert min(now.slots_free, now.slots_in_use, now.slots_owed, now.deployments) >= 0
        assert now.slots_in_use <= now.slots_needed
        assert not (now.slots_free and now.slots_owed)
        if not self.lowered:
            assert now.deployments <= limit_of(now)
            assert now.slots_in_use == now.slots_needed


STEPS: list[Callable[[Model, int], None]] = [
    *(Model.deploy, Model.undeploy, Model.buy, Model.refund, Model.charge_back, Model.raise_tier, Model.lower_tier),
    *(Model.deploy, Model.buy),  # more often, or little happens
]


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(1, 4)), max_size=40), st.sampled_from([FREE, PREMIUM]))
def test_no_order_of_steps_lets_anything_start_beyond_the_limit(steps: list[tuple[object, int]], plan: Plan) -> None:
    model = Model(usage(plan))
    for step, amount in steps:
        assert callable(step)
        step(model, amount)
        model.check()


def test_a_slot_that_is_bought_and_given_back_again_starts_nothing_beyond_a_lowered_tier() -> None:
    model = Model(usage(PREMIUM, deployments=5))
    model.lower_tier(0)
    model.undeploy(0)
    model.buy(4)
    model.deploy(0)
    assert (model.now.deployments, model.now.slots_in_use, model.now.slots_free) == (5, 4, 0)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Summaries", "summaries"),
        ("  Ünïcode & Söhne, 2nd ", "unicode-sohne-2nd"),
        ("a" * 200, "a" * 63),
        ("a" * 62 + " b", "a" * 62),
        ("x", "x"),
    ],
)
def test_slug_is_made_of_a_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text(min_size=1, max_size=200))
def test_slug_of_any_name_is_one_or_is_asked_for(name: str) -> None:
    try:
        slug = slug_of(name)
    except Invalid:
        assert not any(letter.isascii() and letter.isalnum() for letter in name)
    else:
        assert SLUG.fullmatch(slug)


@for_each("slug", ["", "-", "a-", "-a", "A", "a_b", "a b", "a" * 64, "ä", "a\n"])
def test_what_is_no_slug_is_told_apart(slug: str) -> None:
    assert SLUG.fullmatch(slug) is None


def test_price_is_that_of_every_slot() -> None:
    price = slot_price("5.00", "USD")
    assert (price.of(1), price.of(project.MAX_SLOTS)) == (500, 500_000)


@pytest.mark.parametrize(
    ("price", "currency"), [("0", "USD"), ("-1", "USD"), ("1.001", "USD"), ("x", "USD"), ("1", "SLOT"), ("1", "CREDIT")]
)
def test_price_that_nobody_could_pay_is_refused(price: str, currency: str) -> None:
    with pytest.raises(Invalid):
        slot_price(price, currency)


def test_slots_that_cost_more_than_the_books_hold_are_refused() -> None:
    with pytest.raises(Invalid):
        slot_price("9999999999999.00", "USD").of(2)
