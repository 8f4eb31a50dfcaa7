"""Years that several bills have paid: what their months cost adds up to what was paid, and no money pays twice."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, strategies as st

from domain.billing.subscription.accrual import DeferredRevenue
from domain.billing.subscription.commands import preview
from domain.billing.subscription.grants import monthly_grant
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.refund import credits_left, net_cost
from domain.billing.subscription.snapshot import BillReason
from domain.billing.subscription.state import CreditGrant, Subscription
from tests.domain.subscription.building import (
    ANCHOR,
    MONTH,
    PLANS,
    START,
    YEAR,
    active,
    bill,
    created,
    days,
    month,
    ordered,
    seen,
    taken,
    terms,
)

PAID = [plan.name for plan in PLANS.all if plan.prices]
YEAR_SECONDS = 365 * 86_400
CREDITS = 10**6


@dataclass
class Year:
    """A year from its first bill on: every look, and every month that has begun when it is granted."""

    held: Subscription
    grants: list[CreditGrant] = field(default_factory=list)
    paid: dict[str, int] = field(default_factory=dict)
    number: int = 1

    @classmethod
    def begun(cls, plan: str) -> "Year":
        made, period = confirm_order(created(plan, YEAR)), month(0, 12)
        price = made.terms.amount_minor
        outcome = taken(made, seen(bill(0, price, period), period=period))
        return cls(outcome.subscription, [*outcome.grants], {"in_0": price})

    def until(self, at: datetime) -> None:
        while (outcome := monthly_grant(self.held, at)) is not None:
            self.held, self.grants = outcome.subscription, [*self.grants, *outcome.grants]

    def upgrade(self, plan: str, at: datetime, *, paid_at: datetime | None = None) -> None:
        due = preview(self.held, PLANS, terms(plan, YEAR), 1, at).due_minor
        self.held = ordered(self.held, terms(plan, YEAR), at, f"cmd_{self.number}")
        self.until(paid_at or at)
        more = bill(self.number, due, None, reason=BillReason.UPDATE, created_at=at)
        outcome = taken(self.held, seen(more, period=month(0, 12)), paid_at or at)
        self.held, self.grants = outcome.subscription, [*self.grants, *outcome.grants]
        self.paid[more.ref], self.number = due, self.number + 1

    def cost_of(self, bill_ref: str) -> int:
        return sum(each.paid_minor for each in self.grants if each.bill_ref == bill_ref)

    def credits_of(self, bill_ref: str) -> list[int]:
        return [each.credits_minor // CREDITS for each in self.grants if each.bill_ref == bill_ref]


changes = st.lists(
    st.tuples(st.sampled_from(PAID), st.integers(0, YEAR_SECONDS - 1), st.integers(0, 86_400)), max_size=5
)


@given(st.sampled_from(PAID), changes, st.integers(1, 100))
def test_whatever_upgrades_a_year_has_its_months_cost_what_each_bill_was_paid(
    first: str, wanted: list[tuple[str, int, int]], taxed: int
) -> None:
    year, plan, free_from = Year.begun(first), PLANS.get(first), START
    bought = {"in_0": plan.credits_minor}
    for name, second, late in sorted(wanted, key=lambda each: each[1]):
        at = max(START + timedelta(seconds=second), free_from)
        paid_at = min(at + timedelta(seconds=late), ANCHOR.after(12) - timedelta(seconds=1))
        if PLANS.rank(name) <= PLANS.rank(plan.name) or paid_at < at:
            continue
        year.until(at)
        ref = f"in_{year.number}"
        year.upgrade(name, at, paid_at=paid_at)
        bought[ref] = PLANS.get(name).credits_minor - plan.credits_minor
        plan, free_from = PLANS.get(name), paid_at
    year.until(ANCHOR.after(12))
    assert len({each.key for each in year.grants}) == len(year.grants)
    for ref, paid in year.paid.items():
        grants = [each for each in year.grants if each.bill_ref == ref]
        months = [each for each in grants if not each.key.endswith(":upgrade")]
        # Each grants its own part of every month, and nothing where nothing was paid.
        assert {each.credits_minor for each in months} <= {bought[ref]}
        if not paid or not bought[ref]:
            assert grants == []
            continue
        if grants:
            assert year.cost_of(ref) == paid
            net = paid * 100 // (100 + taxed)
            assert sum(net_cost(each, net_minor=net, gross_minor=paid) for each in grants) == net
    for number in range(12):
        begins = [each for each in year.grants if each.month.start == ANCHOR.after(number)]
        assert sum(each.credits_minor for each in begins) <= plan.credits_minor
    if plan.credits_minor and free_from < ANCHOR.after(11):
        last = [each for each in year.grants if each.key.endswith(f":{ANCHOR.after(11):%Y-%m-%d}")]
        assert sum(each.credits_minor for each in last) == plan.credits_minor


def test_months_of_an_upgraded_year_hang_on_the_bill_that_has_paid_for_them() -> None:
    year = Year.begun("starter")
    year.upgrade("professional", START + days(14))
    year.until(ANCHOR.after(2))
    year.upgrade("enterprise", ANCHOR.after(2) + days(1))
    year.until(ANCHOR.after(12))
    assert year.credits_of("in_0") == [500] * 12
    assert year.credits_of("in_1") == [750, *[1_500] * 11]
    assert year.credits_of("in_2") == [7_734, *[8_000] * 9]
    assert {ref: year.cost_of(ref) for ref in year.paid} == year.paid
    # What half a month grants costs half of what a month costs.
    own, following = [each.paid_minor for each in year.grants if each.bill_ref == "in_1"][:2]
    assert 2 * own in range(following - 2, following + 3)


def test_month_that_begins_before_an_upgrade_is_paid_has_its_credits_all_the_same() -> None:
    year, at = Year.begun("starter"), ANCHOR.after(1) - timedelta(hours=1)
    year.upgrade("enterprise", at, paid_at=ANCHOR.after(1) + timedelta(hours=1))
    assert year.credits_of("in_0") == [500] * 2
    assert year.credits_of("in_1") == [15, 9_500]
    year.until(ANCHOR.after(12))
    assert (year.cost_of("in_1"), len(year.credits_of("in_1"))) == (year.paid["in_1"], 12)


def test_upgrade_at_the_first_moment_of_a_month_grants_that_month_once() -> None:
    year = Year.begun("starter")
    year.upgrade("enterprise", ANCHOR.after(1))
    assert sum(year.credits_of("in_0")[1:] + year.credits_of("in_1")) == 10_000


def test_months_that_were_over_before_a_plan_with_credits_began_grant_nothing() -> None:
    year, at = Year.begun("premium"), ANCHOR.after(4) + days(1)
    year.upgrade("starter", at)
    year.until(ANCHOR.after(12))
    assert year.credits_of("in_0") == []
    assert year.credits_of("in_1")[1:] == [500] * 7
    assert year.credits_of("in_1")[0] < 500
    assert year.cost_of("in_1") == year.paid["in_1"]


def test_upgrade_for_which_nothing_was_received_leaves_the_months_of_before() -> None:
    """Less than the provider charges is owed there, and paid with the next year."""
    year, at = Year.begun("starter"), START + days(1)
    held = ordered(year.held, terms("enterprise", YEAR), at)
    update = replace(bill(1, 0, None, reason=BillReason.UPDATE, created_at=at), total_minor=40)
    outcome = taken(held, seen(update, period=month(0, 12)), at)
    assert (outcome.settled, outcome.grants, outcome.plan) == ((), (), "enterprise")
    year.held = outcome.subscription
    year.until(ANCHOR.after(12))
    assert year.credits_of("in_0") == [500] * 12
    assert year.credits_of("in_1") == []


def test_larger_plan_at_the_same_agreed_price_is_paid_for_by_the_bill_of_before() -> None:
    year, at = Year.begun("starter"), START + days(1)
    same = replace(terms("enterprise", YEAR), amount_minor=29_000, is_agreed=True)
    update = bill(1, 0, None, reason=BillReason.UPDATE, created_at=at)
    year.held = taken(ordered(year.held, same, at), seen(update, period=month(0, 12)), at).subscription
    year.until(ANCHOR.after(12))
    assert year.credits_of("in_0") == [500, *[10_000] * 11]
    assert year.cost_of("in_0") == 29_000


def test_year_instead_of_a_month_costs_by_the_credits_that_it_grants() -> None:
    held, at = active("enterprise", MONTH), START + timedelta(hours=1)
    shown = preview(held, PLANS, terms("enterprise", YEAR), 1, at)
    assert shown.proration is not None
    update = bill(1, shown.due_minor, shown.proration.period, reason=BillReason.UPDATE, created_at=at)
    outcome = taken(ordered(held, terms("enterprise", YEAR), at), seen(update, period=shown.proration.period), at)
    (first,) = outcome.grants
    assert first.credits_minor // CREDITS == 15
    year = Year(outcome.subscription, [first])
    year.until(at + days(400))
    assert first.paid_minor < 40
    assert sum(each.paid_minor for each in year.grants) == shown.due_minor
    assert year.credits_of("in_1")[1:] == [10_000] * 11


def test_renewal_of_an_upgraded_year_is_paid_by_its_own_bill_alone() -> None:
    year = Year.begun("starter")
    year.upgrade("enterprise", START + days(1))
    renewal = seen(bill(9, 299_000, month(12, 12)), period=month(12, 12))
    outcome = taken(year.held, renewal, ANCHOR.after(12))
    year = Year(outcome.subscription, [*year.grants, *outcome.grants], year.paid)
    assert year.cost_of("in_1") == year.paid["in_1"]
    year.until(ANCHOR.after(24))
    assert (year.credits_of("in_9"), year.cost_of("in_9")) == ([10_000] * 12, 299_000)


def test_month_that_costs_less_than_a_minor_unit_is_not_granted_once_its_money_is_gone() -> None:
    bill_of_five = DeferredRevenue(amount_minor=5, period=month(0, 12), for_credits_minor=5, granted_minor=5)
    assert credits_left(500, 0, bill_of_five, gone_minor=0) == (500, 0)
    assert credits_left(500, 0, bill_of_five, gone_minor=5) == (0, 0)
