"""What the run of an escrow does next by itself. The only place that orders due steps; pure.

A deadline acts when its time has passed. Commands that arrived before it come first, and so does an operator's signal
to freeze the escrow where nothing ran at the time: a signal has no time, so it may have been sent before.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.common.agenda import Wait
from domain.escrow.deadlines import LATE_AFTER, next_deadline
from domain.escrow.state import Escrow


class AgendaStep(StrEnum):
    """What a run can do by itself, in the order of precedence.

    Attributes:
        FREEZE: do what an operator has signalled, which is to freeze the escrow.
        HANDLE_NOTED: do what was noted before the deadline, in the order of its times.
        TIMED_EXIT: do what the deadline does, see `domain.escrow.deadlines.timed_exit`.
    """

    FREEZE = "freeze"
    HANDLE_NOTED = "take_noted"
    TIMED_EXIT = "exit"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaInput:
    """What the run knows beside the state.

    Attributes:
        freezes: the commands of operators who want to freeze the escrow, each until it was tried.
        noted: how many commands the books hold back the deadline for, until they were tried.
    """

    freezes: tuple[str, ...] = ()
    noted: int = 0


def agenda(escrow: Escrow, now: datetime, news: AgendaInput) -> AgendaStep | Wait | None:
    """Return the next step, or the time until which nothing is due; None once the escrow has ended."""
    deadline = next_deadline(escrow)
    if deadline is None:
        return None
    if now < deadline.at:
        return Wait(until=deadline.at, why=deadline.what)
    if news.freezes:
        return AgendaStep.FREEZE
    return AgendaStep.HANDLE_NOTED if news.noted else AgendaStep.TIMED_EXIT


def is_late(escrow: Escrow, now: datetime) -> bool:
    """Return whether a deadline has passed so long ago that nothing can have run then."""
    deadline = next_deadline(escrow)
    return deadline is not None and now - deadline.at > LATE_AFTER
