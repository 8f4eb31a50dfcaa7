"""Messages of the sweep that sends mails."""

from datetime import datetime

from contracts.common.base import Message


class SendMails(Message):
    """Sends up to `limit` mails that were due at `now`."""

    now: datetime
    limit: int


class SentMails(Message):
    """The number of mails that were due, delivered to every recipient, and given up."""

    found: int
    sent: int = 0
    failed: int = 0


class MailSweep(Message):
    """Progress of the sweep over mails due at `now`: the page size, and the outcomes so far."""

    now: datetime
    limit: int
    found: int = 0
    sent: int = 0
    failed: int = 0

    def plus(self, page: SentMails) -> "MailSweep":
        """Return the progress after a page."""
        return MailSweep(
            now=self.now,
            limit=self.limit,
            found=self.found + page.found,
            sent=self.sent + page.sent,
            failed=self.failed + page.failed,
        )

    def is_last(self, page: SentMails) -> bool:
        """Whether this was the last page: one that is not full."""
        return page.found < self.limit
