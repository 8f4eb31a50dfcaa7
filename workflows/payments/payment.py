"""PaymentWorkflow: one payment from intent to settlement, with its refunds and chargebacks."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue

from domain.common.errors import PaymentExists, ProviderCallPending

with workflow.unsafe.imports_passed_through():
    from contracts.escrow.escrow import OperatorSignal
    from contracts.payments.payment import (
        CancelPayment,
        CapturePayment,
        ConfirmPayment,
        CreatePaymentCommand,
        GiveUpRefund,
        GiveUpSignal,
        PaymentCommand,
        PaymentCommandResult,
        PaymentInput,
        PaymentResult,
        PaymentSignal,
        ProviderEventSignal,
        RefundPayment,
        RefundSignal,
        SubmitDisputeEvidence,
    )
    from domain.common.access import Actor
    from domain.common.ids import refund_id_of
    from domain.payments.payment import commands
    from domain.payments.payment.state import Outcome, Payment
    from workflows.common.signals import NO_INPUT
    from workflows.payments import payment_signals as by_signal
    from workflows.payments.payment_record import SignalAction
    from workflows.payments.payment_run import PaymentRun

Sig = TypeVar("Sig", bound=OperatorSignal)


@workflow.defn(name="payment")
class PaymentWorkflow(PaymentRun):
    """A payment. Each refresh reads it at the provider and books only changes.

    Messages:
        updates `create`, `confirm`, `capture`, `cancel`, `refund`, `give_up`, `submit_evidence`: commands of the API.
        Update `catch_up`: reload the state. Signal `provider_event`: an event of the provider. Signals `refund`,
        `give_up`, `cancel`, `look` from the Temporal UI; a refused one is recorded in the timeline. Cancellation
        requests are refused: they name no operator.
    Ends when: nothing has been awaited for `open_seconds`. A later message starts a new run.
    Continues as new: when the server suggests it, from the state in the books.
    Compensates: a payment whose escrow can no longer be funded is refunded, or credited if it cannot be refunded.
    """

    @workflow.init
    def __init__(self, start: PaymentInput) -> None:
        """Restore the state, or prepare the first one, which `run` writes."""
        super().__init__(start)

    @workflow.run
    async def run(self, start: PaymentInput) -> PaymentResult:
        """Create the payment at the provider, then process it until nothing is awaited."""
        await self._live(start)
        state = self._state
        return PaymentResult(payment_id=state.terms.payment_id, status=state.status.value, version=state.version)

    # Commands ---------------------------------------------------------------------------------------------------------

    @workflow.update(name="create")
    async def create(self, command: CreatePaymentCommand) -> PaymentCommandResult:  # noqa: ARG002
        """Return once the provider has responded, or is known not to have the payment."""
        return await self._answer_when(self._is_answered)

    @create.validator
    def _validate_create(self, command: CreatePaymentCommand) -> None:
        # A resumed run was started by another command, and its first task has not read the books yet.
        made_by = {self._start.command_id, *self._state.receipts}
        if self._state.version and command.command_id not in made_by:
            raise PaymentExists("A payment with this id already exists.")

    @workflow.update(name="confirm")
    async def confirm(self, command: ConfirmPayment) -> PaymentCommandResult:
        """Continue after an action of the payer."""
        return await self._answer(partial(self._confirm, command))

    @confirm.validator
    def _validate_confirm(self, command: ConfirmPayment) -> None:
        if not self._is_confirmed(command):
            self._validated(command, lambda: commands.check_open(self._state, "confirm"))

    @workflow.update(name="capture")
    async def capture(self, command: CapturePayment) -> PaymentCommandResult:
        """Capture the authorized amount."""
        return await self._answer(partial(self._capture, command))

    @capture.validator
    def _validate_capture(self, command: CapturePayment) -> None:
        self._validated(command, lambda: self._to_capture(command))

    @workflow.update(name="cancel")
    async def cancel(self, command: CancelPayment) -> PaymentCommandResult:
        """Cancel an unpaid payment, at the latest once its provider has responded."""
        return await self._answer(
            partial(self._cancel, command.command_id, command.actor, spares_under_way=command.spares_under_way)
        )

    @cancel.validator
    def _validate_cancel(self, command: CancelPayment) -> None:
        if not commands.is_command_done(self._state, command.command_id):
            self._validated(command, lambda: commands.check_cancel(self._state))

    @workflow.update(name="refund")
    async def refund(self, command: RefundPayment) -> PaymentCommandResult:
        """Refund a part or the remainder; a repeated command returns its first result."""
        return _of_refund(await self._answer(partial(self._refund, command)), command.refund_id)

    @refund.validator
    def _validate_refund(self, command: RefundPayment) -> None:
        self._validated(command, lambda: self._requested(command, self._state, workflow.now()))

    @workflow.update(name="give_up")
    async def give_up(self, command: GiveUpRefund) -> PaymentCommandResult:
        """End the lookup of a refund with an unknown outcome, as an operator states the outcome."""
        return _of_refund(await self._answer(partial(self._give_up, command)), command.refund_id)

    @give_up.validator
    def _validate_give_up(self, command: GiveUpRefund) -> None:
        self._validated(command, lambda: self._given_up(command, self._state, workflow.now()))

    @workflow.update(name="submit_evidence")
    async def submit_evidence(self, command: SubmitDisputeEvidence) -> PaymentCommandResult:
        """Submit evidence for a chargeback."""
        return await self._answer(partial(self._submit_evidence, command))

    @submit_evidence.validator
    def _validate_submit_evidence(self, command: SubmitDisputeEvidence) -> None:
        self._validated(command, lambda: commands.check_evidence(self._state, command.dispute_ref, command.command_id))

    def _validated(self, command: PaymentCommand, decide: Callable[[], object]) -> None:
        def judge() -> None:
            if not self._state.has_done(command.command_id):
                with suppress(ProviderCallPending):  # a call in progress may have ended by then
                    decide()

        self._check(command, judge)

    # Signals ----------------------------------------------------------------------------------------------------------

    @workflow.signal(name="provider_event")
    async def signal_provider_event(self, given: RawValue = NO_INPUT) -> None:
        """Refresh the payment because of a provider's event."""
        await self._handle_fact("provider_event", ProviderEventSignal, given, self._note_event)

    @workflow.signal(name="look")
    async def signal_look(self, given: RawValue = NO_INPUT) -> None:
        """Refresh the payment now."""
        await self._handle_fact("look", PaymentSignal, given, self._note_look)

    @workflow.signal(name="refund")
    async def signal_refund(self, given: RawValue = NO_INPUT) -> None:
        """Refund on behalf of an operator."""
        await self._signalled("refund", RefundSignal, given, self._refund_by_signal)

    @workflow.signal(name="give_up")
    async def signal_give_up(self, given: RawValue = NO_INPUT) -> None:
        """End the lookup of a refund with an unknown outcome, as an operator states the outcome."""
        await self._signalled("give_up", GiveUpSignal, given, self._give_up_by_signal)

    @workflow.signal(name="cancel")
    async def signal_cancel(self, given: RawValue = NO_INPUT) -> None:
        """Cancel an unpaid payment."""
        await self._signalled("cancel", PaymentSignal, given, self._cancel_by_signal)

    def _note_event(self, signal: ProviderEventSignal) -> None:
        if signal.event_id not in self._events:
            self._events.append(signal.event_id)

    def _note_look(self, _signal: PaymentSignal) -> None:
        self._refresh_wanted = True

    async def _signalled(
        self, name: str, kind: type[Sig], given: RawValue, act: Callable[[Sig, str, Actor], Awaitable[None]]
    ) -> None:
        await self._handle_signal(name, kind, given, lambda signal: self._checked(name, signal, partial(act, signal)))

    async def _refund_by_signal(self, signal: RefundSignal, command_id: str, actor: Actor) -> None:
        refund_id = refund_id_of(self._state.terms.payment_id, command_id)
        await self._refund(by_signal.refund_of(signal, self._state, refund_id, command_id, actor))

    async def _give_up_by_signal(self, signal: GiveUpSignal, command_id: str, actor: Actor) -> None:
        await self._give_up(by_signal.give_up_of(signal, self._state, command_id, actor))

    async def _cancel_by_signal(self, _signal: PaymentSignal, command_id: str, actor: Actor) -> None:
        await self._cancel(command_id, actor)
        if not commands.is_cancelled(self._state):
            raise commands.cancel_failed_error(self._state)

    def _checked(self, name: str, signal: OperatorSignal, act: SignalAction) -> SignalAction:
        """Return the action with a check that the signal is for this payment and names its sender."""

        async def checked(command_id: str, actor: Actor) -> None:
            if signal.seal is not None and self._state.has_done(command_id):
                return
            by_signal.check(name, signal, self._state)
            await act(command_id, actor)
            if signal.seal is not None and not self._state.has_done(command_id):
                # The provider did not cancel it. Recording that uses the signal's id.
                raise commands.cancel_failed_error(self._state)

        return checked

    async def _grant(self, command_id: str, wish: SignalAction, actor: Actor) -> None:
        await wish(command_id, actor)

    def _noting(self, note: dict[str, object], actor: Actor) -> SignalAction:
        return lambda command_id, _actor: self._note(note, command_id, actor)

    async def _note(self, note: dict[str, object], command_id: str, actor: Actor) -> None:
        def refused(payment: Payment, now: datetime) -> Outcome:
            return commands.command_refused(payment, actor=actor.qualified(), details=note, at=now)

        noted = await self._write_next(refused(self._state, workflow.now()), command_id, actor)
        if not noted:  # the books held another state
            await self._apply(command_id, refused, actor)

    async def _cancel_requested(self) -> None:
        nobody = PaymentSignal()
        cancel = self._checked("cancel", nobody, partial(self._cancel_by_signal, nobody))
        await self._carry_out("cancel", nobody, cancel, "cancellation")


def _of_refund(result: PaymentCommandResult, refund_id: str) -> PaymentCommandResult:
    return result.model_copy(update={"refund_id": refund_id})
