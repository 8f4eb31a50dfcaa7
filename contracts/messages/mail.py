"""Messages of the sweep that sends mails."""

from contracts.common.batch import HandledPage, PageProgress


class SentMails(HandledPage):
    """The number of mails that were due, delivered to every recipient, and given up."""

    sent: int = 0
    failed: int = 0


class MailSweep(PageProgress):
    sent: int = 0
    failed: int = 0
