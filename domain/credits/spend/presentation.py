"""The use of a control at a moment: its limits, each with the counters of the window at that moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.common.calendar import FOREVER, Window, window_end, window_start, zone_of
from domain.credits.spend.control import Limit, remaining_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterValues:
    """The values of one counter, in minor units of the control's asset.

    Attributes:
        spent_minor: the sum of charges, captures and forced spends, less refunds.
        held_minor: the sum of open reservations.
        uses: the number of spends and reservations.
    """

    spent_minor: int = 0
    held_minor: int = 0
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A limit with its use and its rest.

    Attributes:
        starts_at: when the window began; None for a lifetime limit.
        resets_at: when the next window begins; None for a lifetime limit.
    """

    limit: Limit
    counted: CounterValues
    starts_at: datetime | None
    resets_at: datetime | None

    @property
    def remaining_minor(self) -> int | None:
        """The amount that can still be spent or reserved; None if the limit has no amount."""
        return remaining_minor(self.limit.amount_minor, self.counted.spent_minor + self.counted.held_minor)

    @property
    def uses_remaining(self) -> int | None:
        """The number of spends that are left; None if the limit has no number of uses."""
        return remaining_minor(self.limit.uses, self.counted.uses)


_NOTHING = CounterValues()


def limit_states(
    limits: Sequence[Limit], counters: Mapping[Window, CounterValues], zone: str, week_starts: int, at: datetime
) -> list[LimitState]:
    """Return each limit with its use in the window at a moment; without a counter, nothing was spent."""
    clocks = zone_of(zone)
    states = []
    for limit in limits:
        starts = window_start(limit.window, at, clocks, week_starts)
        ends = window_end(limit.window, at, clocks, week_starts)
        states.append(
            LimitState(
                limit=limit,
                counted=counters.get(limit.window, _NOTHING),
                starts_at=None if ends == FOREVER else starts,
                resets_at=None if ends == FOREVER else ends,
            )
        )
    return states
