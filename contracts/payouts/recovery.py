"""Messages of recovering what creators earned from payments that were refunded or charged back."""

from datetime import datetime

from contracts.common.base import Message


class RecoveryPage(Message):
    """Handles up to `limit` recoveries or reversals after an id, in a batch that began at `now`."""

    now: datetime
    after: str
    limit: int


class Recovered(Message):
    """The number handled and done, and the last one."""

    found: int
    done: int
    last: str


class EarningsRecovery(Message):
    """Progress of the batch: in the recoveries, or in the reversals that follow; the counts so far."""

    now: datetime
    limit: int
    reversing: bool = False
    after: str = ""
    recovered: int = 0
    reversed: int = 0

    def plus(self, done: Recovered) -> "EarningsRecovery":
        """Return the progress after a page."""
        counter, before = ("reversed", self.reversed) if self.reversing else ("recovered", self.recovered)
        counted = {counter: before + done.done}
        if done.found < self.limit and not self.reversing:
            return self.model_copy(update={**counted, "reversing": True, "after": ""})
        return self.model_copy(update={**counted, "after": done.last})

    def is_last(self, done: Recovered) -> bool:
        """Return whether no page follows: the last page of reversals is not full."""
        return self.reversing and done.found < self.limit


class EarningsRecoveryResult(Message):
    """The number of uses recovered, and of transfers reversed."""

    recovered: int
    reversed: int
