"""An approval: somebody asks, somebody else decides, and it lapses when nobody does. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from domain.common.agenda import Wait
from domain.common.errors import Conflict


class ApprovalStatus(StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    DECLINED = "declined"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The whole state. `version` is the number of its latest event, `receipts` are the commands that were done."""

    approval_id: str
    decide_by: datetime
    status: ApprovalStatus = ApprovalStatus.OPEN
    version: int = 0
    receipts: tuple[str, ...] = ()

    def has_done(self, command_id: str) -> bool:
        return command_id in self.receipts


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a command or a deadline: the next state, and its event."""

    approval: Approval
    event: str
    actor: str
    details: Mapping[str, object] = field(default_factory=dict)


Decision = Callable[[Approval, datetime], Outcome]


def decided(approval: Approval, status: ApprovalStatus, *, actor: str) -> Outcome:
    if approval.status is not ApprovalStatus.OPEN:
        raise Conflict(
            f"The approval is {approval.status} already, which is final.",
            code="approval.wrong_state",
            extra={"state": approval.status.value},
        )
    return Outcome(approval=replace(approval, status=status), event=status.value, actor=actor)


def numbered(outcome: Outcome, command_id: str) -> Outcome:
    """Give the event its number and the command its receipt."""
    before = outcome.approval
    after = replace(before, version=before.version + 1, receipts=(*before.receipts, command_id))
    return replace(outcome, approval=after)


class Step(StrEnum):
    """The automatic steps of a workflow, in the order of precedence."""

    LAPSE = "lapse"


def agenda(approval: Approval, now: datetime) -> Step | Wait | None:
    """Return the next step, or how long to wait; None after the end."""
    if approval.status is not ApprovalStatus.OPEN:
        return None
    if now >= approval.decide_by:
        return Step.LAPSE
    return Wait(until=approval.decide_by, why="if nobody decides by then: lapse")
