"""Messages of reports: the run of a period, and the sweep that starts those that are due."""

from datetime import datetime

from contracts.common.base import Message


class ReportInput(Message):
    """Starts the run of one period of a report, such as `2026-W13`."""

    report_id: str
    period: str


class LookAgain(Message):
    """Computes the period once more, now."""


class MakeReport(Message):
    """Computes a period at `now`, if it is over, and keeps what differs from the latest version."""

    report_id: str
    period: str
    now: datetime


class MadeReport(Message):
    """The period's latest run, and when to compute it next; None where there is none.

    With `number` None and a time, the period or its late window is not over. `told` and `left_out` are counts.
    """

    number: int | None = None
    version: int | None = None
    changes: int = 0
    told: int = 0
    left_out: int = 0
    next_at: datetime | None = None


class ReportsDue(Message):
    """Starts the runs of a page of reports that are due at `now`, after an id."""

    now: datetime
    after: str
    limit: int


class ReportsStarted(Message):
    """The number of reports found, of runs that were started, and the last report; how many old files were deleted."""

    found: int
    started: int
    last: str
    forgotten: int = 0


class ReportSweep(Message):
    """Progress of the sweep: the page size, the last report, and the counts so far."""

    now: datetime
    limit: int
    after: str = ""
    found: int = 0
    started: int = 0
    forgotten: int = 0

    def plus(self, page: ReportsStarted) -> "ReportSweep":
        """Return the progress after a page."""
        return ReportSweep(
            now=self.now,
            limit=self.limit,
            after=page.last,
            found=self.found + page.found,
            started=self.started + page.started,
            forgotten=self.forgotten + page.forgotten,
        )

    def is_last(self, page: ReportsStarted) -> bool:
        """Whether this was the last page: one that is not full."""
        return page.found < self.limit
