"""Messages of allocations: the run of a project's night, and the sweep that starts nights and pays trials."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import ClassVar

from contracts.common.base import Message
from contracts.common.batch import StepProgress
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor


class AllocationInput(Message):
    """Starts the run of a project's night; the database has the rest."""

    project_id: str
    night: date


class AllocationResult(Message):
    """Outcome of the night: the status of its allocation, or why there is none."""

    outcome: str


class ProposeAllocation(Message):
    """Divides a project's budget for the day that begins with a night."""

    project_id: str
    night: date
    now: datetime


class LoadAllocation(Message):
    """Reads an allocation, and expires it if it was not accepted in time."""

    allocation_id: str
    now: datetime


class LoadedAllocation(Message):
    """An allocation, or with `allocation_id` None the reason in `outcome`.

    `lines` explain the amounts of the first agents; `agents` is their total number.
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
