"""What of a control is spent at a moment: its limits, with what counts in the window that holds the moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.spend.calendar import FOREVER, Window, window_end, window_start, zone_of
from domain.spend.control import Limit, remaining_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one counter says, in minor units of the control's asset.

    Attributes:
        spent_minor: charged, captured and forced, less what came back.
        held_minor: of reservations that are open.
        uses: how many times was spent or reserved.
    """

    spent_minor: int = 0
    held_minor: int = 0
    uses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A limit and what is left of it.

    Attributes:
        starts_at: when the window began; None for a lifetime.
        resets_at: when the next one begins; None for a lifetime.
    """

    limit: Limit
    counted: Counted
    starts_at: datetime | None
    resets_at: datetime | None

    @property
    def remaining_minor(self) -> int | None:
        """What can still be spent or reserved; None where the window has no amount."""
        return remaining_minor(self.limit.amount_minor, self.counted.spent_minor + self.counted.held_minor)

    @property
    def uses_remaining(self) -> int | None:
        """How many times can still be spent; None where the window counts none."""
        return remaining_minor(self.limit.uses, self.counted.uses)


_NOTHING = Counted()


def limit_states(
    limits: Sequence[Limit], counters: Mapping[Window, Counted], zone: str, week_starts: int, at: datetime
) -> list[LimitState]:
    """Return each limit with what counts in the window that holds a moment; no counter is nothing spent."""
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
