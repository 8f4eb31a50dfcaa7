"""ApprovalWorkflow: one approval, from the question to the answer."""

from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from contracts.common.queues import local_activity
    from domain.common.access import Actor
    from domain.common.agenda import Wait
    from domain.common.signals import SignalTarget
    from tests.workflows.approval.activities import ApprovalActivities
    from tests.workflows.approval.messages import (
        ApprovalInput,
        ApprovalResult,
        Approve,
        Ask,
        DecideSignal,
        LoadApproval,
        RecordApproval,
    )
    from tests.workflows.approval.rules import (
        Approval,
        ApprovalStatus,
        Decision,
        Outcome,
        Step,
        agenda,
        decided,
        numbered,
    )
    from workflows.common.entity import Entity
    from workflows.common.signals import NO_INPUT, check_addressed, sender


@workflow.defn(name="approval")
class ApprovalWorkflow(Entity[ApprovalInput, Approval, Outcome, Decision, ApprovalResult]):
    """One approval.

    Messages:
        updates `ask`, `approve`: commands of the API. Update `catch_up`: the books are ahead. Signals `approve`,
        `decline` from the Temporal UI; a refused one is recorded in the timeline. A cancellation request is a
        `decline`.
    Ends when: it was decided or has lapsed, and every handler has answered.
    Continues as new: when the server suggests it, from what the books hold.
    Compensates: nothing; it moves no money.
    """

    @workflow.init
    def __init__(self, start: ApprovalInput) -> None:
        super().__init__(start, Approval(approval_id=start.approval_id, decide_by=start.decide_by))

    @workflow.run
    async def run(self, start: ApprovalInput) -> ApprovalResult:
        await self._live(start)
        return self._result()

    # Messages: one declared method for each name on the wire, whose body is one call ----------------------------------

    @workflow.update(name="ask")
    async def ask(self, command: Ask) -> ApprovalResult:
        return await self._answer_when(lambda: self._state.version > 0)

    @ask.validator
    def _validate_ask(self, command: Ask) -> None:
        self._check(command, lambda: None)

    @workflow.update(name="approve")
    async def approve(self, command: Approve) -> ApprovalResult:
        return await self._answer(lambda: self._apply(command.command_id, self._approved(command.actor), command.actor))

    @approve.validator
    def _validate_approve(self, command: Approve) -> None:
        self._check(command, lambda: self._judge(command))

    @workflow.signal(name="approve")
    async def signal_approve(self, given: RawValue = NO_INPUT) -> None:
        await self._handle_signal(
            "approve", DecideSignal, given, lambda signal: self._signalled("approve", ApprovalStatus.APPROVED, signal)
        )

    @workflow.signal(name="decline")
    async def signal_decline(self, given: RawValue = NO_INPUT) -> None:
        await self._handle_signal(
            "decline", DecideSignal, given, lambda signal: self._signalled("decline", ApprovalStatus.DECLINED, signal)
        )

    # Decisions: what a command does to the state that holds when its turn comes ---------------------------------------

    def _approved(self, actor: Actor) -> Decision:
        return lambda approval, _now: decided(approval, ApprovalStatus.APPROVED, actor=actor.qualified())

    def _judge(self, command: Approve) -> None:
        if not self._state.has_done(command.command_id):
            self._approved(command.actor)(self._state, workflow.now())

    def _signalled(
        self, name: str, status: ApprovalStatus, signal: DecideSignal, unnamed: str = "operator"
    ) -> Decision:
        def decide(approval: Approval, _now: datetime) -> Outcome:
            reached = SignalTarget(
                kind="approval", id=approval.approval_id, state=approval.status.value, asks_for_name=False
            )
            check_addressed(reached, name, signal, subject=getattr(signal, name))
            return decided(approval, status, actor=sender(signal, unnamed).qualified())

        return decide

    # What the base asks for -------------------------------------------------------------------------------------------

    async def _load(self, why: str) -> Approval:
        return await workflow.execute_local_activity_method(
            ApprovalActivities.load, LoadApproval(approval_id=self._start.approval_id), **local_activity(why)
        )

    async def _open(self) -> None:
        by = self._start.asked_by
        asked = Outcome(approval=self._state, event="asked", actor=by.qualified())
        await self._write_next(asked, self._start.command_id, by)

    async def _write_next(
        self, event: Outcome, command_id: str, actor: Actor | None, content: str | None = None
    ) -> bool:
        next_event = numbered(event, command_id)
        message = RecordApproval(
            approval=next_event.approval,
            event=next_event.event,
            command_id=command_id,
            actor=next_event.actor,
            details=dict(next_event.details),
            at=workflow.now(),
            decided_from=self._decided_from(),
        )
        recorded = await workflow.execute_local_activity_method(
            ApprovalActivities.record, message, **local_activity(next_event.event)
        )
        self._written(recorded, next_event.approval)
        return recorded.applied

    async def _advance(self) -> None:
        """Open, let the deadline act, or wait for it or for a change, whichever comes first."""
        await self._turn(lambda: self._overtaken(workflow.now()))
        item, version = agenda(self._state, workflow.now()), self._state.version
        if isinstance(item, Wait):
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._state.version != version or self._should_continue_as_new(),
                    timeout=item.until - workflow.now(),
                    timeout_summary=item.why,
                )

    async def _overtaken(self, now: datetime) -> bool:
        if agenda(self._state, now) is not Step.LAPSE:
            return False
        lapsed = decided(self._state, ApprovalStatus.LAPSED, actor="timer")
        await self._write_next(lapsed, f"timer:lapsed:{self._state.version}", None)
        return True

    def _has_ended(self) -> bool:
        return self._state.status is not ApprovalStatus.OPEN

    def _details(self) -> str:
        return f"**{self._state.status}**, until {self._state.decide_by:%Y-%m-%d %H:%M} UTC"

    def _result(self) -> ApprovalResult:
        state = self._state
        return ApprovalResult(approval_id=state.approval_id, status=state.status.value, version=state.version)

    async def _grant(self, command_id: str, wish: Decision, actor: Actor) -> None:
        await self._apply(command_id, wish, actor)

    def _noting(self, note: dict[str, object], actor: Actor) -> Decision:
        return lambda approval, _now: Outcome(
            approval=approval, event="command_refused", actor=actor.qualified(), details=note
        )

    async def _cancel_requested(self) -> None:
        signal = DecideSignal()
        declined = self._signalled("decline", ApprovalStatus.DECLINED, signal, "cancellation")
        await self._carry_out("decline", signal, declined, "cancellation")
