"""Budgets: spend controls with a reserve and an emergency pool in one of their windows. Pure.

A limit of 100 a week with a reserve of 50 and an emergency pool of 20 leaves 30 to operate with: the limit includes the
pools. Amounts are integers in minor units of the budget's asset.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.common.calendar import FOREVER, Window, window_end, window_start, zone_of
from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR
from domain.credits.spend.control import Limit, LimitTerms, Pool, remaining_minor

#: The maximum length of an emergency.
EMERGENCY_LASTS = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The pools of a budget.

    Attributes:
        reserve_minor: the part of the window `pools_of` kept in reserve; None for no reserve.
        emergency_minor: the part of that window for emergencies; None for none.
        pools_of: the window that the pools are parts of; None for the longest one.
        carry_over_minor: the maximum carry-over from the operating pool to the next of these windows.
        may_draw_reserve_minor: the maximum that agents may draw without approval in this window, from this reserve
            or one above.
    """

    reserve_minor: int | None = None
    emergency_minor: int | None = None
    pools_of: Window | None = None
    carry_over_minor: int | None = None
    may_draw_reserve_minor: int | None = None

    def operating_minor(self, amount_minor: int) -> int:
        """Return the operating pool of the window `pools_of`, given its amount."""
        return amount_minor - (self.reserve_minor or 0) - (self.emergency_minor or 0)


def longest_window(windows: Iterable[Window]) -> Window:
    """Return the longest of some windows."""
    return max(windows, key=list(Window).index)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetTerms:
    """Changeable terms of a budget: windows and pools."""

    allowance: LimitTerms
    pools: Pools = Pools()

    def __post_init__(self) -> None:
        """Refuse contradictory values.

        Raises:
            Invalid: a window has no amount, the pools exceed the amount of their window, or a number is invalid;
                `extra.field` names it.
        """
        amounts = {limit.window: limit.amount_minor for limit in self.allowance.limits}
        stated = [amount for amount in amounts.values() if amount is not None]
        if not stated or len(stated) < len(amounts):
            raise _invalid("A budget needs at least one window, and an amount for each.", "limits")
        if self.allowance.per_spend_minor is not None and self.allowance.per_spend_minor > max(stated):
            raise _invalid("per_spend is above the amount of every window.", "per_spend")
        pools = self.pools
        for name in ("reserve", "emergency", "carry_over", "may_draw_reserve"):
            number = getattr(pools, f"{name}_minor")
            if number is not None and not 0 <= number <= MAX_AMOUNT_MINOR:
                raise _invalid(f"{name} must be between 0 and {MAX_AMOUNT_MINOR}.", name)
        window = self.pools_of
        amount = amounts.get(window)
        if amount is None:
            raise _invalid("pools_of must name a window of the budget.", "pools_of")
        if pools.operating_minor(amount) < 0:
            over = "reserve" if (pools.reserve_minor or 0) > amount else "emergency"
            raise _invalid(f"The pools are above the amount of the window {window.value}.", over)
        if pools.carry_over_minor and window is Window.LIFETIME:
            raise _invalid("Nothing is carried over from a lifetime, because no window follows it.", "carry_over")

    @property
    def pools_of(self) -> Window:
        """The window that the pools are parts of: the longest by default."""
        return self.pools.pools_of or longest_window(limit.window for limit in self.allowance.limits)

    def columns(self) -> dict[str, object]:
        """Return the columns to store, as JSON."""
        return self.allowance.columns() | {
            "pools_of": self.pools_of.value,
            "reserve": self.pools.reserve_minor,
            "emergency": self.pools.emergency_minor,
            "carry_over": self.pools.carry_over_minor,
            "may_draw_reserve": self.pools.may_draw_reserve_minor,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCounter:
    """Values of a counter.

    Attributes:
        spent_minor: the sum of charges, captures and forced spends, less refunds.
        held_minor: the sum of open reservations.
        moved_minor: amounts moved into the pool by hand, less those moved out.
        carried_minor: the carry-over from the previous window.
        uses: the number of spends.
    """

    spent_minor: int = 0
    held_minor: int = 0
    moved_minor: int = 0
    carried_minor: int = 0
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """State of a pool in a window, in minor units: size, held and spent amount.

    `total_remaining_minor` is what is left in all pools of the window, which is less than in this one if another is
    overdrawn.
    """

    amount_minor: int
    held_minor: int
    spent_minor: int
    total_remaining_minor: int | None = None

    @property
    def remaining_minor(self) -> int:
        """The remaining amount."""
        left = self.amount_minor - self.spent_minor - self.held_minor
        return max(0, left if self.total_remaining_minor is None else min(left, self.total_remaining_minor))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """State of a budget's window.

    Attributes:
        limit: the stated limit.
        pools: the operating pool; in the window `pools_of` also the others, if there are any.
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
        return self.pools[Pool.OPERATING]

    @property
    def uses_remaining(self) -> int | None:
        """The number of spends that are left; None if the window has no number of uses."""
        return remaining_minor(self.limit.uses, self.uses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Calendar of a budget: IANA name of its zone, and first day of its week, 1 for Monday."""

    zone: str = "UTC"
    week_starts: int = 1


_NONE: Mapping[Pool, PoolCounter] = {}
_NOTHING = PoolCounter()


def window_states(
    limits: Sequence[Limit],
    pools: Pools,
    counted: Mapping[Window, Mapping[Pool, PoolCounter]],
    calendar: Calendar,
    at: datetime,
) -> list[WindowState]:
    """Return the state of each window of a budget at a moment; a pool without a counter is unused."""
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


def _pool_states(limit: Limit, pools: Pools, counts: Mapping[Pool, PoolCounter]) -> dict[Pool, PoolState]:
    amount = limit.amount_minor or 0
    sizes: dict[Pool, int | None] = {Pool.OPERATING: amount}
    if limit.window is pools.pools_of:
        sizes = {
            Pool.OPERATING: pools.operating_minor(amount),
            Pool.RESERVE: pools.reserve_minor,
            Pool.EMERGENCY: pools.emergency_minor,
            Pool.ALLOWANCE: pools.may_draw_reserve_minor,
        }
    shared = [count for pool, count in counts.items() if pool is not Pool.ALLOWANCE]
    together = amount + sum(count.carried_minor - count.spent_minor - count.held_minor for count in shared)
    states = {}
    for pool, size in sizes.items():
        if size is not None:
            count = counts.get(pool, _NOTHING)
            states[pool] = PoolState(
                amount_minor=size + count.moved_minor + count.carried_minor,
                held_minor=count.held_minor,
                spent_minor=count.spent_minor,
                total_remaining_minor=None if pool is Pool.ALLOWANCE else together,
            )
    return states


def carried_minor(pools: Pools, amount_minor: int, before: PoolCounter | None) -> int:
    """Return the carry-over from the previous window, whose operating pool counted `before`; None counts as unused.

    It applies to a window without counts, if the budget is older. `ledger.carried_into` is the same in SQL.
    """
    left = pools.operating_minor(amount_minor)
    if before is not None:
        left += before.moved_minor + before.carried_minor - before.held_minor - before.spent_minor
    return min(pools.carry_over_minor or 0, max(0, left))


def tightest_window(states: Sequence[WindowState]) -> WindowState | None:
    """Return the tightest window: without uses left, else the least left to operate with, else the last to reset."""

    def order(state: WindowState) -> tuple[bool, int, float]:
        later = FOREVER if state.resets_at is None else state.resets_at
        return state.uses_remaining != 0, state.operating.remaining_minor, -later.timestamp()

    return min(states, key=order, default=None)


def _invalid(sentence: str, name: str) -> Invalid:
    return Invalid(sentence, extra={"field": name})
