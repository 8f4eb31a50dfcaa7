"""Messages of the sweep that charges usage events."""

from datetime import datetime

from contracts.base import Message


class ChargeUsage(Message):
    """Asks to charge up to `limit` events, due before `due_before`, of the first organization after `after`."""

    after: str
    due_before: datetime
    at: datetime
    limit: int


class ChargedUsage(Message):
    """How many events were charged and how many wait.

    `org_id` is whose they are; null where no organization is left. `is_full` tells that more of it may be due.
    """

    org_id: str | None = None
    charged: int = 0
    waiting: int = 0
    is_full: bool = False


class UsageCharging(Message):
    """Where the sweep stands: rounds through the organizations, a page of each, until a round has no full page.

    `after` is the organization of the page before, and `again` tells that the round had a full page.
    """

    due_before: datetime
    limit: int
    after: str = ""
    again: bool = False
    charged: int = 0
    waiting: int = 0

    def plus(self, done: ChargedUsage) -> "UsageCharging":
        """Return where it stands after a page."""
        counts = {"charged": self.charged + done.charged, "waiting": self.waiting + done.waiting}
        place = {"after": done.org_id or "", "again": done.org_id is not None and (self.again or done.is_full)}
        return self.model_copy(update={**counts, **place})

    def is_last(self, done: ChargedUsage) -> bool:
        """Tell whether no page follows: the round is over and needs no other one."""
        return done.org_id is None and not self.again
