"""One case of suspected fraud on the stage: opened as a detector does it, and its run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowHandle

from activities.risk.case import RiskCaseActivities
from contracts.common.base import Message
from contracts.risk.case import (
    AnswerCase,
    AppealCase,
    AssignCase,
    CaseCommandResult,
    DecideCase,
    NoteOnCase,
    RecordCase,
    RequestCaseInformation,
)
from contracts.runs import Run, risk_case_run
from domain.common.access import Actor, Role
from domain.common.state_hash import state_hash
from domain.risk.case import Case, CaseKind, CaseOutcome, CaseResult, HoldKind, NewHold, with_receipt
from models.risk.case import RiskCaseEvent, RiskHold
from repositories.risk import case as cases
from runtime import reach
from runtime.identity import new_id
from services.risk import case as service
from tests.support.looking import again
from tests.support.timelines import timeline
from tests.workflows.conftest import Stage

KIM = Actor(principal="kim", role=Role.OPERATOR)


@dataclass
class CaseDriver:
    """A case that is in the books."""

    stage: Stage
    case: Case
    party: Actor

    @property
    def run(self) -> Run:
        return risk_case_run(self.case)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.client.get_workflow_handle(self.run.workflow_id, result_type=CaseCommandResult)

    def assign(self) -> AssignCase:
        return AssignCase(command_id=new_id("cmd"), actor=KIM, operator="kim")

    def note(self) -> NoteOnCase:
        return NoteOnCase(command_id=new_id("cmd"), actor=KIM, note="Looks odd.")

    def ask(self) -> RequestCaseInformation:
        return RequestCaseInformation(command_id=new_id("cmd"), actor=KIM, question="For what?")

    def answer(self) -> AnswerCase:
        return AnswerCase(command_id=new_id("cmd"), actor=self.party, answer="For the game.")

    def decide(self, result: CaseResult = CaseResult.RELEASE, by: Actor = KIM) -> DecideCase:
        return DecideCase(command_id=new_id("cmd"), actor=by, result=result, reason="It was explained.")

    def appeal(self) -> AppealCase:
        return AppealCase(command_id=new_id("cmd"), actor=self.party, appeal="That is wrong.")

    async def send(self, name: str, message: Message) -> None:
        await reach.update(
            self.stage.client, self.run, name, message, update_id=new_id("upd"), result_type=CaseCommandResult
        )

    async def opens(self) -> None:
        """Begin its run, and wait until the run waits."""
        await reach.start_missing(self.stage.client, self.run)
        while not (await self.state()).is_queued:
            await again()
        await self.knows()

    async def knows(self) -> None:
        """Wait until the run knows what the books hold: they are ahead of it until its task has ended."""
        while await self.handle.query("version") < (await self.state()).version:
            await again()

    async def state(self) -> Case:
        async with self.stage.database.platform() as session:
            row = await cases.get(session, self.case.case_id)
            assert row is not None
            return cases.state_of(row)

    async def timeline(self) -> Sequence[RiskCaseEvent]:
        async with self.stage.database.platform() as session:
            return await timeline(session, RiskCaseEvent, case_id=self.case.case_id)

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.timeline()]

    async def holds(self) -> Sequence[RiskHold]:
        async with self.stage.database.platform() as session:
            return await cases.holds_of(session, self.case.case_id)


async def opened(stage: Stage, kind: CaseKind = CaseKind.DELIVERY) -> CaseDriver:
    """Open a case of a new organization, which holds its earnings."""
    org_id = new_id("org")
    hold = NewHold(kind=HoldKind.EARNINGS, subject=org_id, org_id=org_id)
    async with stage.database.platform() as session:
        case_id = await service.open_case(
            session, kind, org_id, [org_id], 12_300, datetime.now(UTC), [hold], "It delivers junk.", {"releases": 7}
        )
        row = await cases.get(session, case_id)
        assert row is not None
        case = cases.state_of(row)
    return CaseDriver(stage, case, Actor(principal="owner", role=Role.OWNER, org_id=org_id))


async def note_case(made: CaseDriver) -> None:
    """Write a note into the books that the run does not know."""
    held, command_id = await made.state(), new_id("cmd")
    event = CaseOutcome(case=held, event="command_refused", actor="temporal-ui:somebody", details={"command": "look"})
    message = RecordCase(
        outcome=with_receipt(event, command_id),
        command_id=command_id,
        at=datetime.now(UTC),
        decided_from=state_hash(held),
    )
    work = RiskCaseActivities(made.stage.database, two_above=None, currency="USD")
    assert (await work.record(message)).applied
