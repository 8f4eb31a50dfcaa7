"""Messages of the sweep that expires holds."""

from datetime import datetime

from contracts.base import Message


class ExpireHolds(Message):
    """Expires up to `limit` pending holds that were due at `now`."""

    now: datetime
    limit: int


class ExpiredHolds(Message):
    """The number of holds expired."""

    count: int


class HoldExpiry(Message):
    """Progress of the sweep over holds due at `now`: `limit` at a time, `count` so far."""

    now: datetime
    limit: int
    count: int = 0

    def plus(self, done: ExpiredHolds) -> "HoldExpiry":
        """Return the progress after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: ExpiredHolds) -> bool:
        """Whether this was the last page: one that is not full."""
        return done.count < self.limit
