"""Messages of usage: monthly tables, and the sync of a spend log."""

from datetime import datetime

from contracts.common.base import Message


class SyncPage(Message):
    """A page of a spend log: the calls that began in a window; the first page is 1."""

    since: datetime
    until: datetime
    number: int = 1


class PlanSync(Message):
    """Plans a sync of a spend log: from `since`, or from `back_seconds` before the cursor."""

    now: datetime
    since: datetime | None = None
    back_seconds: int = 0


class PlannedSync(Message):
    """First page, and end of the last one; no page without a spend log."""

    page: SyncPage | None = None
    until: datetime | None = None


class ReadSyncPage(Message):
    """Records the calls of a page; `last` is the end of the whole sync."""

    page: SyncPage
    last: datetime


class SyncedPage(Message):
    """Outcomes of a page's calls, and the next page.

    `unassigned` calls have no organization. `refused_at` is the start of the first call that could not be recorded.
    """

    following: SyncPage | None = None
    accepted: int = 0
    duplicates: int = 0
    invalid: int = 0
    unassigned: int = 0
    refused_at: datetime | None = None
    why: str | None = None


class UsageSync(Message):
    """Sync of a spend log: start and progress.

    Without `since` it begins `back_seconds` before the end of the last one, because a call is logged at its end, under
    its start time.
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
        """Return the progress after a page."""
        refused = [at for at in (self.refused_at, done.refused_at) if at is not None]
        counts = {
            name: getattr(self, name) + getattr(done, name)
            for name in ("accepted", "duplicates", "invalid", "unassigned")
        }
        place = {"page": done.following or self.page, "refused_at": min(refused, default=None)}
        return self.model_copy(update={**counts, **place, "why": self.why or done.why})

    def is_last(self, done: SyncedPage) -> bool:
        return done.following is None


class ConcludeSync(Message):
    """Moves the cursor after a sync, and raises an alert about calls that could not be recorded."""

    sync: UsageSync
    at: datetime
