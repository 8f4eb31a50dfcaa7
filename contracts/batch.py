"""What messages of batches that count what they did have in common."""

from typing import Self

from contracts.base import Message


class Counted(Message):
    """How many items a page had."""

    count: int


class Counting(Message):
    """Where a batch stands: so many items at a time, and how many were done so far."""

    limit: int
    count: int = 0

    def plus(self, done: Counted) -> Self:
        """Return where it stands after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: Counted) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return done.count < self.limit
