"""Messages of the sweeps: one page of entities that may have lost their runs, and its outcome."""

from datetime import datetime

from contracts.common.base import Message


class SweepPage(Message):
    """Handles a page of entities that have waited since `before`, after the cursor `after`, which is empty at first.

    Inbox events that were forwarded to their payment are included only if they came before `forwarded_before`.
    """

    before: datetime
    after: str
    limit: int
    forwarded_before: datetime | None = None


class SweepResult(Message):
    """The size of the page, how many missing runs were started, and the cursor of the next page."""

    found: int
    started: int
    last: str


class SweepProgress(Message):
    page: SweepPage
    found: int = 0
    started: int = 0

    def plus(self, swept: SweepResult) -> "SweepProgress":
        return SweepProgress(
            page=self.page.model_copy(update={"after": swept.last}),
            found=self.found + swept.found,
            started=self.started + swept.started,
        )

    def is_last(self, swept: SweepResult) -> bool:
        """Whether this was the last page: one that is not full."""
        return swept.found < self.page.limit
