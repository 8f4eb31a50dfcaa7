"""Messages of reports: the run of a period, and the sweep that starts due ones."""

from datetime import datetime

from contracts.common.base import Message
from contracts.common.batch import HandledPage, PageProgress


class ReportInput(Message):
    """Starts the run of a period of a report, such as `2026-W13`."""

    report_id: str
    period: str


class RecomputeNow(Message):
    """Signal to recompute the period now."""


class MakeReport(Message):
    """Computes a period at `now`, if it is due, and stores a new version if it differs."""

    report_id: str
    period: str
    now: datetime


class MadeReport(Message):
    """Latest run of the period, and the time of the next computation; None without one.

    With `number` None and a time, the period or its late window is not over. `told` and `left_out` count recipients.
    """

    number: int | None = None
    version: int | None = None
    changes: int = 0
    told: int = 0
    left_out: int = 0
    next_at: datetime | None = None


class ReportsStarted(HandledPage):
    """Result of a page of reports: number of started runs, and of deleted old files."""

    started: int
    forgotten: int = 0


class ReportSweep(PageProgress):
    started: int = 0
    forgotten: int = 0
