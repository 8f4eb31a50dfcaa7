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
