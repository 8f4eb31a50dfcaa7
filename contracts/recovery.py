"""Messages of taking back what creators earned from payments that were taken back."""

from datetime import datetime

from contracts.base import Message


class RecoveryPage(Message):
    """Works on up to `limit` recoveries or reversals after an id, for a batch that began at `now`."""

    now: datetime
    after: str
    limit: int


class Recovered(Message):
    """How many were looked at and done, and the last of them."""

    found: int
    done: int
    last: str


class EarningsRecovery(Message):
    """Where the batch stands: at the recoveries, or at the reversals that follow; what was done so far."""

    now: datetime
    limit: int
    reversing: bool = False
    after: str = ""
    recovered: int = 0
    reversed: int = 0

    def plus(self, done: Recovered) -> "EarningsRecovery":
        """Return where it stands after a page."""
        counter, before = ("reversed", self.reversed) if self.reversing else ("recovered", self.recovered)
        counted = {counter: before + done.done}
        if done.found < self.limit and not self.reversing:
            return self.model_copy(update={**counted, "reversing": True, "after": ""})
        return self.model_copy(update={**counted, "after": done.last})

    def is_last(self, done: Recovered) -> bool:
        """Tell whether no page follows: the last page of reversals is not full."""
        return self.reversing and done.found < self.limit


class EarningsRecoveryResult(Message):
    """For how many uses creators gave something back, and how many transfers were taken back."""

    recovered: int
    reversed: int
