"""ROI: counted revenue, division of shared costs, payback, and null figures."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given, strategies as st

from domain.common.errors import Invalid
from domain.common.money import allocate
from domain.returns import roi
from domain.returns.revenue_event import (
    ALL_BPS,
    RequestedShare,
    RevenueShare,
    RevenueStatus,
    ShareRule,
    compute_shares,
    divide_by_shares,
)
from domain.returns.roi import CostKind, DailyCost, DailyRevenue, RoiScope
from domain.usage.run import RunPart, cost_of

DAY = date(2026, 1, 5)
OWN = RevenueShare(agent_id="a", project_id="p", bps=ALL_BPS)


def cost(minor: int | Fraction, agent: str | None = "a", *, day: int = 0, **more: object) -> DailyCost:
    values = {"project_id": None, "model": None, "kind": CostKind.USAGE, **more}
    return DailyCost(day=DAY + timedelta(days=day), agent_id=agent, asset="USD", minor=minor, **values)


def revenue(
    minor: int | Fraction, agent: str | None = "a", *, day: int = 0, status: str = "confirmed", **more: int | Fraction
) -> DailyRevenue:
    values = {"reversed_minor": 0, "commission_minor": 0, **more}
    return DailyRevenue(
        day=DAY + timedelta(days=day),
        agent_id=agent,
        project_id=None,
        status=status,
        asset="USD",
        amount_minor=minor,
        **values,
    )


def figures(scope: RoiScope, costs: list[DailyCost], earned: list[DailyRevenue]) -> dict[str | None, roi.Roi]:
    found = roi.figures(scope, costs, earned, of="org", since=DAY, until=DAY + timedelta(days=14))
    return {each.id: each for each in found}


def test_only_confirmed_revenue_less_reversals_counts() -> None:
    earned = [revenue(500, status="reported"), revenue(70, status="rejected")]
    earned += [revenue(100, commission_minor=10), revenue(40, status="reversed", reversed_minor=40)]
    found = figures(RoiScope.AGENT, [cost(50)], earned)["a"]
    assert {str(status): minor for status, minor in found.revenue.items()} == {
        "reported": 500,
        "confirmed": 100,
        "rejected": 70,
        "reversed": 40,
    }
    assert (found.cost_minor, found.margin_minor, found.roi) == (60, 40, Fraction(2, 3))
    assert figures(RoiScope.AGENT, [], [revenue(5, status="reported")])["a"].roi is None


def test_shared_costs_are_divided_by_own_cost() -> None:
    costs = [cost(30, "a"), cost(10, "b"), cost(8, None)]
    found = figures(RoiScope.AGENT, costs, [revenue(1, "c")])
    assert {name: each.costs[CostKind.SHARED] for name, each in found.items()} == {"a": 6, "b": 2, "c": 0}
    # Where nobody has costs of its own, who earned shares them equally; without any of these nobody does.
    assert {
        name: each.cost_minor for name, each in figures(RoiScope.AGENT, [cost(8, None)], [revenue(1, "c")]).items()
    } == {"c": 8}
    assert figures(RoiScope.AGENT, [cost(8, None)], [])[None].costs[CostKind.SHARED] == 8
    assert figures(RoiScope.ORGANIZATION, costs, [])["org"].costs[CostKind.SHARED] == 8


@given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from(["a", "b", "c", None])), min_size=1), st.integers(1, 99))
def test_rows_add_up_to_the_totals(drawn: list[tuple[int, str | None]], earned: int) -> None:
    costs = [cost(minor, agent, model=agent and f"model {minor % 3}") for minor, agent in drawn]
    costs += [cost(Fraction(minor, 7), agent) for minor, agent in drawn]
    brought = [revenue(earned, agent, commission_minor=Fraction(earned, 9)) for _, agent in drawn]
    brought += [revenue(Fraction(earned, 3), agent, status="reported") for _, agent in drawn]
    [whole] = figures(RoiScope.ORGANIZATION, costs, brought).values()
    for scope in (RoiScope.AGENT, RoiScope.MODEL):
        rows = figures(scope, costs, brought).values()
        for status in RevenueStatus:
            assert sum(row.revenue[status] for row in rows) == whole.revenue[status]
        for kind in CostKind if scope is RoiScope.AGENT else (CostKind.COMMISSION,):
            assert sum(row.costs[kind] for row in rows) == whole.costs[kind]


def test_costs_of_a_project_stay_in_it() -> None:
    costs = [cost(10, "a", project_id="p"), cost(10, "b", project_id="q"), cost(6, None, project_id="p")]
    assert {name: each.cost_minor for name, each in figures(RoiScope.AGENT, costs, []).items()} == {"a": 16, "b": 10}
    # By project, what an agent cost without one is no project's; what nobody made is shared by what each cost.
    found = figures(RoiScope.PROJECT, [*costs, cost(4, "c"), cost(13, None)], [])
    shared = {name: (each.cost_minor, each.costs[CostKind.SHARED]) for name, each in found.items()}
    assert shared == {"p": (24, 8), "q": (15, 5), None: (4, 0)}


def test_revenue_of_an_agent_is_divided_over_its_models_by_their_cost() -> None:
    costs = [cost(30, model="large"), cost(10, model="small"), cost(5, "b")]
    found = figures(RoiScope.MODEL, costs, [revenue(100), revenue(7, "b")])
    assert {name: each.revenue_minor for name, each in found.items()} == {"large": 75, "small": 25, None: 7}


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([(0, 10), (20, 0)], 1),
        ([(0, 10), (20, 0), (0, 30), (40, 0)], 3),
        ([(0, 10), (9, 0)], None),
        ([(30, 0), (0, 10)], 0),
        ([(30, 0)], None),
    ],
)
def test_payback_is_when_revenue_covers_all_costs_permanently(
    days: list[tuple[int, int]], expected: int | None
) -> None:
    assert roi.days_to_payback([(Fraction(earned), Fraction(spent)) for earned, spent in days]) == expected


def test_lower_bound_approaches_the_mean_as_variance_falls() -> None:
    steady = [(Fraction(20), Fraction(10))] * 10
    mixed = [(Fraction(40 if at % 2 else 0), Fraction(10)) for at in range(10)]
    assert roi.lower_bound(steady) == 1
    low = roi.lower_bound(mixed)
    assert low is not None
    assert low < 1
    assert roi.lower_bound(mixed[:6]) is None
    assert roi.lower_bound([(Fraction(1), Fraction(0))] * 10) is None


def test_projection_needs_enough_days_and_has_an_interval() -> None:
    assert roi.forecast_margin([5] * 10) is None
    assert roi.forecast_margin([0] * 90) is None
    assert roi.forecast_margin([0] * 89 + [2400]) is None
    week = roi.forecast_margin([5] * 30)
    assert week is not None
    assert (week.days, week.margin_minor, week.low_minor, week.high_minor) == (7, 35, 35, 35)
    month = roi.forecast_margin([at % 7 + (at * 7) % 5 for at in range(90)])
    assert month is not None
    assert month.days == 28
    assert month.low_minor < month.margin_minor < month.high_minor


def test_daily_figures_keep_project_costs_and_shared_costs_apart() -> None:
    costs = [cost(3, project_id="p"), cost(4, project_id="q"), cost(9, None, project_id="p"), cost(2, day=1)]
    earned = [revenue(10, commission_minor=1, reversed_minor=4), revenue(5, status="reported")]
    found = [
        (n.agent_id, n.day.day, n.cost_minor, n.revenue_minor)
        for n in roi.daily_results(costs, earned, project_id=None)
    ]
    assert found == [(None, 5, 9, 0), ("a", 5, 8, 6), ("a", 6, 2, 0)]
    of_project = roi.daily_results(costs, earned, project_id="p")
    assert [(night.agent_id, night.cost_minor, night.revenue_minor) for night in of_project] == [
        (None, 9, 0),
        ("a", 3, 0),
    ]


def shared_by(weights: list[int]) -> tuple[RevenueShare, ...]:
    wanted = [RequestedShare(agent_id=str(at), project_id=None, weight=weight) for at, weight in enumerate(weights)]
    return compute_shares(ShareRule.MANUAL, wanted, OWN)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=9),
    st.integers(1, 10**6) | st.integers(1, 30),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
@example([4, 3, 3], 2, 5_000, 0)
def test_pitfall_65_remainder_after_a_reversal_is_divided_by_the_shares(
    weights: list[int], amount: int, back_e4: int, commission_e4: int
) -> None:
    parts, back = shared_by(weights), amount * back_e4 // 10_000
    kept = amount - back
    commission = kept * commission_e4 // 10_000
    found = divide_by_shares(amount, back, commission, parts)
    rows = [revenue(*each[:1], reversed_minor=each[1], commission_minor=each[2]) for each in found]
    assert [row.net_minor for row in rows] == allocate(kept, [part.bps for part in parts])
    assert [sum(each) for each in zip(*found, strict=True)] == [amount, back, commission]
    # None has less than nothing, and none pays commission of what others have kept.
    assert all(0 <= row.paid_minor <= row.net_minor <= row.amount_minor for row in rows)


def test_commission_remaining_after_a_reversal_is_divided_by_the_shares() -> None:
    assert divide_by_shares(10, 10, 3, shared_by([2, 1])) == [(7, 7, 2), (3, 3, 1)]


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=100))
def test_shares_make_10_000(weights: list[int]) -> None:
    wanted = [RequestedShare(agent_id=str(at), project_id=None, weight=weight) for at, weight in enumerate(weights)]
    parts = compute_shares(ShareRule.MANUAL, wanted, OWN)
    assert sum(part.bps for part in parts) == ALL_BPS
    equal = [RequestedShare(agent_id=part.agent_id, project_id=None) for part in wanted]
    assert max(part.bps for part in compute_shares(ShareRule.EQUAL, equal, OWN)) - ALL_BPS // len(equal) <= 1


def test_shares_by_run_follow_each_agents_cost() -> None:
    def part(agent: str | None, pico: int, currency: str = "USD") -> RunPart:
        return RunPart(agent_id=agent, step_id=None, parent_id=None, currency=currency, events=1, cost_pico=pico)

    run = cost_of([part("a", 100), part("b", 200), part(None, 100)])
    found = {each.agent_id: each.bps for each in compute_shares(ShareRule.RUN, [], OWN, run)}
    assert found == {"a": 5000, "b": 5000}
    for wrong in (None, cost_of([]), cost_of([part("a", 1), part("a", 1, "EUR")])):
        with pytest.raises(Invalid):
            compute_shares(ShareRule.RUN, [], OWN, wrong)


@pytest.mark.parametrize(
    ("rule", "weights"),
    [
        (ShareRule.FIXED, [9_999]),
        (ShareRule.FIXED, [None]),
        (ShareRule.EQUAL, [1]),
        (ShareRule.MANUAL, [0]),
        (ShareRule.MANUAL, []),
        (ShareRule.DIRECT, [1]),
    ],
)
def test_shares_that_do_not_match_the_rule_are_refused(rule: ShareRule, weights: list[int | None]) -> None:
    wanted = [RequestedShare(agent_id=str(at), project_id=None, weight=weight) for at, weight in enumerate(weights)]
    with pytest.raises(Invalid):
        compute_shares(rule, wanted, OWN)
