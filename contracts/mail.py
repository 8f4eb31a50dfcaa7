"""Messages of the sweep that sends mails."""

from datetime import datetime

from contracts.base import Message


class SendMails(Message):
    """Sends up to `limit` mails that were due at `now`."""

    now: datetime
    limit: int


class SentMails(Message):
    """How many mails were due, how many of them are with everybody, and how many were given up."""

    found: int
    sent: int = 0
    failed: int = 0


class MailSweep(Message):
    """Where the sweep stands: what was due at `now`, so many at a time, and what became of it so far."""

    now: datetime
    limit: int
    found: int = 0
    sent: int = 0
    failed: int = 0

    def plus(self, page: SentMails) -> "MailSweep":
        """Return where it stands after a page."""
        return MailSweep(
            now=self.now,
            limit=self.limit,
            found=self.found + page.found,
            sent=self.sent + page.sent,
            failed=self.failed + page.failed,
        )

    def is_last(self, page: SentMails) -> bool:
        """Tell whether no page follows: one that is not full is the last."""
        return page.found < self.limit
