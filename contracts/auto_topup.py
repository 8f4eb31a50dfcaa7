"""Messages of automatic top-ups: the sweep that finds balances which fell, and the run that buys for one fall."""

from datetime import datetime

from contracts.base import Message


class AutoTopUpInput(Message):
    """One fall of an organization's balance; `number` counts its falls."""

    org_id: str
    number: int
    credits_minor: int


class AutoTopUpResult(Message):
    """The outcome of a fall."""

    outcome: str
    payment_id: str | None = None
    why: str | None = None


class OrderedAutoTopUp(Message):
    """The payment that was asked for; `refused` says why nobody can be asked. Both are None once it is switched off."""

    payment_id: str | None = None
    refused: str | None = None


class SettleAutoTopUp(Message):
    """Asks what became of a fall, and to write it."""

    org_id: str
    number: int
    refused: str | None = None


class SettledAutoTopUp(Message):
    """The outcome of a fall so far; `status` is the payment's."""

    outcome: str
    payment_id: str | None = None
    status: str | None = None
    why: str | None = None


class LookForFalls(Message):
    """Asks for the falls of a page of organizations, after one of them.

    With `everything` all open falls are listed, otherwise those of which nobody was asked to pay.
    """

    now: datetime
    after: str
    limit: int
    everything: bool = False


class FoundFalls(Message):
    """How many organizations a page has, the last one, how many falls were noted or capped, and what needs a run."""

    found: int
    last: str
    noted: int = 0
    capped: int = 0
    open: tuple[AutoTopUpInput, ...] = ()


class StartAutoTopUps(Message):
    """Asks to start the runs of falls that have none."""

    open: tuple[AutoTopUpInput, ...]


class StartedAutoTopUps(Message):
    """How many had none."""

    count: int


class FallsPage(Message):
    """The outcome of a page: what was found, and how many runs were started."""

    falls: FoundFalls
    started: int


class AutoTopUpSweep(Message):
    """Where a sweep stands: how often it has looked, the place in this look, and what it has found and started so far.

    It looks `most` times.
    """

    most: int
    limit: int
    after: str = ""
    looks: int = 0
    found: int = 0
    noted: int = 0
    capped: int = 0
    started: int = 0

    def plus(self, page: FallsPage) -> "AutoTopUpSweep":
        """Return where it stands after a page."""
        falls = page.falls
        counts = {
            "found": self.found + falls.found,
            "noted": self.noted + falls.noted,
            "capped": self.capped + falls.capped,
            "started": self.started + page.started,
        }
        return self.model_copy(update={"after": falls.last, **counts})

    def is_last(self, page: FallsPage) -> bool:
        """Tell whether no page follows in this look: one that is not full is the last."""
        return page.falls.found < self.limit

    def looked(self) -> "AutoTopUpSweep":
        """Return where it stands after a look: the next one begins at the first page."""
        return self.model_copy(update={"after": "", "looks": self.looks + 1, "found": 0})
