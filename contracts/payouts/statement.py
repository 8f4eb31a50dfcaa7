"""Messages of the batch that issues creators' statements."""

from datetime import datetime

from contracts.common.base import Message


class MakeStatements(Message):
    """Issues the statements of the month before `now` for up to `limit` organizations, after an id."""

    now: datetime
    after: str
    limit: int


class MadeStatements(Message):
    """The number of organizations due and the last one; how many got statements, and how many failed."""

    found: int
    last: str
    made: int = 0
    failed: int = 0


class CreatorStatements(Message):
    """Progress of the batch of the month before `now`: the page size, and the outcomes so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    made: int = 0
    failed: int = 0

    def plus(self, page: MadeStatements) -> "CreatorStatements":
        """Return the progress after a page."""
        return CreatorStatements(
            now=self.now,
            limit=self.limit,
            after=page.last,
            found=self.found + page.found,
            made=self.made + page.made,
            failed=self.failed + page.failed,
        )

    def is_last(self, page: MadeStatements) -> bool:
        """Whether this was the last page: one that is not full."""
        return page.found < self.limit
