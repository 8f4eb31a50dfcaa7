"""EscrowWorkflow: one escrow from award to settlement."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.catch_up import CatchUp
    from contracts.escrow import (
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
    from domain.access import Actor
    from domain.errors import Conflict, DomainError, Invalid
    from domain.escrow import commands
    from domain.escrow.state import Decision, Escrow, Outcome, signatory_name
    from domain.escrow.story import details
    from domain.money import parse_ratio
    from domain.signals import Addressee
    from domain.text import plain_text
    from workflows.escrow_run import EscrowRun
    from workflows.signals import (
        MALFORMED_IS_REFUSED,
        NO_INPUT,
        check_addressed,
        malformed,
        read_signal,
        refusal_id,
        sender,
        signal_id,
    )

S = TypeVar("S", bound=OperatorSignal)


@workflow.defn(name="escrow")
class EscrowWorkflow(EscrowRun):
    """One escrow. Its state is decided here and nowhere else; the books and the read model follow in one transaction.

    Messages:
        updates `open`, `fund`, `deliver`, `validate`, `approve`, `dispute`, `submit_evidence`, `resolve`, `refund`,
        `cancel`: commands of the API, answered or refused. Update `catch_up`: the books are ahead. Signals `approve`,
        `dispute`, `resolve`, `cancel`: the same commands from the Temporal UI; one that is refused or malformed is
        recorded in the timeline. A cancellation request is a `cancel` without a name.
    Ends when: the escrow is in a final state and every handler has answered.
    Continues as new: when the server suggests it, from what the books hold.
    Compensates: nothing; every event is one transaction, and every state has a timed exit.
    """

    @workflow.init
    def __init__(self, start: EscrowInput) -> None:
        """Restore the state, or prepare the one that `run` opens."""
        super().__init__(start)

    @workflow.run
    async def run(self, start: EscrowInput) -> EscrowResult:
        """Open the escrow once, then let each deadline act that nobody forestalled."""
        workflow.set_current_details(details(self._escrow))
        while True:
            try:
                if self._escrow.is_final or self._should_continue_as_new():
                    await workflow.wait_condition(workflow.all_handlers_finished)
                    break
                await self._advance()
            except (asyncio.CancelledError, ActivityError) as error:
                # A cancelled local activity arrives as its error, not as the cancellation itself.
                if not is_cancelled_exception(error):
                    raise
                await self._cancel_requested()
        if not self._escrow.is_final:
            update = {"escrow": None, "resume": self._escrow.version > 0, "signals": self._signals}
            workflow.continue_as_new(start.model_copy(update=update))
        terms = self._escrow.terms
        return EscrowResult(escrow_id=terms.escrow_id, status=self._escrow.status.value, version=self._escrow.version)

    # Commands ---------------------------------------------------------------------------------------------------------

    @workflow.update(name="open")
    async def open(self, command: OpenEscrow) -> CommandResult:  # noqa: ARG002
        """Answer once the escrow is open."""
        await workflow.wait_condition(lambda: self._escrow.version > 0)
        return self._result()

    @open.validator
    def _validate_open(self, command: OpenEscrow) -> None:
        if command.command_id != self._start.command_id:
            raise Conflict(
                "This contract has an escrow already.",
                code="escrow.exists",
                extra={"state": self._escrow.status.value, "escrow_id": self._escrow.terms.escrow_id},
            )

    @workflow.update(name="fund")
    async def fund(self, command: FundEscrow) -> CommandResult:
        """Take the amount from the payer."""
        return await self._answer(command, self._fund(command))

    @fund.validator
    def _validate_fund(self, command: FundEscrow) -> None:
        self._check(command, self._fund(command))

    @workflow.update(name="deliver")
    async def deliver(self, command: DeliverEscrow) -> CommandResult:
        """Take work for review."""
        return await self._answer(command, self._deliver(command))

    @deliver.validator
    def _validate_deliver(self, command: DeliverEscrow) -> None:
        self._check(command, self._deliver(command))

    @workflow.update(name="validate")
    async def validate(self, command: ValidateEscrow) -> CommandResult:
        """Take a validator's score, and release when it is high enough."""
        return await self._answer(command, self._validate(command))

    @validate.validator
    def _validate_validate(self, command: ValidateEscrow) -> None:
        self._check(command, self._validate(command))

    @workflow.update(name="approve")
    async def approve(self, command: ApproveEscrow) -> CommandResult:
        """Take a signature, and release with the last one that is required."""
        return await self._answer(command, self._approve(command))

    @approve.validator
    def _validate_approve(self, command: ApproveEscrow) -> None:
        self._check(command, self._approve(command))

    @workflow.update(name="dispute")
    async def dispute(self, command: DisputeEscrow) -> CommandResult:
        """Freeze the escrow."""
        return await self._answer(command, self._dispute(command))

    @dispute.validator
    def _validate_dispute(self, command: DisputeEscrow) -> None:
        self._check(command, self._dispute(command))

    @workflow.update(name="submit_evidence")
    async def submit_evidence(self, command: SubmitEvidence) -> CommandResult:
        """Take a party's evidence."""
        return await self._answer(command, self._submit_evidence(command))

    @submit_evidence.validator
    def _validate_submit_evidence(self, command: SubmitEvidence) -> None:
        self._check(command, self._submit_evidence(command))

    @workflow.update(name="resolve")
    async def resolve(self, command: ResolveEscrow) -> CommandResult:
        """Split what is held as the arbiter says."""
        return await self._answer(command, self._resolve(command))

    @resolve.validator
    def _validate_resolve(self, command: ResolveEscrow) -> None:
        self._check(command, self._resolve(command))

    @workflow.update(name="refund")
    async def refund(self, command: RefundEscrow) -> CommandResult:
        """Give back what the payee gives back."""
        return await self._answer(command, self._refund(command))

    @refund.validator
    def _validate_refund(self, command: RefundEscrow) -> None:
        self._check(command, self._refund(command))

    @workflow.update(name="cancel")
    async def cancel(self, command: CancelEscrow) -> CommandResult:
        """End the escrow before delivery."""
        return await self._answer(command, self._cancel(command))

    @cancel.validator
    def _validate_cancel(self, command: CancelEscrow) -> None:
        self._check(command, self._cancel(command))

    @workflow.update(name="catch_up")
    async def catch_up(self, command: CatchUp) -> CommandResult:
        """Adopt what the books hold, for a caller who has seen that they are ahead."""
        async with self._lock:
            await self._open_once()
            if self._escrow.version < command.version:
                await self._catch_up()
        return self._result()

    @catch_up.validator
    def _validate_catch_up(self, command: CatchUp) -> None:
        """Refuse what is no such message: a handler that is called without it would fail the workflow task."""
        if not isinstance(command, CatchUp):
            raise Invalid("The update catch_up takes the version that the books hold.", extra={"field": "version"})

    # Signals of operators ---------------------------------------------------------------------------------------------

    @workflow.signal(name="approve")
    async def signal_approve(self, given: RawValue = NO_INPUT) -> None:
        """Sign in the name of a signatory."""

        def decide(signal: ApproveSignal, escrow: Escrow, now: datetime) -> Outcome:
            signatory = plain_text(signal.signatory, "signatory", limit=200)
            delivery = signal.delivery
            if delivery is not None and type(delivery) is not int:
                raise Invalid("delivery is the number of the delivery's event.", extra={"field": "delivery"})
            return commands.approve(escrow, signatory=signatory, actor=sender(signal), now=now, delivery=delivery)

        await self._obey("approve", ApproveSignal, given, decide)

    @workflow.signal(name="dispute")
    async def signal_dispute(self, given: RawValue = NO_INPUT) -> None:
        """Freeze the escrow."""

        def decide(signal: DisputeSignal, escrow: Escrow, now: datetime) -> Outcome:
            reason = plain_text(signal.reason, "reason")
            return commands.dispute(escrow, actor=sender(signal), reason=reason, now=now)

        await self._obey("dispute", DisputeSignal, given, decide)

    @workflow.signal(name="resolve")
    async def signal_resolve(self, given: RawValue = NO_INPUT) -> None:
        """Decide the dispute."""

        def decide(signal: ResolveSignal, escrow: Escrow, now: datetime) -> Outcome:
            # A number in JSON is decoded as a float; its shortest form is what the operator typed.
            share_e4 = parse_ratio(str(signal.payee_share), "payee_share")
            note = _optional_text(signal.note, "note")
            return commands.resolve(escrow, actor=sender(signal), payee_share_e4=share_e4, note=note, now=now)

        await self._obey("resolve", ResolveSignal, given, decide)

    @workflow.signal(name="cancel")
    async def signal_cancel(self, given: RawValue = NO_INPUT) -> None:
        """End the escrow before delivery."""
        await self._obey("cancel", CancelSignal, given, _cancel_by_signal)

    async def _obey(
        self, name: str, kind: type[S], given: RawValue, decide: Callable[[S, Escrow, datetime], Outcome]
    ) -> None:
        """Do what an operator signals, or refuse it where it carries no message of its kind."""
        signal = read_signal(workflow.payload_converter(), kind, given)
        if signal is not None:
            await self._do(name, signal, _checked(name, signal, partial(decide, signal)))
        elif workflow.patched(MALFORMED_IS_REFUSED):
            await self._do(name, kind(), partial(_refuse_malformed, name))

    async def _do(self, name: str, signal: OperatorSignal, decide: Decision, unnamed: str = "operator") -> None:
        """Do what an operator signals; a refusal goes into the timeline, because a signal has nobody to answer.

        `unnamed` is what the timeline says of a sender without a name.
        """
        self._signals += 1
        # The count goes on in the next run, and both it and the first run's id survive a reset: a signal that is
        # delivered again keeps its id.
        own_id = f"{workflow.info().first_execution_run_id}:{self._signals}"
        command_id, actor = signal_id(name, signal, own_id), sender(signal, unnamed)
        if name == "dispute":
            self._freezes[command_id] = (decide, actor)
        refusal = await self._tried(command_id, decide, actor)
        self._freezes.pop(command_id, None)
        # Nobody gives a signal again, so the books are asked whether what refused it is a state of the past.
        if refusal is not None and workflow.patched("refused-signals-catch-up") and await self._was_behind():
            refusal = await self._tried(command_id, decide, actor)
        if refusal is None:
            return
        if self._escrow.is_final:
            workflow.logger.warning("refused after the end", extra={"command": name, "code": refusal.error_code})
            return
        note = {"command": name, "code": refusal.error_code, "detail": refusal.detail}
        await self._apply(
            refusal_id(signal, command_id),
            lambda escrow, _now: Outcome(escrow=escrow, event="command_refused", actor=actor.qualified(), details=note),
            actor,
        )

    async def _tried(self, command_id: str, decide: Decision, actor: Actor) -> DomainError | None:
        try:
            await self._apply(command_id, decide, actor)
        except DomainError as refusal:
            return refusal
        return None

    async def _was_behind(self) -> bool:
        async with self._lock:
            return await self._catch_up()

    async def _cancel_requested(self) -> None:
        """Take a cancellation from the Temporal UI for an operator's `cancel` that names nobody."""
        signal = CancelSignal(reason="the run was cancelled")
        decide = _checked("cancel", signal, partial(_cancel_by_signal, signal, unnamed="cancellation"))
        await asyncio.shield(self._do("cancel", signal, decide, "cancellation"))

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
            escrow, actor=command.actor, note=command.note, artifacts=command.artifacts, now=now
        )

    def _resolve(self, command: ResolveEscrow) -> Decision:
        return lambda escrow, now: commands.resolve(
            escrow, actor=command.actor, payee_share_e4=command.payee_share_e4, note=command.note, now=now
        )

    def _refund(self, command: RefundEscrow) -> Decision:
        return lambda escrow, _now: commands.refund(escrow, actor=command.actor, amount_minor=command.amount_minor)

    def _cancel(self, command: CancelEscrow) -> Decision:
        return lambda escrow, _now: commands.cancel(escrow, actor=command.actor, reason=command.reason)


def _cancel_by_signal(signal: CancelSignal, escrow: Escrow, _now: datetime, unnamed: str = "operator") -> Outcome:
    reason = _optional_text(signal.reason, "reason")
    return commands.cancel(escrow, actor=sender(signal, unnamed), reason=reason)


def _refuse_malformed(name: str, _escrow: Escrow, _now: datetime) -> Outcome:
    raise malformed(name)


def _checked(name: str, signal: OperatorSignal, given: Decision) -> Decision:
    """Return the decision that judges first whether the signal is meant for this escrow and names its sender."""

    def decide(escrow: Escrow, now: datetime) -> Outcome:
        terms = escrow.terms
        reached = Addressee(
            kind="escrow", id=terms.escrow_id, state=escrow.status.value, asks_for_name=terms.named_operators
        )
        check_addressed(reached, name, signal, subject=getattr(signal, name))
        return given(escrow, now)

    return decide


def _optional_text(value: object, field: str) -> str | None:
    return None if value is None else plain_text(value, field)
