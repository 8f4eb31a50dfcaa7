"""Messages of the job that keeps a table for each month of usage events."""

from datetime import datetime

from contracts.base import Message


class OpenMonths(Message):
    """Asks for the months that events can come in for at a time, and for those that follow soon."""

    now: datetime


class OpenedMonths(Message):
    """How many months were made."""

    count: int


class SyncPage(Message):
    """A page of a spend log: the calls that began in a window; the first page is 1."""

    since: datetime
    until: datetime
    number: int = 1


class PlanSync(Message):
    """Asks from where to where a spend log is read: from `since`, otherwise from `back_seconds` before the cursor."""

    now: datetime
    since: datetime | None = None
    back_seconds: int = 0


class PlannedSync(Message):
    """The first page, and where the last one ends; no page where no spend log is set up."""

    page: SyncPage | None = None
    until: datetime | None = None


class ReadSyncPage(Message):
    """Asks to record the calls of a page; `last` is where the whole sync ends."""

    page: SyncPage
    last: datetime


class SyncedPage(Message):
    """The outcome of the calls of a page, and which page follows.

    `unassigned` calls name no organization. `refused_at` is when the first call began that could not be counted.
    """

    following: SyncPage | None = None
    accepted: int = 0
    duplicates: int = 0
    invalid: int = 0
    unassigned: int = 0
    refused_at: datetime | None = None
    why: str | None = None


class UsageSync(Message):
    """A sync of a spend log: where it begins, and once it runs where it stands and what it has found.

    Without `since` it begins `back_seconds` before the place that the last one reached, because a call is logged when
    it ends, at the time when it began.
    """

    since: datetime | None = None
    back_seconds: int = 3600
    page: SyncPage | None = None
    started: datetime | None = None
    until: datetime | None = None
    accepted: int = 0
    duplicates: int = 0
    invalid: int = 0
    unassigned: int = 0
    refused_at: datetime | None = None
    why: str | None = None

    def plus(self, done: SyncedPage) -> "UsageSync":
        """Return where it stands after a page."""
        refused = [at for at in (self.refused_at, done.refused_at) if at is not None]
        counts = {
            name: getattr(self, name) + getattr(done, name)
            for name in ("accepted", "duplicates", "invalid", "unassigned")
        }
        place = {"page": done.following or self.page, "refused_at": min(refused, default=None)}
        return self.model_copy(update={**counts, **place, "why": self.why or done.why})

    def is_last(self, done: SyncedPage) -> bool:
        """Tell whether no page follows."""
        return done.following is None


class ConcludeSync(Message):
    """Asks to write how far a sync came, and to alert where calls could not be counted."""

    sync: UsageSync
    at: datetime
