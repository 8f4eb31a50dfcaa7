"""Messages of the sweep that ends expired holds."""

from datetime import datetime

from contracts.base import Message


class ExpireHolds(Message):
    """Ends up to `limit` pending holds whose time was over at `now`."""

    now: datetime
    limit: int


class ExpiredHolds(Message):
    """How many holds were ended."""

    count: int


class HoldExpiry(Message):
    """Where the sweep stands: it ends what was over at `now`, `limit` at a time, and has ended `count`."""

    now: datetime
    limit: int
    count: int = 0

    def plus(self, done: ExpiredHolds) -> "HoldExpiry":
        """Return where it stands after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: ExpiredHolds) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return done.count < self.limit
