"""Messages of the batch that adds up the days of the books."""

from contracts.base import Message


class AddUpDays(Message):
    """Asks to add up to `limit` transfers that were posted `settle_seconds` ago or earlier to their days."""

    limit: int
    settle_seconds: int = 60


class AddedUpDays(Message):
    """How many transfers were added."""

    count: int


class AccountingDays(Message):
    """Where the batch stands: so many transfers at a time, and how many were added so far."""

    limit: int
    count: int = 0
    settle_seconds: int = 60

    def plus(self, done: AddedUpDays) -> "AccountingDays":
        """Return where it stands after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: AddedUpDays) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return done.count < self.limit
