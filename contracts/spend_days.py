"""Messages of the sweep that adds up what was spent by day."""

from datetime import datetime

from contracts.base import Message


class RollUpSpends(Message):
    """Asks to add up to `limit` days that were over at `now`."""

    now: datetime
    limit: int


class RolledUpSpends(Message):
    """How many days were added up."""

    count: int


class SpendDays(Message):
    """Where the sweep stands: what was over at `now`, so many at a time, and how many were added up so far."""

    now: datetime
    limit: int
    count: int = 0

    def plus(self, done: RolledUpSpends) -> "SpendDays":
        """Return where it stands after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: RolledUpSpends) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return done.count < self.limit
