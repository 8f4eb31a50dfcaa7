"""Messages of the sweep that adds up what was spent by day."""

from datetime import datetime

from contracts.base import Message
from contracts.batch import Counted, Counting


class RollUpSpends(Message):
    """Asks to add up to `limit` days that were over at `now`."""

    now: datetime
    limit: int


class RolledUpSpends(Counted):
    """How many days were added up."""


class SpendDays(Counting):
    """Where the sweep stands: what was over at `now`, so many at a time, and how many were added up so far."""

    now: datetime
