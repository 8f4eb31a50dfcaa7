"""Messages of the batch that recognises revenue from lots of credits."""

from contracts.base import Message
from contracts.batch import Counted, Counting


class RecogniseRevenue(Message):
    """Books what up to `limit` uses of lots cost that were posted `settle_seconds` ago or earlier."""

    limit: int
    settle_seconds: int = 60


class RecognisedRevenue(Counted):
    """How many uses of lots, and returns of them, were booked."""


class RevenueRecognition(Counting):
    """Where the batch stands: so many uses at a time, and how many were booked so far."""

    settle_seconds: int = 60
