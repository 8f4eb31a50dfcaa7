"""The agenda of an escrow: the next step of its workflow. The only place that orders due steps; pure.

A deadline acts when its time has passed. Commands that arrived before it come first. So does an operator's signal to
freeze the escrow if no worker ran at the deadline: a signal has no time, so it may have been sent before.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.common.agenda import Wait
from domain.escrow.deadlines import LATE_AFTER, next_deadline
from domain.escrow.state import Escrow


class AgendaStep(StrEnum):
    """Automatic steps of a run, in the order of precedence.

    Attributes:
        FREEZE: execute an operator's signal to freeze the escrow.
        HANDLE_NOTED: execute the commands that were noted before the deadline, in the order of their times.
        TIMED_EXIT: apply the deadline, see `domain.escrow.deadlines.timed_exit`.
    """

    FREEZE = "freeze"
    HANDLE_NOTED = "take_noted"
    TIMED_EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaInput:
    """Input of the agenda: what the workflow knows besides the escrow's state.

    Attributes:
        freezes: the ids of operators' signals to freeze the escrow that were not tried yet.
        noted: the number of noted commands that hold back the deadline and were not tried yet.
    """

    freezes: tuple[str, ...] = ()
    noted: int = 0


def agenda(escrow: Escrow, now: datetime, given: AgendaInput) -> AgendaStep | Wait | None:
    """Return the next step, or the wait until the deadline; None once the escrow has ended."""
    deadline = next_deadline(escrow)
    if deadline is None:
        return None
    if now < deadline.at:
        return Wait(until=deadline.at, why=deadline.what)
    if given.freezes:
        return AgendaStep.FREEZE
    return AgendaStep.HANDLE_NOTED if given.noted else AgendaStep.TIMED_EXIT


def is_late(escrow: Escrow, now: datetime) -> bool:
    """Return whether a deadline has passed so long ago that no worker can have run then."""
    deadline = next_deadline(escrow)
    return deadline is not None and now - deadline.at > LATE_AFTER
