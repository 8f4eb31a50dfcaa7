"""How fast credits are used, and how long what is left lasts at that rate."""

from dataclasses import dataclass
from datetime import date

#: Over how many days, today among them, the rate is taken.
RECENT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A rate of use.

    Attributes:
        days: over how many days it was taken: the latest 30, or as many as there have been since the first use.
        per_day_minor: what was used a day, rounded up, in minor units.
    """

    days: int
    per_day_minor: int

    def days_left(self, available_minor: int) -> int | None:
        """Return for how many whole days what is available lasts at this rate; None when nothing is used."""
        return None if self.per_day_minor == 0 else max(0, available_minor) // self.per_day_minor


def burn(recent_minor: int, *, today: date, first_day: date | None) -> Burn:
    """Return the rate at which credits were used on the latest days; one that gave more back than it used is zero."""
    days = RECENT_DAYS if first_day is None else max(1, min(RECENT_DAYS, (today - first_day).days + 1))
    return Burn(days=days, per_day_minor=-(-max(0, recent_minor) // days))
