"""EscrowWorkflow: one escrow from award to settlement."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue

from domain.common.errors import EscrowExists

with workflow.unsafe.imports_passed_through():
    from contracts.escrow.escrow import (
        ApproveEscrow,
        ApproveSignal,
        CancelEscrow,
        CancelSignal,
        CommandResult,
        DeliverEscrow,
        DisputeEscrow,
        DisputeSignal,
        EscrowCommand,
        EscrowInput,
        EscrowResult,
        FundEscrow,
        NotedCommand,
        OpenEscrow,
        OperatorSignal,
        RefundEscrow,
        ResolveEscrow,
        ResolveSignal,
        SubmitEvidence,
        ValidateEscrow,
    )
    from domain.common.access import Actor
    from domain.escrow import commands
    from domain.escrow.state import Decision, Escrow, Outcome, signatory_name
    from workflows.common.signals import NO_INPUT
    from workflows.escrow import escrow_signals as by_signal
    from workflows.escrow.escrow_run import EscrowRun

Sig = TypeVar("Sig", bound=OperatorSignal)


@workflow.defn(name="escrow")
class EscrowWorkflow(EscrowRun):
    """One escrow. Its state is decided here and nowhere else; the books and the read model follow in one transaction.

    Messages:
        updates `open`, `fund`, `deliver`, `validate`, `approve`, `dispute`, `submit_evidence`, `resolve`, `refund`,
        `cancel`: commands of the API, answered or refused. Update `catch_up`: the books are ahead. Signals `approve`,
        `dispute`, `resolve`, `cancel`: the same commands from the Temporal UI; one that is refused or malformed is
        recorded in the timeline. So is a cancellation request, because it names nobody.
    Ends when: the escrow is in a final state and every handler has answered.
    Continues as new: when the server suggests it, from what the books hold.
    Compensates: nothing; every event is one transaction, and every state has a timed exit.
    """

    @workflow.init
    def __init__(self, start: EscrowInput) -> None:
        """Prepare the state that `run` opens; a run that resumes reads the books."""
        super().__init__(start)

    @workflow.run
    async def run(self, start: EscrowInput) -> EscrowResult:
        """Open the escrow once, then act at each deadline that no command came before."""
        await self._live(start)
        return EscrowResult(**self._result().model_dump())

    # Commands ---------------------------------------------------------------------------------------------------------

    @workflow.update(name="open")
    async def open(self, command: OpenEscrow) -> CommandResult:  # noqa: ARG002
        """Answer once the escrow is open."""
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
        """Hold the amount from the payer's account."""
        return await self._command(command, self._fund(command))

    @fund.validator
    def _validate_fund(self, command: FundEscrow) -> None:
        self._validated(command, self._fund(command))

    @workflow.update(name="deliver")
    async def deliver(self, command: DeliverEscrow) -> CommandResult:
        """Submit work for review."""
        return await self._command(command, self._deliver(command))

    @deliver.validator
    def _validate_deliver(self, command: DeliverEscrow) -> None:
        self._validated(command, self._deliver(command))

    @workflow.update(name="validate")
    async def validate(self, command: ValidateEscrow) -> CommandResult:
        """Record a validator's score, and release if it is high enough."""
        return await self._command(command, self._validate(command))

    @validate.validator
    def _validate_validate(self, command: ValidateEscrow) -> None:
        self._validated(command, self._validate(command))

    @workflow.update(name="approve")
    async def approve(self, command: ApproveEscrow) -> CommandResult:
        """Record an approval, and release with the last one that is required."""
        return await self._command(command, self._approve(command))

    @approve.validator
    def _validate_approve(self, command: ApproveEscrow) -> None:
        self._validated(command, self._approve(command))

    @workflow.update(name="dispute")
    async def dispute(self, command: DisputeEscrow) -> CommandResult:
        """Freeze the escrow."""
        return await self._command(command, self._dispute(command))

    @dispute.validator
    def _validate_dispute(self, command: DisputeEscrow) -> None:
        self._validated(command, self._dispute(command))

    @workflow.update(name="submit_evidence")
    async def submit_evidence(self, command: SubmitEvidence) -> CommandResult:
        """Record a party's evidence."""
        return await self._command(command, self._submit_evidence(command))

    @submit_evidence.validator
    def _validate_submit_evidence(self, command: SubmitEvidence) -> None:
        if self._may_extend_evidence(workflow.now()):
            # Whether the window is closed is known in the command's turn.
            command.check()
            return
        self._validated(command, self._submit_evidence(command))

    @workflow.update(name="resolve")
    async def resolve(self, command: ResolveEscrow) -> CommandResult:
        """Split the held amount as the arbiter decides."""
        return await self._command(command, self._resolve(command))

    @resolve.validator
    def _validate_resolve(self, command: ResolveEscrow) -> None:
        self._validated(command, self._resolve(command))

    @workflow.update(name="refund")
    async def refund(self, command: RefundEscrow) -> CommandResult:
        """Refund the payer, on the payee's order."""
        return await self._command(command, self._refund(command))

    @refund.validator
    def _validate_refund(self, command: RefundEscrow) -> None:
        self._validated(command, self._refund(command))

    @workflow.update(name="cancel")
    async def cancel(self, command: CancelEscrow) -> CommandResult:
        """End the escrow before delivery."""
        return await self._command(command, self._cancel(command))

    @cancel.validator
    def _validate_cancel(self, command: CancelEscrow) -> None:
        self._validated(command, self._cancel(command))

    # Signals of operators ---------------------------------------------------------------------------------------------

    @workflow.signal(name="approve")
    async def signal_approve(self, given: RawValue = NO_INPUT) -> None:
        """Approve in the name of a signatory."""
        await self._signalled("approve", ApproveSignal, given, by_signal.approve)

    @workflow.signal(name="dispute")
    async def signal_dispute(self, given: RawValue = NO_INPUT) -> None:
        """Freeze the escrow."""
        await self._signalled("dispute", DisputeSignal, given, by_signal.dispute)

    @workflow.signal(name="resolve")
    async def signal_resolve(self, given: RawValue = NO_INPUT) -> None:
        """Decide the dispute."""
        await self._signalled("resolve", ResolveSignal, given, by_signal.resolve)

    @workflow.signal(name="cancel")
    async def signal_cancel(self, given: RawValue = NO_INPUT) -> None:
        """End the escrow before delivery."""
        await self._signalled("cancel", CancelSignal, given, by_signal.cancel)

    async def _signalled(
        self, name: str, kind: type[Sig], given: RawValue, decide: Callable[[Sig, Escrow, datetime], Outcome]
    ) -> None:
        await self._handle_signal(
            name, kind, given, lambda signal: by_signal.checked(name, signal, partial(decide, signal))
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
        decide = by_signal.checked("cancel", signal, partial(by_signal.cancel, signal))
        await self._carry_out("cancel", signal, decide, "cancellation")

    # Commands: decisions on the state ---------------------------------------------------------------------------------

    async def _command(self, command: EscrowCommand, decide: Decision) -> CommandResult:
        return await self._answer(lambda: self._apply(command.command_id, decide, command.actor, command.content()))

    def _validated(self, command: EscrowCommand, decide: Decision) -> None:
        def judge() -> None:
            if self._state.has_done(command.command_id):
                self._refuse_other(command.command_id, command.content())
            else:
                decide(self._state, workflow.now())

        self._check(command, judge)

    # Decisions: what a command does to the state that holds when its turn comes ---------------------------------------

    def _fund(self, command: FundEscrow) -> Decision:
        return lambda escrow, now: commands.fund(
            escrow, actor=command.actor, source=command.source, now=now, amount_minor=command.amount_minor
        )

    def _decision_of(self, noted: NotedCommand) -> tuple[EscrowCommand, Decision]:
        given = noted.command
        match noted.name:
            case "dispute":
                return (dispute := DisputeEscrow.model_validate(given)), self._dispute(dispute, noted.noted_at)
            case "deliver":
                return (delivery := DeliverEscrow.model_validate(given)), self._deliver(delivery, noted.noted_at)
            case "approve":
                return (approval := ApproveEscrow.model_validate(given)), self._approve(approval, noted.noted_at)
            case "refund":
                return (refund := RefundEscrow.model_validate(given)), self._refund(refund)
            case "resolve":
                return (decision := ResolveEscrow.model_validate(given)), self._resolve(decision)
            case "submit_evidence":
                evidence = SubmitEvidence.model_validate(given).model_copy(update={"given_at": noted.noted_at})
                return evidence, self._submit_evidence(evidence)
        raise ValueError(f"{noted.name} is not noted")

    def _deliver(self, command: DeliverEscrow, given_at: datetime | None = None) -> Decision:
        return lambda escrow, now: commands.deliver(
            escrow,
            actor=command.actor,
            artifacts=command.artifacts,
            note=command.note,
            milestone=command.milestone,
            now=now,
            given_at=given_at,
        )

    def _validate(self, command: ValidateEscrow) -> Decision:
        return lambda escrow, now: commands.validate(
            escrow,
            actor=command.actor,
            score_e4=command.score_e4,
            note=command.note,
            now=now,
            delivery=command.delivery,
        )

    def _approve(self, command: ApproveEscrow, given_at: datetime | None = None) -> Decision:
        return lambda escrow, now: commands.approve(
            escrow,
            signatory=signatory_name(escrow, command.actor),
            actor=command.actor,
            now=now,
            delivery=command.delivery,
            given_at=given_at,
        )

    def _dispute(self, command: DisputeEscrow, given_at: datetime | None = None) -> Decision:
        return lambda escrow, now: commands.dispute(
            escrow, actor=command.actor, reason=command.reason, now=now, given_at=given_at
        )

    def _submit_evidence(self, command: SubmitEvidence) -> Decision:
        return lambda escrow, now: commands.submit_evidence(
            escrow,
            actor=command.actor,
            note=command.note,
            artifacts=command.artifacts,
            now=now,
            given_at=command.given_at,
        )

    def _resolve(self, command: ResolveEscrow) -> Decision:
        return lambda escrow, now: commands.resolve(
            escrow, actor=command.actor, payee_share_e4=command.payee_share_e4, note=command.note, now=now
        )

    def _refund(self, command: RefundEscrow) -> Decision:
        return lambda escrow, _now: commands.refund(escrow, actor=command.actor, amount_minor=command.amount_minor)

    def _cancel(self, command: CancelEscrow) -> Decision:
        return lambda escrow, _now: commands.cancel(escrow, actor=command.actor, reason=command.reason)
