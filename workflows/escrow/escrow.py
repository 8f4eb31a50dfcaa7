"""EscrowWorkflow: an escrow from award to settlement."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue

from domain.common.errors import EscrowExists

with workflow.unsafe.imports_passed_through():
    from activities.escrow.escrow import EscrowActivities
    from contracts.common.queues import local_activity
    from contracts.escrow.escrow import (
        ApproveEscrow,
        ApproveSignal,
        CancelEscrow,
        CancelSignal,
        CloseEvidence,
        CommandResult,
        DeliverEscrow,
        DisputeEscrow,
        DisputeSignal,
        EscrowCommand,
        EscrowInput,
        FundEscrow,
        LoadEscrow,
        NotedCommand,
        OpenEscrow,
        OperatorSignal,
        RecordedEscrow,
        RecordEscrowEvent,
        RefundEscrow,
        ResolveEscrow,
        ResolveSignal,
        SubmitEvidence,
        ValidateEscrow,
    )
    from domain.common.access import Actor
    from domain.common.errors import DomainError
    from domain.escrow import commands
    from domain.escrow.agenda import AgendaInput, AgendaStep, agenda, is_late
    from domain.escrow.deadlines import next_deadline, timed_exit
    from domain.escrow.outage import evidence_closes_at, evidence_extended
    from domain.escrow.pause import extended
    from domain.escrow.presentation import details
    from domain.escrow.state import Decision, Escrow, Outcome
    from workflows.common.entity import Entity
    from workflows.common.signals import NO_INPUT
    from workflows.escrow import escrow_decisions as decisions

Sig = TypeVar("Sig", bound=OperatorSignal)


@workflow.defn(name="escrow")
class EscrowWorkflow(Entity[EscrowInput, Escrow, Outcome, Decision, CommandResult]):
    """An escrow. Only this workflow decides its state; one transaction writes an event to ledger and read model.

    Messages:
        updates `open`, `fund`, `deliver`, `validate`, `approve`, `dispute`, `submit_evidence`, `resolve`, `refund`,
        `cancel`: commands of the API. Update `catch_up`: reload the state. Signals `approve`, `dispute`,
        `resolve`, `cancel`: commands of operators; a refused or malformed one is recorded in the timeline. Cancellation
        requests are refused: they name no operator.
    Ends when: the escrow is in a final state and every handler has finished.
    Continues as new: when the server suggests it, from the state in the books.
    Compensates: nothing; every event is one transaction, and every state has a timed exit.
    """

    @workflow.init
    def __init__(self, start: EscrowInput) -> None:
        """Prepare the first state; a resumed run loads it from the books."""
        self._opening = commands.opened(start.terms, actor=start.opened_by, now=workflow.now())
        # The end of an evidence window that the books do not extend.
        self._evidence_closed_at: datetime | None = None
        super().__init__(start, self._opening.escrow)

    @workflow.run
    async def run(self, start: EscrowInput) -> CommandResult:
        """Open the escrow once, then apply deadlines until it ends."""
        await self._live(start)
        return self._result()

    # Commands ---------------------------------------------------------------------------------------------------------

    @workflow.update(name="open")
    async def open(self, command: OpenEscrow) -> CommandResult:  # noqa: ARG002
        """Return once the escrow is open."""
        return await self._answer_when(lambda: self._state.version > 0)

    @open.validator
    def _validate_open(self, command: OpenEscrow) -> None:
        if command.command_id != self._start.command_id:
            raise EscrowExists(
                "This contract has an escrow already.",
                extra={"state": self._state.status.value, "escrow_id": self._state.terms.escrow_id},
            )

    @workflow.update(name="fund")
    async def fund(self, command: FundEscrow) -> CommandResult:
        """Move the amount from the payer into escrow."""
        return await self._command(command)

    @fund.validator
    def _validate_fund(self, command: FundEscrow) -> None:
        self._validated(command)

    @workflow.update(name="deliver")
    async def deliver(self, command: DeliverEscrow) -> CommandResult:
        """Submit work for review."""
        return await self._command(command)

    @deliver.validator
    def _validate_deliver(self, command: DeliverEscrow) -> None:
        self._validated(command)

    @workflow.update(name="validate")
    async def validate(self, command: ValidateEscrow) -> CommandResult:
        """Record a validator's score, and release the delivery if it reaches the threshold."""
        return await self._command(command)

    @validate.validator
    def _validate_validate(self, command: ValidateEscrow) -> None:
        self._validated(command)

    @workflow.update(name="approve")
    async def approve(self, command: ApproveEscrow) -> CommandResult:
        """Record an approval; the last required one releases the delivery."""
        return await self._command(command)

    @approve.validator
    def _validate_approve(self, command: ApproveEscrow) -> None:
        self._validated(command)

    @workflow.update(name="dispute")
    async def dispute(self, command: DisputeEscrow) -> CommandResult:
        """Freeze the escrow."""
        return await self._command(command)

    @dispute.validator
    def _validate_dispute(self, command: DisputeEscrow) -> None:
        self._validated(command)

    @workflow.update(name="submit_evidence")
    async def submit_evidence(self, command: SubmitEvidence) -> CommandResult:
        """Record a party's evidence."""
        return await self._command(command)

    @submit_evidence.validator
    def _validate_submit_evidence(self, command: SubmitEvidence) -> None:
        if self._may_extend_evidence(workflow.now()):
            # The window is checked when the command is executed.
            command.check()
            return
        self._validated(command)

    @workflow.update(name="resolve")
    async def resolve(self, command: ResolveEscrow) -> CommandResult:
        """Split the held amount as the arbiter decides."""
        return await self._command(command)

    @resolve.validator
    def _validate_resolve(self, command: ResolveEscrow) -> None:
        self._validated(command)

    @workflow.update(name="refund")
    async def refund(self, command: RefundEscrow) -> CommandResult:
        """Refund the payer, as the payee decides."""
        return await self._command(command)

    @refund.validator
    def _validate_refund(self, command: RefundEscrow) -> None:
        self._validated(command)

    @workflow.update(name="cancel")
    async def cancel(self, command: CancelEscrow) -> CommandResult:
        """End the escrow before delivery."""
        return await self._command(command)

    @cancel.validator
    def _validate_cancel(self, command: CancelEscrow) -> None:
        self._validated(command)

    def _validated(self, command: EscrowCommand) -> None:
        """Refuse a command that the current state does not allow."""

        def judge() -> None:
            if self._state.has_done(command.command_id):
                self._refuse_other(command.command_id, command.content())
            else:
                decisions.decide(command, None, self._state, workflow.now())

        self._check(command, judge)

    async def _command(self, command: EscrowCommand) -> CommandResult:
        """Decide a command under the lock, write its outcome, and return the state after it."""
        decide = partial(decisions.decide, command, None)
        return await self._answer(lambda: self._apply(command.command_id, decide, command.actor, command.content()))

    # Signals of operators ---------------------------------------------------------------------------------------------

    @workflow.signal(name="approve")
    async def signal_approve(self, given: RawValue = NO_INPUT) -> None:
        """Approve on behalf of a signatory."""
        await self._signalled("approve", ApproveSignal, given, decisions.approve)

    @workflow.signal(name="dispute")
    async def signal_dispute(self, given: RawValue = NO_INPUT) -> None:
        """Freeze the escrow."""
        await self._signalled("dispute", DisputeSignal, given, decisions.dispute)

    @workflow.signal(name="resolve")
    async def signal_resolve(self, given: RawValue = NO_INPUT) -> None:
        """Decide the dispute."""
        await self._signalled("resolve", ResolveSignal, given, decisions.resolve)

    @workflow.signal(name="cancel")
    async def signal_cancel(self, given: RawValue = NO_INPUT) -> None:
        """End the escrow before delivery."""
        await self._signalled("cancel", CancelSignal, given, decisions.cancel)

    async def _signalled(
        self, name: str, kind: type[Sig], given: RawValue, decide: Callable[[Sig, Escrow, datetime], Outcome]
    ) -> None:
        await self._handle_signal(
            name, kind, given, lambda signal: decisions.checked(name, signal, partial(decide, signal))
        )

    async def _grant(self, command_id: str, wish: Decision, actor: Actor) -> None:
        await self._apply(command_id, wish, actor)

    async def _note_refusal(self, note: dict[str, object], command_id: str, actor: Actor) -> None:
        if self._state.is_final:
            workflow.logger.warning("refused after the end", extra={"command": note["command"], "code": note["code"]})
            return
        await super()._note_refusal(note, command_id, actor)

    def _noting(self, note: dict[str, object], actor: Actor) -> Decision:
        return lambda escrow, _now: Outcome(
            escrow=escrow, event="command_refused", actor=actor.qualified(), details=note
        )

    async def _cancel_requested(self) -> None:
        signal = CancelSignal()
        decide = decisions.checked("cancel", signal, partial(decisions.cancel, signal))
        await self._carry_out("cancel", signal, decide, "cancellation")

    # Deadlines and writes ---------------------------------------------------------------------------------------------

    async def _advance(self) -> None:
        """Open the escrow, or wait for the next deadline or change."""
        await self._turn(lambda: self._overtaken(workflow.now()))
        deadline, version = next_deadline(self._state), self._state.version
        if deadline is None:
            return
        at, what = deadline.at, deadline.what
        if (closes_at := self._evidence_closes_at()) is not None and closes_at < at:
            at, what = closes_at, "end of the evidence window"
        try:
            await workflow.wait_condition(
                lambda: self._state.version != version or self._should_continue_as_new(),
                timeout=max(at - workflow.now(), timedelta(0)),
                timeout_summary=f"{self._state.status}, {what}",
            )
        except TimeoutError:
            return

    async def _open(self) -> None:
        opening = self._opening
        await self._write(opening, self._start.command_id, self._start.opened_by, opening.escrow.opened_at)

    async def _load(self, why: str) -> Escrow:
        return await workflow.execute_local_activity_method(
            EscrowActivities.load, LoadEscrow(escrow_id=self._state.terms.escrow_id), **local_activity(why)
        )

    def _refuse_other(self, command_id: str, content: str | None) -> None:
        self._state.refuse_other(command_id, content)

    def _has_ended(self) -> bool:
        return self._state.is_final

    def _details(self) -> str:
        return details(self._state)

    def _result(self) -> CommandResult:
        state = self._state
        return CommandResult(escrow_id=state.terms.escrow_id, status=state.status.value, version=state.version)

    async def _overtaken(self, now: datetime) -> bool:
        """Apply a passed deadline, after the commands received before it; the caller holds the lock.

        If no worker ran at the deadline, the API has noted commands that were received in time, and the books decline
        the deadline's event until each of them is executed or refused.
        """
        if self._may_extend_evidence(now):
            await self._close_evidence(now)
            return True
        deadline = next_deadline(self._state)
        if deadline is None or now < deadline.at:
            return False
        news = AgendaInput(freezes=await self._freezes(now))
        noted: tuple[NotedCommand, ...] = ()
        refused: tuple[str, ...] = ()
        while next_deadline(self._state) == deadline and isinstance(step := agenda(self._state, now, news), AgendaStep):
            match step:
                case AgendaStep.FREEZE:
                    command_id, *_ = news.freezes
                    wanted = self._wanted[command_id]
                    await self._done(command_id, wanted.wish, wanted.actor, now)
                    news = replace(news, freezes=news.freezes[1:])
                case AgendaStep.HANDLE_NOTED:
                    refused = await self._handle_noted(noted, now)
                    news = replace(news, noted=0)
                case AgendaStep.TIMED_EXIT:
                    noted = await self._exit(now, deadline.at, refused)
                    if not noted:
                        return True
                    news = replace(news, noted=len(noted))
        return True

    def _evidence_closes_at(self) -> datetime | None:
        """Return when the evidence window closes, unless the books have confirmed that already."""
        closes_at = evidence_closes_at(self._state)
        return None if closes_at == self._evidence_closed_at else closes_at

    def _may_extend_evidence(self, now: datetime) -> bool:
        """Return whether the evidence window has passed and may still be extended."""
        closes_at = self._evidence_closes_at()
        return closes_at is not None and now >= closes_at

    async def _close_evidence(self, now: datetime) -> None:
        """Close the evidence window, or extend it after an outage of the API; the caller holds the lock."""
        closes_at = self._evidence_closes_at()
        answer = await workflow.execute_local_activity_method(
            EscrowActivities.close_evidence,
            CloseEvidence(escrow_id=self._state.terms.escrow_id, at=now),
            **local_activity("close the evidence window, or extend it after an outage of the API"),
        )
        if answer.extended_until is None:
            self._evidence_closed_at = closes_at
            return
        extension = evidence_extended(self._state, answer.extended_until)
        await self._write(extension, f"timer:{extension.event}:{self._state.version}", None, now)

    async def _freezes(self, now: datetime) -> tuple[str, ...]:
        """Return operators' signals to freeze the escrow, if its deadline is applied late."""
        if not is_late(self._state, now):
            return ()
        await asyncio.sleep(0)  # let every handler of this workflow task start, and register its signal
        return tuple(command_id for command_id, wanted in self._wanted.items() if wanted.signal == "dispute")

    async def _exit(self, now: datetime, due_at: datetime, refused: tuple[str, ...]) -> tuple[NotedCommand, ...]:
        """Apply the deadline, or return the noted commands that must be executed before it.

        A deadline that must wait is extended. `refused` are noted commands that were refused.
        """
        outcome = timed_exit(self._state, now)
        assert outcome is not None
        command_id = f"timer:{outcome.event}:{self._state.version}"
        recorded = await self._write(outcome, command_id, None, now, due_at=due_at, settles=refused)
        if recorded.extended_until is not None:
            extension = extended(self._state, recorded.extended_until)
            await self._write(extension, f"timer:{extension.event}:{self._state.version}", None, now)
        return recorded.noted

    async def _handle_noted(self, noted: tuple[NotedCommand, ...], now: datetime) -> tuple[str, ...]:
        """Execute the commands noted before the deadline, in order; return those that are refused.

        An approval or delivery is refused if an earlier command has released the milestone, and an approval also after
        a new delivery. A dispute always counts, because it moves no money.
        """
        refused, before = list[str](), self._state
        for each in noted:
            if _is_other(each.name, before, self._state) or not await self._handle_noted_command(each, now):
                refused.append(each.command_id)
        return tuple(refused)

    async def _handle_noted_command(self, noted: NotedCommand, now: datetime) -> bool:
        """Execute a command noted before the deadline; return False if it is refused or unreadable."""
        try:
            command, given = decisions.noted(noted)
        except (KeyError, ValueError):
            workflow.logger.warning("a noted command cannot be read", extra={"command": noted.name})
            return False

        def decide(escrow: Escrow, now: datetime) -> Outcome:
            outcome = given(escrow, now)
            return replace(outcome, details={**outcome.details, "given_at": noted.noted_at.isoformat()})

        return await self._done(noted.command_id, decide, command.actor, now, command.content())

    async def _done(
        self, command_id: str, decide: Decision, actor: Actor, now: datetime, content: str | None = None
    ) -> bool:
        """Execute a command before the deadline; return False if it is refused. The caller holds the lock."""
        try:
            while not self._state.has_done(command_id):
                outcome = decide(self._state, now)
                if (await self._write(outcome, command_id, actor, now, content)).applied:
                    break
        except DomainError:
            return False
        return True

    async def _write_next(
        self, event: Outcome, command_id: str, actor: Actor | None, content: str | None = None
    ) -> bool:
        return (await self._write(event, command_id, actor, workflow.now(), content)).applied

    async def _write(
        self,
        outcome: Outcome,
        command_id: str,
        actor: Actor | None,
        now: datetime,
        content: str | None = None,
        *,
        due_at: datetime | None = None,
        settles: tuple[str, ...] = (),
    ) -> RecordedEscrow:
        """Write an event and adopt the state after it, or the state in the books if they are ahead."""
        numbered = commands.with_receipt(outcome, command_id=command_id, now=now, content=content)
        recorded = await workflow.execute_local_activity_method(
            EscrowActivities.record_event,
            RecordEscrowEvent(
                outcome=numbered,
                command_id=command_id,
                actor=actor,
                at=now,
                due_at=due_at,
                settles=settles,
                content=content,
                decided_from=self._decided_from(),
            ),
            **local_activity(f"{numbered.event}: {self._state.status} → {numbered.escrow.status}"),
        )
        self._written(recorded, numbered.escrow if recorded.applied else None)
        return recorded


def _is_other(name: str, before: Escrow, now: Escrow) -> bool:
    """Return whether a noted command is for another milestone, or approves another delivery, than the current one."""
    if before.milestones_released != now.milestones_released:
        return name != "dispute"
    return name == "approve" and before.delivery != now.delivery
