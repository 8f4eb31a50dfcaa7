"""Messages of the batch that recognises revenue from lots of credits."""

from contracts.common.base import Message
from contracts.common.batch import Counted, Counting


class RecogniseRevenue(Message):
    """Recognises up to `limit` uses of lots that were posted at least `settle_seconds` ago."""

    limit: int
    settle_seconds: int = 60


class RecognisedRevenue(Counted):
    """The number of uses of lots, and of their returns, that were booked."""


class RevenueRecognition(Counting):
    """Progress of the batch: the page size, and the number of uses booked so far."""

    settle_seconds: int = 60
