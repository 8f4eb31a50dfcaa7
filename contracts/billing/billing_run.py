"""Messages of the batch that issues monthly invoices."""

from datetime import date, datetime

from contracts.common.base import Message


class PlanBillingRun(Message):
    """Asks which month to invoice at `now`, or whether `month` can be invoiced."""

    now: datetime
    month: date | None = None


class PlannedBillingRun(Message):
    """The month to invoice, the end of the wait for late usage, the number of organizations; or `why` none is due."""

    month: date | None = None
    ready_at: datetime | None = None
    due: int = 0
    why: str = ""


class InvoicePage(Message):
    """Invoices a month at `now` to the organizations after one, in up to `pages` pages of `limit`."""

    now: datetime
    month: date
    after: str
    limit: int
    pages: int


class InvoicedPage(Message):
    """The outcomes, the last organization, whether it was the last of all, and how many are still due."""

    invoiced: int
    empty: int
    failed: int
    last: str
    done: bool
    left: int = 0


class BillingRun(Message):
    """Progress of the batch of a month: the last organization, and the outcomes so far.

    Attributes:
        month: its first day.
        ready_at: until when late usage is waited for.
        since: when the first page was begun.
        after: the last organization that was handled.
        limit: how many organizations a page has.
        only: no other month follows.
        invoiced: how many this run has invoiced; `empty` had nothing to pay, `failed` could not be invoiced.
        left: how many are still due; those that failed are due again with the next run.
    """

    month: date | None = None
    ready_at: datetime | None = None
    since: datetime | None = None
    after: str = ""
    limit: int = 200
    only: bool = False
    invoiced: int = 0
    empty: int = 0
    failed: int = 0
    left: int = 0

    def plus(self, done: InvoicedPage) -> "BillingRun":
        """Return the progress after some pages."""
        return self.model_copy(
            update={
                "after": done.last,
                "invoiced": self.invoiced + done.invoiced,
                "empty": self.empty + done.empty,
                "failed": self.failed + done.failed,
                "left": done.left,
            }
        )

    def is_last(self, done: InvoicedPage) -> bool:
        return done.done


class ConcludeBillingRun(Message):
    now: datetime
    month: date


class BillingRunResult(Message):
    """Result of a month's run, also of a repeated one; `skipped` is why nothing was done."""

    month: date | None = None
    invoiced: int = 0
    empty: int = 0
    failed: int = 0
    skipped: str = ""
