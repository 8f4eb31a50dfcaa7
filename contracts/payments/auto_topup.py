"""Messages of automatic top-ups: of the sweep that finds low balances, and of the run that buys credits for one."""

from datetime import datetime

from contracts.common.base import Message


class AutoTopUpInput(Message):
    """A fall of an organization's balance below the threshold; `number` counts its falls."""

    org_id: str
    number: int
    credits_minor: int


class AutoTopUpResult(Message):
    outcome: str
    payment_id: str | None = None
    why: str | None = None


class OrderedAutoTopUp(Message):
    """The requested payment, or in `refused` why there is none. Both are None if the top-up is switched off."""

    payment_id: str | None = None
    refused: str | None = None


class SettleAutoTopUp(Message):
    """Records the outcome of a fall, once it is known."""

    org_id: str
    number: int
    refused: str | None = None


class SettledAutoTopUp(Message):
    """Outcome of a fall so far; `status` is the payment's."""

    outcome: str
    payment_id: str | None = None
    status: str | None = None
    why: str | None = None


class FindLowBalances(Message):
    """Finds falls in the page of organizations after the id `after`.

    With `everything` all open falls are returned, otherwise those without a payment.
    """

    now: datetime
    after: str
    limit: int
    everything: bool = False


class LowBalancePage(Message):
    """Result for a page: its size and last id, numbers of new and capped falls, and open falls without a run."""

    found: int
    last: str
    noted: int = 0
    capped: int = 0
    open: tuple[AutoTopUpInput, ...] = ()


class StartAutoTopUps(Message):
    """Starts the runs of falls without one."""

    open: tuple[AutoTopUpInput, ...]


class StartedAutoTopUps(Message):
    """Number of started runs."""

    count: int


class HandledLowBalancePage(Message):
    falls: LowBalancePage
    started: int


class AutoTopUpSweep(Message):
    """Progress of a sweep of `most` checks: checks made, the cursor in the current one, and totals."""

    most: int
    limit: int
    after: str = ""
    looks: int = 0
    found: int = 0
    noted: int = 0
    capped: int = 0
    started: int = 0

    def plus(self, page: HandledLowBalancePage) -> "AutoTopUpSweep":
        """Return the progress after a page."""
        falls = page.falls
        counts = {
            "found": self.found + falls.found,
            "noted": self.noted + falls.noted,
            "capped": self.capped + falls.capped,
            "started": self.started + page.started,
        }
        return self.model_copy(update={"after": falls.last, **counts})

    def is_last(self, page: HandledLowBalancePage) -> bool:
        """Whether this was the last page of the current check, because it is not full."""
        return page.falls.found < self.limit

    def looked(self) -> "AutoTopUpSweep":
        """Return the progress after a check; the next one begins at the first page."""
        return self.model_copy(update={"after": "", "looks": self.looks + 1, "found": 0})
