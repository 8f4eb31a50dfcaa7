"""Messages of the batch that totals the books by day."""

from contracts.common.base import Message
from contracts.common.batch import Counted, Counting


class AddUpDays(Message):
    """Adds up to `limit` transfers, posted at least `settle_seconds` ago, to the totals of their days."""

    limit: int
    settle_seconds: int = 60


class AddedUpDays(Counted):
    """How many transfers were added."""


class AccountingDays(Counting):
    """Progress of the batch: the page size, and the number of transfers added so far."""

    settle_seconds: int = 60
