"""The rules of a budget: a spend control with two pools inside one of its windows, and how its state reads.

100 a week with a reserve of 50 and an emergency pool of 20 leaves 30 to operate with: the number that a person stated
is the most that can go. Amounts are integers in minor units of the budget's asset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.calendar import FOREVER, Window, window_end, window_start, zone_of
from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR
from domain.credits.spend.control import Allowance, Limit, remaining_minor

#: The longest time for which an emergency can be declared.
EMERGENCY_LASTS = timedelta(days=7)


class Pool(StrEnum):
    """A part of a budget's window. `allowance` counts what agents drew from the reserve without a person."""

    OPERATING = "operating"
    RESERVE = "reserve"
    EMERGENCY = "emergency"
    ALLOWANCE = "allowance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The pools of a budget.

    Attributes:
        reserve_minor: the part of the window `pools_of` that is kept in reserve; None for no reserve.
        emergency_minor: the part of that window for emergencies; None for none.
        pools_of: the window whose amount the pools are parts of; None if the budget has no pools.
        carry_over_minor: the most that is carried over of the operating pool into the next of these windows.
        may_draw_reserve_minor: the most that agents draw from the reserve in this window without a person.
    """

    reserve_minor: int | None = None
    emergency_minor: int | None = None
    pools_of: Window | None = None
    carry_over_minor: int | None = None
    may_draw_reserve_minor: int | None = None

    def columns(self) -> dict[str, object]:
        """Return what is stored of it, by column, as JSON."""
        return {
            "reserve": self.reserve_minor,
            "emergency": self.emergency_minor,
            "pools_of": None if self.pools_of is None else self.pools_of.value,
            "carry_over": self.carry_over_minor,
            "may_draw_reserve": self.may_draw_reserve_minor,
        }


def longest(windows: Sequence[Window]) -> Window | None:
    """Return the longest of some windows; None if there is none."""
    return max(windows, key=list(Window).index, default=None)


def pools_within(allowance: Allowance, pools: Pools) -> Pools:
    """Return the pools of a budget with their window, which is the longest one unless it was named.

    Raises:
        Invalid: the budget has no window with an amount, the pools are above the amount of their window, or a number
            contradicts another one; `extra.field` names it.
    """
    amounts = {limit.window: limit.amount_minor for limit in allowance.limits if limit.amount_minor is not None}
    if not amounts or len(amounts) < len(allowance.limits):
        raise _invalid("A budget needs at least one window, and an amount in each.", "limits")
    if allowance.per_spend_minor is not None and allowance.per_spend_minor > max(amounts.values()):
        raise _invalid("per_spend is above the amount of every window.", "per_spend")
    stated = {
        "reserve": pools.reserve_minor,
        "emergency": pools.emergency_minor,
        "carry_over": pools.carry_over_minor,
        "may_draw_reserve": pools.may_draw_reserve_minor,
    }
    for name, amount in stated.items():
        if amount is not None and not 0 <= amount <= MAX_AMOUNT_MINOR:
            raise _invalid(f"{name} must be between 0 and {MAX_AMOUNT_MINOR}.", name)
    if all(amount is None for amount in stated.values()) and pools.pools_of is None:
        return pools
    window = pools.pools_of or longest(list(amounts))
    assert window is not None
    if window not in amounts:
        raise _invalid("pools_of must name a window of the budget.", "pools_of")
    reserve, emergency = pools.reserve_minor or 0, pools.emergency_minor or 0
    if reserve + emergency > amounts[window]:
        over = "reserve" if reserve > amounts[window] or not emergency else "emergency"
        raise _invalid(f"The pools are above the amount of the window {window.value}.", over)
    if pools.may_draw_reserve_minor is not None and pools.may_draw_reserve_minor > reserve:
        raise _invalid("may_draw_reserve is above the reserve.", "may_draw_reserve")
    if pools.carry_over_minor and window is Window.LIFETIME:
        raise _invalid("Nothing is carried over from a lifetime, because no window follows it.", "carry_over")
    return Pools(
        reserve_minor=pools.reserve_minor,
        emergency_minor=pools.emergency_minor,
        pools_of=window,
        carry_over_minor=pools.carry_over_minor,
        may_draw_reserve_minor=pools.may_draw_reserve_minor,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCount:
    """The values of one counter.

    Attributes:
        spent_minor: the sum of charges, captures and forced spends, less refunds.
        held_minor: the sum of open reservations.
        moved_minor: what was moved into the pool by hand; below zero for what was moved out of it.
        carried_minor: what was carried over from the window before.
        uses: the number of spends.
    """

    spent_minor: int = 0
    held_minor: int = 0
    moved_minor: int = 0
    carried_minor: int = 0
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """A pool in a window at a moment, in minor units: its size, and what is held and spent of it."""

    amount_minor: int
    held_minor: int
    spent_minor: int

    @property
    def remaining_minor(self) -> int:
        """What can still be spent or reserved."""
        return max(0, self.amount_minor - self.spent_minor - self.held_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """A window of a budget at a moment.

    Attributes:
        limit: what a person stated.
        pools: the operating pool; the others in the window `pools_of`, where they were stated.
        uses: the number of spends, from all pools.
        starts_at: when the window began; None for a lifetime.
        resets_at: when the next window begins; None for a lifetime.
    """

    limit: Limit
    pools: Mapping[Pool, PoolState]
    uses: int
    starts_at: datetime | None
    resets_at: datetime | None

    @property
    def operating(self) -> PoolState:
        """The operating pool."""
        return self.pools[Pool.OPERATING]

    @property
    def uses_remaining(self) -> int | None:
        """The number of spends that are left; None if the window has no number of uses."""
        return remaining_minor(self.limit.uses, self.uses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """When the windows of a budget begin: the IANA name of its zone, and the first day of its week, 1 for Monday."""

    zone: str = "UTC"
    week_starts: int = 1


_NONE: Mapping[Pool, PoolCount] = {}
_NOTHING = PoolCount()


def window_states(
    limits: Sequence[Limit],
    pools: Pools,
    counted: Mapping[Window, Mapping[Pool, PoolCount]],
    calendar: Calendar,
    at: datetime,
) -> list[WindowState]:
    """Return each window of a budget with its pools at a moment; without a counter nothing was spent."""
    clocks = zone_of(calendar.zone)
    states = []
    for limit in limits:
        counts = counted.get(limit.window, _NONE)
        ends = window_end(limit.window, at, clocks, calendar.week_starts)
        starts = window_start(limit.window, at, clocks, calendar.week_starts)
        states.append(
            WindowState(
                limit=limit,
                pools=_pool_states(limit, pools, counts),
                uses=sum(count.uses for pool, count in counts.items() if pool is not Pool.ALLOWANCE),
                starts_at=None if ends == FOREVER else starts,
                resets_at=None if ends == FOREVER else ends,
            )
        )
    return states


def _pool_states(limit: Limit, pools: Pools, counts: Mapping[Pool, PoolCount]) -> dict[Pool, PoolState]:
    amount = limit.amount_minor or 0
    sizes: dict[Pool, int | None] = {Pool.OPERATING: amount}
    if limit.window is pools.pools_of:
        sizes = {
            Pool.OPERATING: amount - (pools.reserve_minor or 0) - (pools.emergency_minor or 0),
            Pool.RESERVE: pools.reserve_minor,
            Pool.EMERGENCY: pools.emergency_minor,
            Pool.ALLOWANCE: pools.may_draw_reserve_minor,
        }
    states = {}
    for pool, size in sizes.items():
        if size is not None:
            count = counts.get(pool, _NOTHING)
            states[pool] = PoolState(
                amount_minor=size + count.moved_minor + count.carried_minor,
                held_minor=count.held_minor,
                spent_minor=count.spent_minor,
            )
    return states


def binding(states: Sequence[WindowState]) -> WindowState | None:
    """Return the window that refuses first: the least left to operate with, and of equal ones the last to begin anew.

    A window without a use left comes first of all.
    """

    def order(state: WindowState) -> tuple[bool, int, float]:
        later = FOREVER if state.resets_at is None else state.resets_at
        return state.uses_remaining != 0, state.operating.remaining_minor, -later.timestamp()

    return min(states, key=order, default=None)


def _invalid(sentence: str, name: str) -> Invalid:
    return Invalid(sentence, extra={"field": name})
