"""Messages of the sweep that books the expiry of credits."""

from datetime import datetime

from contracts.common.base import Message
from contracts.common.batch import Counted, Counting


class ExpireLots(Message):
    """Books the expiry of up to `limit` lots that were due at `now`."""

    now: datetime
    limit: int


class ExpiredLots(Counted):
    """The number of lots booked as expired."""


class LotExpiry(Counting):
    """Progress of the sweep over lots due at `now`: the page size, and the number booked so far."""

    now: datetime
