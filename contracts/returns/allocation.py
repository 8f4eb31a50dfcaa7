"""Messages of allocations: the run of a project's night, and the sweep that starts nights and pays trials."""

from datetime import date, datetime

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor


class AllocationInput(Message):
    """Starts the run of a project's night; the books have the rest."""

    project_id: str
    night: date


class AllocationResult(Message):
    """What became of the night: the status of its allocation, or why there is none."""

    outcome: str


class ProposeAllocation(Message):
    """Divides a project's budget for the day that begins with a night, which is `now`."""

    project_id: str
    night: date
    now: datetime


class LookAtAllocation(Message):
    """Reads an allocation, and ends it if its time to be accepted is over at `now`."""

    allocation_id: str
    now: datetime


class AllocationSeen(Message):
    """An allocation as the books have it, or with `allocation_id` None why there is none.

    `lines` says of the first agents what they get and why, `agents` how many there are.
    """

    allocation_id: str | None = None
    outcome: str
    total: str = ""
    agents: int = 0
    lines: tuple[str, ...] = ()
    answer_by: datetime | None = None


class AcceptSignal(OperatorSignal):
    """What operators send to accept an allocation: its id."""

    accept: object = None


class AcceptAllocation(Message):
    """Accepts an allocation for an operator."""

    allocation_id: str
    actor: Actor
    now: datetime


class AcceptedAllocation(Message):
    """The outcome of an acceptance."""

    declined: Declined | None = None


class ReturnsDue(Message):
    """Handles a page of nights or trials of which something is due at `now`, after an id."""

    now: datetime
    after: str
    limit: int


class ReturnsDone(Message):
    """The number found and done, and the last one."""

    found: int
    done: int
    last: str


class AllocationSweep(Message):
    """Progress of the sweep: its step, `nights` or `trials`, the last id of that step, and the counts so far."""

    now: datetime
    limit: int
    step: str = "nights"
    after: str = ""
    started: int = 0
    paid: int = 0

    def plus(self, done: ReturnsDone) -> "AllocationSweep":
        """Return the progress after a page."""
        is_over, nights = done.found < self.limit, self.step == "nights"
        return AllocationSweep(
            now=self.now,
            limit=self.limit,
            step="trials" if is_over else self.step,
            after="" if is_over and nights else done.last,
            started=self.started + (done.done if nights else 0),
            paid=self.paid + (0 if nights else done.done),
        )

    def is_last(self, done: ReturnsDone) -> bool:
        """Return whether no page follows: the last page of trials is not full."""
        return self.step == "trials" and done.found < self.limit
