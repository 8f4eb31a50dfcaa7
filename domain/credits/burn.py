"""The burn rate of credits, and how long the balance lasts at that rate."""

from dataclasses import dataclass
from datetime import date

#: The number of days, including today, over which the rate is computed.
RECENT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """A rate of use.

    Attributes:
        days: the number of days it was computed over: the latest 30, or the days since the first use.
        per_day_minor: the use per day, rounded up, in minor units.
    """

    days: int
    per_day_minor: int

    def days_left(self, available_minor: int) -> int | None:
        """Return how many whole days an available balance lasts at this rate; None if nothing is used."""
        return None if self.per_day_minor == 0 else max(0, available_minor) // self.per_day_minor


def burn_rate(recent_minor: int, *, today: date, first_day: date | None) -> BurnRate:
    """Return the rate at which credits were used on the latest days; zero if refunds exceed the use."""
    days = RECENT_DAYS if first_day is None else max(1, min(RECENT_DAYS, (today - first_day).days + 1))
    return BurnRate(days=days, per_day_minor=-(-max(0, recent_minor) // days))
