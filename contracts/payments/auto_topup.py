"""Messages of automatic top-ups: the sweep that finds falls of balances, and the run that buys credits for one."""

from datetime import datetime

from contracts.common.base import Message


class AutoTopUpInput(Message):
    """One fall of an organization's balance; `number` counts its falls."""

    org_id: str
    number: int
    credits_minor: int


class AutoTopUpResult(Message):
    outcome: str
    payment_id: str | None = None
    why: str | None = None


class OrderedAutoTopUp(Message):
    """The ordered payment, or in `refused` why there is none. Both are None if the top-up is switched off."""

    payment_id: str | None = None
    refused: str | None = None


class SettleAutoTopUp(Message):
    """Records the outcome of a fall, once it is known."""

    org_id: str
    number: int
    refused: str | None = None


class SettledAutoTopUp(Message):
    """The outcome of a fall so far; `status` is the payment's."""

    outcome: str
    payment_id: str | None = None
    status: str | None = None
    why: str | None = None


class FindLowBalances(Message):
    """Finds the falls of the page of organizations after one of them.

    With `everything` all open falls are listed, otherwise those without a payment.
    """

    now: datetime
    after: str
    limit: int
    everything: bool = False


class LowBalancePage(Message):
    """The page: its number of organizations, the last one, falls recorded or capped, and falls that need a run."""

    found: int
    last: str
    noted: int = 0
    capped: int = 0
    open: tuple[AutoTopUpInput, ...] = ()


class StartAutoTopUps(Message):
    """Starts the runs of falls that have none."""

    open: tuple[AutoTopUpInput, ...]


class StartedAutoTopUps(Message):
    """How many had none."""

    count: int


class HandledLowBalancePage(Message):
    falls: LowBalancePage
    started: int


class AutoTopUpSweep(Message):
    """Progress of a sweep: the number of checks, the cursor in the present one, and the counts so far.

    It makes `most` checks.
    """

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
        """Whether this was the last page of the present check: one that is not full."""
        return page.falls.found < self.limit

    def looked(self) -> "AutoTopUpSweep":
        """Return the progress after a check: the next one begins at the first page."""
        return self.model_copy(update={"after": "", "looks": self.looks + 1, "found": 0})
