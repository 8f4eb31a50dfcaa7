"""Messages of the batch that makes the statements of creators."""

from datetime import datetime

from contracts.base import Message


class MakeStatements(Message):
    """Makes the statements of the month before `now` for up to `limit` organizations, after the one of an id."""

    now: datetime
    after: str
    limit: int


class MadeStatements(Message):
    """How many organizations were due and the last one; how many of them got statements, and how many met an error."""

    found: int
    last: str
    made: int = 0
    failed: int = 0


class CreatorStatements(Message):
    """Where the batch stands: of the month before `now`, so many at a time, and what became of them so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    made: int = 0
    failed: int = 0

    def plus(self, page: MadeStatements) -> "CreatorStatements":
        """Return where it stands after a page."""
        return CreatorStatements(
            now=self.now,
            limit=self.limit,
            after=page.last,
            found=self.found + page.found,
            made=self.made + page.made,
            failed=self.failed + page.failed,
        )

    def is_last(self, page: MadeStatements) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return page.found < self.limit
