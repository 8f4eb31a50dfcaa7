"""The contract of entities, for approvals."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text
from temporalio.client import WorkflowHandle

from contracts.runs import Run
from domain.common.access import Actor, Role
from runtime import reach
from runtime.identity import new_id
from tests.workflows.approval.activities import READ, STATE, locked
from tests.workflows.approval.messages import (
    ApprovalInput,
    ApprovalResult,
    Approve,
    Ask,
    DecideSignal,
    approval_run,
)
from tests.workflows.approval.rules import Approval, ApprovalStatus
from tests.workflows.conftest import Stage
from tests.workflows.declarations import Entity, Inbound, State

KIM = Actor(principal="kim", role=Role.OPERATOR)


@dataclass
class Question:
    """One approval on the stage."""

    stage: Stage
    start: ApprovalInput

    @property
    def run(self) -> Run:
        return approval_run(self.start.model_copy(update={"resume": True}))

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.client.get_workflow_handle(self.run.workflow_id)

    async def ask(self) -> ApprovalResult:
        return await reach.update(
            self.stage.client,
            approval_run(self.start),
            "ask",
            Ask(command_id=self.start.command_id, actor=KIM),
            update_id=self.start.command_id,
            result_type=ApprovalResult,
        )

    async def state(self) -> Approval:
        async with self.stage.database.platform() as session:
            return STATE.validate_json(await session.scalar(text(READ), {"id": self.start.approval_id}))

    async def timeline(self) -> list[Any]:
        events = "SELECT kind, details FROM example.approval_events WHERE approval_id = :id ORDER BY number"
        async with self.stage.database.platform() as session:
            rows = await session.execute(text(events), {"id": self.start.approval_id})
            return [SimpleNamespace(kind=row.kind, details=row.details) for row in rows]

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.timeline()]


async def asked(stage: Stage, **changes: Any) -> Question:
    decide_by = datetime.now(UTC) + timedelta(days=3)
    made = {"approval_id": new_id("apr"), "decide_by": decide_by, "asked_by": KIM, "command_id": new_id("cmd")}
    return Question(stage, ApprovalInput(**made, **changes))


APPROVAL = Entity(
    name="approval",
    make=asked,
    run=lambda one: one.run,
    lock=lambda session, one: locked(session, one.start.approval_id),
    result=ApprovalResult,
    lasts=timedelta(days=4),
    ending="approve",
    statuses=ApprovalStatus,
    final={ApprovalStatus.APPROVED, ApprovalStatus.DECLINED, ApprovalStatus.LAPSED},
    states=(State(name="open", enter=Question.ask, left_alone="lapsed", cancelled="declined"),),
    messages=(
        Inbound(
            kind="update",
            name="ask",
            state="open",
            message=lambda one: Ask(command_id=one.start.command_id, actor=KIM),
            event="asked",
        ),
        Inbound(
            kind="update",
            name="approve",
            state="open",
            message=lambda one: Approve(command_id=new_id("cmd"), actor=KIM),
            event="approved",
        ),
        Inbound(
            kind="signal",
            name="approve",
            state="open",
            message=lambda one: DecideSignal(operator="kim"),
            event="approved",
        ),
        Inbound(
            kind="signal",
            name="decline",
            state="open",
            message=lambda one: DecideSignal(operator="kim"),
            event="declined",
        ),
    ),
)
