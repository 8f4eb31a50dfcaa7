"""EscrowWorkflow: one escrow from award to settlement."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue

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
    from domain.common.errors import Conflict
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
    async def run(self, start: EscrowInput) -> CommandResult:
        """Open the escrow once, then act at each deadline that no command came before."""
        await self._live(start)
        return self._result()

    # Commands ---------------------------------------------------------------------------------------------------------

    @workflow.update(name="open")
    async def open(self, command: OpenEscrow) -> CommandResult:  # noqa: ARG002
        """Answer once the escrow is open."""
        return await self._answer_when(lambda: self._state.version > 0)

    @open.validator
    def _validate_open(self, command: OpenEscrow) -> None:
        if command.command_id != self._start.command_id:
            raise Conflict(
                "This contract has an escrow already.",
                code="escrow.exists",
                extra={"state": self._state.status.value, "escrow_id": self._state.terms.escrow_id},
            )

    @workflow.update(name="fund")
    async def fund(self, command: FundEscrow) -> CommandResult:
        """Hold the amount from the payer's account."""
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
        """Record a validator's score, and release if it is high enough."""
        return await self._command(command)

    @validate.validator
    def _validate_validate(self, command: ValidateEscrow) -> None:
        self._validated(command)

    @workflow.update(name="approve")
    async def approve(self, command: ApproveEscrow) -> CommandResult:
        """Record an approval, and release with the last one that is required."""
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
            # Whether the window is closed is known in the command's turn.
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
        """Refund the payer, on the payee's order."""
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
        """Refuse a command that the present state refuses."""

        def judge() -> None:
            if self._state.has_done(command.command_id):
                self._refuse_other(command.command_id, command.content())
            else:
                _decide(command, None, self._state, workflow.now())

        self._check(command, judge)

    async def _command(self, command: EscrowCommand) -> CommandResult:
        """Decide a command in its turn, write its outcome, and answer with the state after it."""
        decide = partial(_decide, command, None)
        return await self._answer(lambda: self._apply(command.command_id, decide, command.actor, command.content()))

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

    def _decision_of(self, noted: NotedCommand) -> tuple[EscrowCommand, Decision]:
        command = _NOTED[noted.name].model_validate(noted.command)
        return command, partial(_decide, command, noted.noted_at)


#: The commands that are noted before a deadline, see `repositories/escrow/escrow_notice.py`.
_NOTED: Mapping[str, type[EscrowCommand]] = {
    "dispute": DisputeEscrow,
    "deliver": DeliverEscrow,
    "approve": ApproveEscrow,
    "refund": RefundEscrow,
    "resolve": ResolveEscrow,
    "submit_evidence": SubmitEvidence,
}


def _decide(given: EscrowCommand, given_at: datetime | None, escrow: Escrow, now: datetime) -> Outcome:
    """Return what a command does to the state that holds when its turn comes; with `given_at` it was given then."""
    actor = given.actor
    match given:
        case FundEscrow():
            return commands.fund(escrow, actor=actor, source=given.source, now=now, amount_minor=given.amount_minor)
        case DeliverEscrow():
            return commands.deliver(
                escrow,
                actor=actor,
                artifacts=given.artifacts,
                note=given.note,
                milestone=given.milestone,
                now=now,
                given_at=given_at,
            )
        case ValidateEscrow():
            score, note, number = given.score_e4, given.note, given.delivery
            return commands.validate(escrow, actor=actor, score_e4=score, note=note, now=now, delivery=number)
        case ApproveEscrow():
            name, number = signatory_name(escrow, actor), given.delivery
            return commands.approve(escrow, signatory=name, actor=actor, now=now, delivery=number, given_at=given_at)
        case DisputeEscrow():
            return commands.dispute(escrow, actor=actor, reason=given.reason, now=now, given_at=given_at)
        case SubmitEvidence():
            note, files, at = given.note, given.artifacts, given_at or given.given_at
            return commands.submit_evidence(escrow, actor=actor, note=note, artifacts=files, now=now, given_at=at)
        case ResolveEscrow():
            share, note = given.payee_share_e4, given.note
            return commands.resolve(escrow, actor=actor, payee_share_e4=share, note=note, now=now)
        case RefundEscrow():
            return commands.refund(escrow, actor=actor, amount_minor=given.amount_minor)
        case CancelEscrow():
            return commands.cancel(escrow, actor=actor, reason=given.reason)
    raise ValueError(f"{type(given).__name__} is no command of an open escrow")
