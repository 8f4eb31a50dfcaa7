"""Messages of allocations: the run of a project's night, and the sweep that starts nights and pays trials."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import ClassVar

from contracts.common.base import Message
from contracts.common.batch import StepProgress
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


class LoadAllocation(Message):
    """Reads an allocation, and ends it if its time to be accepted is over at `now`."""

    allocation_id: str
    now: datetime


class LoadedAllocation(Message):
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
    accept: object = None


class AcceptAllocation(Message):
    allocation_id: str
    actor: Actor
    now: datetime


class AcceptedAllocation(Message):
    declined: Declined | None = None


class AllocationSweep(StepProgress):
    counters: ClassVar[Mapping[str, str]] = {"nights": "started", "trials": "paid"}

    step: str = "nights"
    started: int = 0
    paid: int = 0
