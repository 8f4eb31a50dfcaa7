"""Messages of the sweep that books the expiry of credits."""

from datetime import datetime

from contracts.base import Message
from contracts.batch import Counted, Counting


class ExpireLots(Message):
    """Books the expiry of up to `limit` lots that were due at `now`."""

    now: datetime
    limit: int


class ExpiredLots(Counted):
    """How many lots were booked as expired."""


class LotExpiry(Counting):
    """Where the sweep stands: what is due at `now`, so many at a time, and how many were booked so far."""

    now: datetime
