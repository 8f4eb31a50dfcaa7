"""Messages of reports: the run of a period, and the sweep that starts those that are due."""

from datetime import datetime

from contracts.common.base import Message
from contracts.common.batch import HandledPage, PageProgress


class ReportInput(Message):
    """Starts the run of one period of a report, such as `2026-W13`."""

    report_id: str
    period: str


class RecomputeNow(Message):
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


class ReportsStarted(HandledPage):
    """A page of reports: the number of runs that were started, and of old files that were deleted."""

    started: int
    forgotten: int = 0


class ReportSweep(PageProgress):
    started: int = 0
    forgotten: int = 0
