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
