"""Messages of the sweeps: one page of what may have lost its run, and what became of it."""

from datetime import datetime

from contracts.base import Message


class SweepPage(Message):
    """Asks for a page of what has waited since `before`, after the place `after`, which is empty at the beginning.

    `forwarded_before`: see `FindUnhandled`; only events have it.
    """

    before: datetime
    after: str
    limit: int
    forwarded_before: datetime | None = None


class Swept(Message):
    """How many a page had, how many of them had no run and got one, and after which place the next page begins."""

    found: int
    started: int
    last: str


class SweepProgress(Message):
    """Where a sweep stands that goes on in a new run: its next page, and what it has found and started so far."""

    page: SweepPage
    found: int = 0
    started: int = 0

    def plus(self, swept: Swept) -> "SweepProgress":
        """Return where it stands after a page."""
        return SweepProgress(
            page=self.page.model_copy(update={"after": swept.last}),
            found=self.found + swept.found,
            started=self.started + swept.started,
        )

    def is_last(self, swept: Swept) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return swept.found < self.page.limit
