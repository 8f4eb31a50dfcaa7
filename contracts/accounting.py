"""Messages of the batch that adds up the days of the books."""

from contracts.base import Message
from contracts.batch import Counted, Counting


class AddUpDays(Message):
    """Asks to add up to `limit` transfers that were posted `settle_seconds` ago or earlier to their days."""

    limit: int
    settle_seconds: int = 60


class AddedUpDays(Counted):
    """How many transfers were added."""


class AccountingDays(Counting):
    """Where the batch stands: so many transfers at a time, and how many were added so far."""

    settle_seconds: int = 60
