"""Messages of the batch that recognises revenue from lots of credits."""

from contracts.base import Message


class RecogniseRevenue(Message):
    """Books what up to `limit` uses of lots cost that were posted `settle_seconds` ago or earlier."""

    limit: int
    settle_seconds: int = 60


class RecognisedRevenue(Message):
    """How many uses of lots, and returns of them, were booked."""

    count: int


class RevenueRecognition(Message):
    """Where the batch stands: so many uses at a time, and how many were booked so far."""

    limit: int
    count: int = 0
    settle_seconds: int = 60

    def plus(self, done: RecognisedRevenue) -> "RevenueRecognition":
        """Return where it stands after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: RecognisedRevenue) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return done.count < self.limit
