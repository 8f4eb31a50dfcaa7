"""Messages of the sweep that expires holds."""

from datetime import datetime

from contracts.common.base import Message
from contracts.common.batch import Counted, Counting


class ExpireHolds(Message):
    """Expires up to `limit` pending holds that were due at `now`."""

    now: datetime
    limit: int


class ExpiredHolds(Counted):
    """The number of holds expired."""


class HoldExpiry(Counting):
    """Progress of the sweep over holds due at `now`: the page size, and the number expired so far."""

    now: datetime
