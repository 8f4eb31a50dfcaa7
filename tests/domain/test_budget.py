from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from domain.budgets.budget import (
    BudgetTerms,
    Calendar,
    PoolCounter,
    Pools,
    carried_minor,
    tightest_window,
    window_states,
)
from domain.common.calendar import Window, zone_of
from domain.common.errors import Invalid
from domain.credits.spend.control import Limit, LimitTerms, Pool

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
AMOUNTS = st.integers(0, 10**9)
POOLS = (Pool.OPERATING, Pool.RESERVE, Pool.EMERGENCY)


def terms(amount: int, **pools: int | Window | None) -> BudgetTerms:
    return BudgetTerms(
        allowance=LimitTerms(limits=(Limit(window=Window.WEEK, amount_minor=amount),)), pools=Pools(**pools)
    )


@given(amount=AMOUNTS, reserve=AMOUNTS, emergency=AMOUNTS, day=AMOUNTS)
def test_pools_add_up_to_what_a_person_stated_or_are_refused(
    amount: int, reserve: int, emergency: int, day: int
) -> None:
    limits = (Limit(window=Window.DAY, amount_minor=day), Limit(window=Window.WEEK, amount_minor=amount))
    pools = Pools(reserve_minor=reserve, emergency_minor=emergency)
    if reserve + emergency > amount:
        with pytest.raises(Invalid) as refusal:
            BudgetTerms(allowance=LimitTerms(limits=limits), pools=pools)
        assert refusal.value.extra["field"] == ("reserve" if reserve > amount else "emergency")
        return
    made = BudgetTerms(allowance=LimitTerms(limits=limits), pools=pools)
    assert made.columns()["pools_of"] == "week"
    stored = Pools(reserve_minor=reserve, emergency_minor=emergency, pools_of=made.pools_of)
    [short, long] = window_states(limits, stored, {}, Calendar(), NOW)
    assert [state.amount_minor for state in short.pools.values()] == [day]
    assert sum(long.pools[pool].amount_minor for pool in POOLS) == amount
    assert all(state.remaining_minor >= 0 for state in long.pools.values())


@given(
    amount=st.integers(1, 10**6),
    shares=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    spent=st.lists(st.tuples(st.sampled_from(POOLS), st.integers(1, 10**5)), max_size=30),
    moves=st.lists(st.tuples(st.sampled_from(POOLS), st.sampled_from(POOLS), st.integers(1, 10**5)), max_size=10),
)
def test_spends_and_moves_within_pools_stay_within_the_amount(
    amount: int,
    shares: tuple[int, int],
    spent: list[tuple[Pool, int]],
    moves: list[tuple[Pool, Pool, int]],
) -> None:
    reserve = amount * shares[0] // 200
    emergency = amount * shares[1] // 200
    pools = Pools(reserve_minor=reserve, emergency_minor=emergency, pools_of=Window.WEEK)
    limits = (Limit(window=Window.WEEK, amount_minor=amount),)
    used, moved = dict.fromkeys(POOLS, 0), dict.fromkeys(POOLS, 0)

    def left() -> dict[Pool, int]:
        counts = {pool: PoolCounter(spent_minor=used[pool], moved_minor=moved[pool]) for pool in POOLS}
        [state] = window_states(limits, pools, {Window.WEEK: counts}, Calendar(), NOW)
        return {pool: state.pools[pool].remaining_minor for pool in POOLS}

    for source, target, part in moves:
        if source is not target and part <= left()[source]:
            moved[source] -= part
            moved[target] += part
    for pool, part in spent:
        if part <= left()[pool]:
            used[pool] += part
    assert sum(used.values()) + sum(left().values()) == amount


@pytest.mark.parametrize(
    ("before", "carried"),
    [
        (None, 10),
        (PoolCounter(spent_minor=25), 5),
        (PoolCounter(spent_minor=20, held_minor=15), 0),
        (PoolCounter(spent_minor=25, moved_minor=10, carried_minor=2), 10),
    ],
)
def test_unused_amount_is_carried_over_up_to_its_limit(before: PoolCounter | None, carried: int) -> None:
    pools = Pools(reserve_minor=50, emergency_minor=20, carry_over_minor=10, pools_of=Window.WEEK)
    assert carried_minor(pools, 100, before) == carried
    assert carried_minor(Pools(pools_of=Window.WEEK), 100, before) == 0


def test_the_window_with_the_least_left_is_binding_and_of_equal_ones_the_last_to_reset() -> None:
    limits = tuple(
        Limit(window=window, amount_minor=amount, uses=uses)
        for window, amount, uses in ((Window.DAY, 25, None), (Window.WEEK, 100, 9), (Window.MONTH, 100, None))
    )
    pools = Pools(reserve_minor=50, emergency_minor=25, pools_of=Window.WEEK)

    def first(**counts: PoolCounter) -> Window | None:
        counted = {Window(name): {Pool.OPERATING: count} for name, count in counts.items()}
        found = tightest_window(window_states(limits, pools, counted, Calendar(zone="America/Toronto"), NOW))
        return None if found is None else found.limit.window

    assert first() is Window.WEEK
    assert first(day=PoolCounter(spent_minor=1)) is Window.DAY
    assert first(month=PoolCounter(spent_minor=100)) is Window.MONTH
    assert first(day=PoolCounter(spent_minor=25), week=PoolCounter(uses=9)) is Window.WEEK


def test_windows_reset_by_the_zone_of_the_budget() -> None:
    [state] = window_states(
        (Limit(window=Window.DAY, amount_minor=1),), Pools(), {}, Calendar(zone="America/Toronto"), NOW
    )
    assert state.starts_at is not None
    assert state.starts_at.astimezone(zone_of("America/Toronto")).hour == 0
    assert (state.resets_at or NOW) - state.starts_at == timedelta(days=1)


@pytest.mark.parametrize("kept", list(pairwise(["reserve", "emergency", "carry_over", "may_draw_reserve"])))
def test_a_number_below_zero_is_refused_with_its_name(kept: tuple[str, str]) -> None:
    for name in kept:
        with pytest.raises(Invalid) as refusal:
            terms(100, **{f"{name}_minor": -1})
        assert refusal.value.extra["field"] == name
