"""Messages of the sweep that charges usage events."""

from datetime import datetime

from contracts.common.base import Message


class ChargeUsage(Message):
    """Charges up to `limit` events, due before `due_before`, of the first organization after `after`."""

    after: str
    due_before: datetime
    at: datetime
    limit: int


class ChargedUsage(Message):
    """Number of charged and of waiting events.

    `org_id` is their organization; null if none is left. With `is_full` more of its events may be due.
    """

    org_id: str | None = None
    charged: int = 0
    waiting: int = 0
    is_full: bool = False


class UsageCharging(Message):
    """Progress of the sweep: rounds over the organizations, a page of each, until a round has no full page.

    `after` is the organization of the previous page; with `again` the round had a full page.
    """

    due_before: datetime
    limit: int
    after: str = ""
    again: bool = False
    charged: int = 0
    waiting: int = 0

    def plus(self, done: ChargedUsage) -> "UsageCharging":
        """Return the progress after a page."""
        counts = {"charged": self.charged + done.charged, "waiting": self.waiting + done.waiting}
        place = {"after": done.org_id or "", "again": done.org_id is not None and (self.again or done.is_full)}
        return self.model_copy(update={**counts, **place})

    def is_last(self, done: ChargedUsage) -> bool:
        """Return whether this was the last page of a round without full pages."""
        return done.org_id is None and not self.again
