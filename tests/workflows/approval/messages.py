"""Messages of an approval's workflow, its commands and its activities."""

from datetime import datetime

from pydantic import Field
from temporalio.common import WorkflowIDReusePolicy

from contracts.common.base import Message
from contracts.common.search_attributes import search_attributes
from contracts.escrow.escrow import Declined, OperatorSignal
from contracts.runs import Run
from domain.common.access import Actor
from tests.workflows.approval.rules import Approval


class ApprovalInput(Message):
    """Starts or continues an approval. With `resume` the workflow continues from the state in the database."""

    approval_id: str
    decide_by: datetime
    asked_by: Actor
    command_id: str
    resume: bool = False
    signals: int = 0


class ApprovalCommand(Message):
    """Common fields of every command: its identity, made from the caller's key, and its actor."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Refuse a value that no caller of the API can send."""


class Ask(ApprovalCommand):
    """Waits until the approval is open."""


class Approve(ApprovalCommand):
    """Approves."""


class ApprovalResult(Message):
    approval_id: str
    status: str
    version: int


class DecideSignal(OperatorSignal):
    """Approves or declines. Fields take whatever JSON holds: what cannot be decoded would be dropped."""

    approve: object = None
    decline: object = None


class RecordApproval(Message):
    """One event to be written: the state after it, and the hash of the state that it was decided from."""

    approval: Approval
    event: str
    command_id: str
    actor: str
    details: dict[str, object] = Field(default_factory=dict)
    at: datetime
    decided_from: str | None = None


class RecordedApproval(Message):
    """Whether this very event is in the books; otherwise `stored` is what they hold instead."""

    applied: bool
    stored: Approval | None = None
    declined: Declined | None = None


class LoadApproval(Message):
    approval_id: str


def approval_run(start: ApprovalInput) -> Run:
    """Return the run of an approval; another one follows only a run that was lost."""
    return Run(
        workflow="approval",
        workflow_id=f"approval/{start.approval_id}",
        start=start,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        summary="an approval",
        attributes=search_attributes(state=None if start.resume else "open"),
    )
