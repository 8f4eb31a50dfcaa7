"""Messages of the sweep that books the expiry of credits."""

from datetime import datetime

from contracts.base import Message


class ExpireLots(Message):
    """Books the expiry of up to `limit` lots that were due at `now`."""

    now: datetime
    limit: int


class ExpiredLots(Message):
    """How many lots were booked as expired."""

    count: int


class LotExpiry(Message):
    """Where the sweep stands: what is due at `now`, so many at a time, and how many were booked so far."""

    now: datetime
    limit: int
    count: int = 0

    def plus(self, expired: ExpiredLots) -> "LotExpiry":
        """Return where it stands after a page."""
        return LotExpiry(now=self.now, limit=self.limit, count=self.count + expired.count)

    def is_last(self, expired: ExpiredLots) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return expired.count < self.limit
