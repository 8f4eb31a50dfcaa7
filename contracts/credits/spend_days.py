"""Messages of the sweep that totals spends by day."""

from datetime import datetime

from contracts.common.base import Message
from contracts.common.batch import Counted, Counting


class RollUpSpends(Message):
    """Totals up to `limit` days that had ended at `now`."""

    now: datetime
    limit: int


class RolledUpSpends(Counted):
    """The number of days totalled."""


class SpendDays(Counting):
    """Progress of the sweep over days before `now`: the page size, and the number totalled so far."""

    now: datetime
