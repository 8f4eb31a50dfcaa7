"""Division of a project's daily budget: exact, bounded, and monotone in each term."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given, strategies as st

from dev.bench import economy_allocation as bench
from domain.returns.allocation import (
    HORIZON_DAYS,
    ONE_E6,
    AgentFactors,
    LineBound,
    ShareBounds,
    day_bounds,
    divide,
    estimates_e6,
    explain_line,
    reinvested_minor,
    time_e6,
)

DAY = date(2026, 3, 1)
TERMS = st.builds(
    AgentFactors,
    performance_e6=st.integers(0, ONE_E6),
    task_minor=st.integers(0, 10_000),
    time_e6=st.integers(1, ONE_E6),
    success_e6=st.integers(0, 50 * ONE_E6),
)
OLD = st.none() | st.integers(0, 5_000)
AGENTS = st.lists(st.tuples(OLD, TERMS), min_size=1, max_size=8).map(
    lambda found: {f"agt_{at}": each for at, each in enumerate(found)}
)
BOUNDS = st.builds(ShareBounds, floor_e4=st.integers(0, 10_000), ceiling_e4=st.integers(10_000, 90_000))
TOTALS = st.integers(0, 30_000)


@dataclass(frozen=True)
class DayOfAgent:
    agent_id: str
    day: date
    cost_minor: int
    revenue_minor: int


NIGHTS = st.lists(
    st.builds(
        DayOfAgent,
        agent_id=st.sampled_from(["a", "b", "c"]),
        day=st.integers(-HORIZON_DAYS, 3).map(lambda days: DAY + timedelta(days=days)),
        cost_minor=st.integers(0, 10_000),
        revenue_minor=st.integers(0, 20_000),
    ),
    max_size=12,
)


@given(TOTALS, AGENTS, BOUNDS)
def test_parts_add_up_to_the_cent(
    total: int, agents: dict[str, tuple[int | None, AgentFactors]], bounds: ShareBounds
) -> None:
    lines = divide(total, agents, bounds)
    assert sum(line.new_minor for line in lines) == total
    assert [(line.agent_id, line.old_minor, line.terms) for line in lines] == [(i, *agents[i]) for i in sorted(agents)]


@given(st.integers(0, 30_000 * 10_000), AGENTS, BOUNDS)
def test_parts_are_whole_cents_of_an_asset_with_more_decimals(
    total: int, agents: dict[str, tuple[int | None, AgentFactors]], bounds: ShareBounds
) -> None:
    first, *others = divide(total, agents, bounds, cent_minor=10_000)
    assert first.new_minor % 10_000 == total % 10_000
    assert [line.new_minor % 10_000 for line in others] == [0] * len(others)
    assert first.new_minor + sum(line.new_minor for line in others) == total


@given(TOTALS, AGENTS, BOUNDS)
def test_parts_stay_between_floor_and_ceiling(
    total: int, agents: dict[str, tuple[int | None, AgentFactors]], bounds: ShareBounds
) -> None:
    equal = Fraction(total, len(agents))
    for line in divide(total, agents, bounds):
        assert int(equal * bounds.floor_e4 / 10_000) <= line.new_minor
        assert line.new_minor <= -(-equal * bounds.ceiling_e4 // 10_000)


@given(TOTALS, st.lists(TERMS, min_size=1, max_size=8), st.data())
def test_share_changes_by_at_most_a_fifth_or_one_per_run(
    total: int, terms: list[AgentFactors], data: st.DataObject
) -> None:
    wide = ShareBounds(floor_e4=0, ceiling_e4=10_000 * len(terms))
    old = [line.new_minor for line in divide(total, {f"agt_{at}": (None, each) for at, each in enumerate(terms)}, wide)]
    new = divide(total, {f"agt_{at}": (old[at], data.draw(TERMS)) for at in range(len(terms))}, wide)
    for before, line in zip(old, new, strict=True):
        assert abs(line.new_minor - before) <= max(Fraction(1), before * Fraction(1, 5))


@given(
    TOTALS,
    AGENTS,
    BOUNDS,
    st.sampled_from(["performance_e6", "task_minor", "time_e6", "success_e6"]),
    st.integers(1, ONE_E6),
    st.data(),
)
def test_higher_term_never_lowers_the_share(
    total: int,
    agents: dict[str, tuple[int | None, AgentFactors]],
    bounds: ShareBounds,
    term: str,
    more: int,
    data: st.DataObject,
) -> None:
    one = data.draw(st.sampled_from(sorted(agents)))
    old, terms = agents[one]
    most = ONE_E6 if term in {"performance_e6", "time_e6"} else 10**9
    better = agents | {one: (old, replace(terms, **{term: min(most, getattr(terms, term) + more)}))}
    before, after = (
        {line.agent_id: line.new_minor for line in divide(total, each, bounds)} for each in (agents, better)
    )
    assert after[one] >= before[one]


@pytest.mark.parametrize(
    "better",
    [{"performance_e6": ONE_E6}, {"task_minor": 5_000}, {"time_e6": ONE_E6}, {"success_e6": ONE_E6}],
    ids=lambda better: next(iter(better)),
)
def test_each_term_counts(better: dict[str, int]) -> None:
    terms = AgentFactors(performance_e6=500_000, task_minor=0, time_e6=500_000, success_e6=500_000)
    first, second = divide(10_000, {"a": (5_000, terms), "b": (5_000, replace(terms, **better))})
    assert first.new_minor < 5_000 < second.new_minor


@given(NIGHTS, st.integers(1, 100_000), st.integers(1, 20_000), st.data())
def test_higher_revenue_never_lowers_the_share(
    nights: list[DayOfAgent], equal: int, more: int, data: st.DataObject
) -> None:
    def parts(of: list[DayOfAgent]) -> dict[str, int]:
        estimates = estimates_e6(of, "abc", through=DAY, equal_minor=Fraction(equal))
        same = {"performance_e6": 0, "task_minor": 0, "time_e6": ONE_E6}
        lines = divide(1_000, {each: (None, AgentFactors(success_e6=estimates[each], **same)) for each in "abc"})
        return {line.agent_id: line.new_minor for line in lines}

    one = DayOfAgent(data.draw(st.sampled_from("abc")), DAY - timedelta(days=data.draw(st.integers(0, 90))), 0, more)
    # Estimates are rounded to millionths, which can be a cent.
    assert parts([*nights, one])[one.agent_id] >= parts(nights)[one.agent_id] - 1


def test_unmatured_revenue_does_not_count_and_old_revenue_counts_little() -> None:
    def bound(*nights: DayOfAgent) -> int:
        return estimates_e6(nights, ["a", "b"], through=DAY, equal_minor=Fraction(100))["a"]

    ago = [DayOfAgent("a", DAY - timedelta(days=days), 100, 300) for days in (0, 20, HORIZON_DAYS)]
    late = DayOfAgent("a", DAY + timedelta(days=1), 100, 9_900)
    others = DayOfAgent("other", DAY, 100, 9_900)
    assert bound() == bound(late) == bound(others) == bound(ago[2]) == 0
    assert bound(ago[0]) == bound(ago[0], late)
    # Of 100 that brought 300, and 500 that are taken to have earned half of that: 300 + 750 of 600.
    assert bound(ago[0]) == 1_750_000
    assert bound(ago[1]) < bound(ago[0]) < bound(ago[0], ago[0]) < 3 * ONE_E6


@given(NIGHTS, st.integers(1, 100_000))
@example([DayOfAgent("a", DAY, 1_500, 500), DayOfAgent("b", DAY, 1_000, 9_000)], 1_000)
def test_reason_calls_the_return_an_estimate(nights: list[DayOfAgent], equal: int) -> None:
    """It includes unseen days, so it may exceed the revenue that an agent has brought."""
    for found in estimates_e6(nights, "abc", through=DAY, equal_minor=Fraction(equal)).values():
        terms = AgentFactors(performance_e6=0, task_minor=0, time_e6=ONE_E6, success_e6=found)
        [line] = divide(100, {"a": (None, terms)})
        said = explain_line(line, "USD")
        assert said.startswith("Every 1.00 spent is estimated to bring ")
        assert "brought" not in said


def test_reasons_name_the_terms_and_the_limits() -> None:
    terms = AgentFactors(performance_e6=730_000, task_minor=2_050, time_e6=ONE_E6, success_e6=1_420_000)
    poor = replace(terms, success_e6=0, time_e6=ONE_E6 // 2)
    rich, low = divide(10_000, {"a": (5_000, terms), "b": (5_000, poor)})
    assert (rich.new_minor, low.new_minor) == (6_000, 4_000)
    assert explain_line(rich, "USD") == (
        "Every 1.00 spent is estimated to bring 1.42, its reputation is at least 7.30, and its open work costs about "
        "20.50 USD. Its share changes by a fifth a night at most."
    )
    assert "and its budget lasts for 50 % of the day." in explain_line(low, "USD")
    least = divide(10_000, {"a": (8_600, terms), "b": (1_400, poor)})
    assert [line.bound for line in least] == [LineBound.NONE, LineBound.FLOOR]


def test_allocation_without_agents_is_empty() -> None:
    assert divide(100, {}) == ()


def test_profit_is_reinvested_once_and_never_above_the_balance() -> None:
    def added(profit: int, already: int, there: int = 10**9) -> int:
        return reinvested_minor(profit, 2_500, already_minor=already, daily_minor=10_000, there_minor=there)

    assert added(4_000, 0) == 1_000
    assert added(4_000, 1_000) == 0
    # 2,000 of it are reversed, and 4,000 are earned anew: a quarter of what is left, less what was given too much.
    assert added(6_000, 1_000) == 500
    assert added(-4_000, 1_000) == 0
    assert added(4_000, 0, there=10_300) == 300
    assert added(4_000, 0, there=9_000) == 0


def test_day_length_follows_the_time_zone() -> None:
    begins, ends = day_bounds(date(2026, 3, 29), "Europe/Vienna")
    assert (begins, ends - begins) == (datetime(2026, 3, 28, 23, tzinfo=UTC), timedelta(hours=23))
    middle = begins + (ends - begins) / 2
    assert time_e6((begins, ends), None, None) == ONE_E6
    assert time_e6((begins, ends), middle, None) == time_e6((begins, ends), None, middle) == ONE_E6 // 2
    assert time_e6((begins, ends), ends, None) == time_e6((begins, ends), None, begins) == 0


def test_rule_approaches_the_optimal_allocation() -> None:
    worlds = [bench.world(seed) for seed in range(3)]
    parts = [bench.played(days, bench.product)[0] for days in worlds]
    assert min(parts) > 0.84
    assert sum(parts) / 3 > 0.90
