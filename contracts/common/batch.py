"""The base messages of batches that count their items."""

from typing import Self

from contracts.common.base import Message


class Counted(Message):
    """The number of items of a page."""

    count: int


class Counting(Message):
    """Progress of a batch: the page size, and the number of items done so far."""

    limit: int
    count: int = 0

    def plus(self, done: Counted) -> Self:
        """Return the progress after a page."""
        return self.model_copy(update={"count": self.count + done.count})

    def is_last(self, done: Counted) -> bool:
        """Whether this was the last page: one that is not full."""
        return done.count < self.limit
