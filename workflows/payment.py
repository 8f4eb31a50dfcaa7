"""PaymentWorkflow: one payment from intent to settlement, with its refunds and chargebacks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.payment_providers import PaymentProviders
    from contracts.catch_up import CatchUp
    from contracts.escrow import OperatorSignal
    from contracts.payment import (
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
    from domain.access import Actor
    from domain.errors import Conflict, DomainError, Invalid, NotFound
    from domain.ids import bounded, refund_id_of
    from domain.money import parse_amount
    from domain.payment import commands
    from domain.payment.commands import NotYet
    from domain.payment.state import Payment, PaymentStatus
    from domain.payment.story import details
    from domain.signals import Addressee
    from domain.text import plain_text
    from workflows.payment_run import PaymentRun
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
Obey = Callable[[str, Actor], Awaitable[None]]


@workflow.defn(name="payment")
class PaymentWorkflow(PaymentRun):
    """One payment. Its provider's word is read again at every turn, and only what is new is booked.

    Messages:
        updates `create`, `confirm`, `capture`, `cancel`, `refund`, `give_up`, `submit_evidence`: commands of the API.
        Update `catch_up`: the books are ahead. Signals `provider_event`: the provider has news. Signals `refund`,
        `give_up`, `cancel`, `look` from the Temporal UI; a refused one is recorded in the timeline. A cancellation
        request is a `cancel`.
    Ends when: nothing is awaited any more, and `open_seconds` have passed since. What comes later starts a new run.
    Continues as new: when the server suggests it, from what the books hold.
    Compensates: a payment whose escrow can no longer take its money is refunded, or credited where it cannot be.
    """

    @workflow.init
    def __init__(self, start: PaymentInput) -> None:
        """Restore the state, or prepare the one that `run` writes first."""
        super().__init__(start)

    @workflow.run
    async def run(self, start: PaymentInput) -> PaymentResult:
        """Ask the provider once, then follow what it says until nothing is awaited any more."""
        workflow.set_current_details(details(self._payment))
        while True:
            try:
                if self._has_ended() or self._should_continue_as_new():
                    self._leaving = True
                    await workflow.wait_condition(workflow.all_handlers_finished)
                    self._leaving = False
                    if not self._events or self._should_continue_as_new():
                        break
                await self._advance()
            except (asyncio.CancelledError, ActivityError) as error:
                # A cancelled local activity arrives as its error, not as the cancellation itself.
                if not is_cancelled_exception(error):
                    raise
                nobody = PaymentSignal()
                cancel = self._checked("cancel", nobody, self._cancel)
                await asyncio.shield(self._carry_out("cancel", nobody, cancel, "cancellation"))
        if not self._has_ended():
            update = {
                "payment": None,
                "resume": self._payment.version > 0,
                "signals": self._signals,
                "events": tuple(self._events),
                "look": self._look_wanted,
            }
            workflow.continue_as_new(start.model_copy(update=update))
        payment = self._payment
        return PaymentResult(payment_id=payment.terms.payment_id, status=payment.status.value, version=payment.version)

    # Commands ---------------------------------------------------------------------------------------------------------

    @workflow.update(name="create")
    async def create(self, command: CreatePaymentCommand) -> PaymentCommandResult:  # noqa: ARG002
        """Answer once the provider has, or is known not to have."""
        await workflow.wait_condition(self._is_answered)
        return self._result()

    @create.validator
    def _validate_create(self, command: CreatePaymentCommand) -> None:
        # A run that resumes was started by another command, and its first task has yet to read the books.
        made_by = {self._start.command_id, *self._payment.receipts}
        if self._payment.version and command.command_id not in made_by:
            raise Conflict("There is a payment with this id already.", code="payment.exists")

    @workflow.update(name="confirm")
    async def confirm(self, command: ConfirmPayment) -> PaymentCommandResult:
        """Go on after the payer has acted."""
        with self._dated():
            async with self._lock:
                await self._open_once()
                if not self._is_confirmed(command):
                    commands.check_open(self._payment, "confirm")
                    command_id, actor = command.command_id, command.actor
                    ask = self._ask("confirm", command_id, actor=actor, method_ref=command.method_ref)
                    await self._take(await self._commanded(PaymentProviders.confirm, ask, "confirm", command_id, actor))
        return self._result()

    @confirm.validator
    def _validate_confirm(self, command: ConfirmPayment) -> None:
        if not self._is_confirmed(command):
            self._check(command, lambda: commands.check_open(self._payment, "confirm"))

    def _is_confirmed(self, command: ConfirmPayment) -> bool:
        return bool(self._payment.received_minor) or commands.is_settled(self._payment, command.command_id)

    @workflow.update(name="capture")
    async def capture(self, command: CapturePayment) -> PaymentCommandResult:
        """Take what was authorized."""
        with self._dated():
            async with self._lock:
                await self._open_once()
                amount = self._to_capture(command)
                if amount is not None:
                    command_id, actor = command.command_id, command.actor
                    ask = self._ask("capture", command_id, actor=actor, amount_minor=amount)
                    await self._take(await self._commanded(PaymentProviders.capture, ask, "capture", command_id, actor))
        return self._result()

    @capture.validator
    def _validate_capture(self, command: CapturePayment) -> None:
        self._check(command, lambda: self._to_capture(command))

    def _to_capture(self, command: CapturePayment) -> int | None:
        """Return how much is to be captured; None when an earlier try of the command has done it."""
        if commands.is_settled(self._payment, command.command_id, before={PaymentStatus.REQUIRES_CAPTURE}):
            return None
        return commands.check_capture(self._payment, command.amount_minor)

    @workflow.update(name="cancel")
    async def cancel(self, command: CancelPayment) -> PaymentCommandResult:
        """End a payment that nobody has paid."""
        with self._dated():
            async with self._lock:
                await self._open_once()
                await self._cancel(command.command_id, command.actor)
        return self._result()

    @cancel.validator
    def _validate_cancel(self, command: CancelPayment) -> None:
        if not commands.is_settled(self._payment, command.command_id):
            self._check(command, lambda: commands.check_open(self._payment, "cancel"))

    @workflow.update(name="refund")
    async def refund(self, command: RefundPayment) -> PaymentCommandResult:
        """Give back a part, or what remains; the one that asks twice is answered the same."""
        with self._dated():
            async with self._lock:
                await self._open_once()
                await self._refund(
                    command.command_id, command.refund_id, command.amount_minor, command.reason, command.actor
                )
        return self._result(refund_id=command.refund_id)

    @refund.validator
    def _validate_refund(self, command: RefundPayment) -> None:
        self._check(
            command, lambda: self._requested(command.refund_id, command.amount_minor, command.reason, command.actor)
        )

    @workflow.update(name="give_up")
    async def give_up(self, command: GiveUpRefund) -> PaymentCommandResult:
        """End the search for a refund whose outcome is unknown, on an operator's word."""
        with self._dated():
            async with self._lock:
                await self._open_once()
                await self._give_up(command)
        return self._result(refund_id=command.refund_id)

    @give_up.validator
    def _validate_give_up(self, command: GiveUpRefund) -> None:
        self._check(command, lambda: self._given_up(command))

    @workflow.update(name="submit_evidence")
    async def submit_evidence(self, command: SubmitDisputeEvidence) -> PaymentCommandResult:
        """Answer a chargeback."""
        with self._dated():
            async with self._lock:
                await self._open_once()
                if not self._payment.has_done(command.command_id):
                    await self._submit_evidence(command)
        return self._result()

    @submit_evidence.validator
    def _validate_submit_evidence(self, command: SubmitDisputeEvidence) -> None:
        self._check(command, lambda: commands.check_evidence(self._payment, command.dispute_ref, command.command_id))

    @workflow.update(name="catch_up")
    async def catch_up(self, command: CatchUp) -> PaymentCommandResult:
        """Adopt what the books hold, for a caller who has seen that they are ahead."""
        async with self._lock:
            await self._open_once()
            if self._payment.version < command.version:
                await self._catch_up()
        return self._result()

    @catch_up.validator
    def _validate_catch_up(self, command: CatchUp) -> None:
        """Refuse what is no such message: a handler that is called without it would fail the workflow task."""
        if not isinstance(command, CatchUp):
            raise Invalid("The update catch_up takes the version that the books hold.", extra={"field": "version"})

    def _check(self, command: PaymentCommand, decide: Callable[[], object]) -> None:
        """Refuse at the door what the present state refuses, so that Temporal does not keep the refusal as the answer.

        The handler decides again when its turn comes. A run that has yet to resume from the books lets everything in,
        and so does one that is busy: where a task was lost the books are ahead of it, and callers have read them.
        """
        command.check()
        if self._lock.locked():
            return
        if self._payment.version and not self._payment.has_done(command.command_id):
            with self._dated(), suppress(NotYet):  # what is under way may be over by then
                decide()

    # Signals ----------------------------------------------------------------------------------------------------------

    @workflow.signal(name="provider_event")
    async def signal_provider_event(self, given: RawValue = NO_INPUT) -> None:
        """Ask the provider what is new; its events say only that something is."""
        signal = read_signal(workflow.payload_converter(), ProviderEventSignal, given)
        if signal is None:
            await self._refuse_malformed("provider_event")
        elif signal.event_id not in self._events:
            self._events.append(signal.event_id)

    @workflow.signal(name="look")
    async def signal_look(self, given: RawValue = NO_INPUT) -> None:
        """Ask the provider now."""
        if read_signal(workflow.payload_converter(), PaymentSignal, given) is None:
            await self._refuse_malformed("look")
        else:
            self._look_wanted = True

    @workflow.signal(name="refund")
    async def signal_refund(self, given: RawValue = NO_INPUT) -> None:
        """Refund in the name of an operator."""

        async def obey(signal: RefundSignal, command_id: str, actor: Actor) -> None:
            terms = self._payment.terms
            amount = None if signal.amount is None else parse_amount(str(signal.amount), terms.currency)
            reason = None if signal.reason is None else plain_text(signal.reason, "reason")
            await self._refund(command_id, refund_id_of(terms.payment_id, command_id), amount, reason, actor)

        await self._obey("refund", RefundSignal, given, obey)

    @workflow.signal(name="give_up")
    async def signal_give_up(self, given: RawValue = NO_INPUT) -> None:
        """End the search for a refund whose outcome is unknown."""

        async def obey(signal: GiveUpSignal, command_id: str, actor: Actor) -> None:
            await self._give_up(_word_for(signal, self._payment, command_id, actor))

        await self._obey("give_up", GiveUpSignal, given, obey)

    @workflow.signal(name="cancel")
    async def signal_cancel(self, given: RawValue = NO_INPUT) -> None:
        """End a payment that nobody has paid."""

        async def obey(_signal: PaymentSignal, command_id: str, actor: Actor) -> None:
            await self._cancel(command_id, actor)

        await self._obey("cancel", PaymentSignal, given, obey)

    async def _obey(
        self, name: str, kind: type[S], given: RawValue, obey: Callable[[S, str, Actor], Awaitable[None]]
    ) -> None:
        """Do what an operator signals, or refuse it where it carries no message of its kind."""
        signal = read_signal(workflow.payload_converter(), kind, given)
        if signal is None:
            await self._refuse_malformed(name)
        else:
            await self._carry_out(name, signal, self._checked(name, signal, partial(obey, signal)))

    def _checked(self, name: str, signal: OperatorSignal, obey: Obey) -> Obey:
        """Judge first whether the signal is meant for this payment and names its sender, where it has to."""

        async def checked(command_id: str, actor: Actor) -> None:
            payment, terms = self._payment, self._payment.terms
            if signal.seal is not None and payment.has_done(command_id):
                return
            reached = Addressee(
                kind="payment", id=terms.payment_id, state=payment.status.value, asks_for_name=terms.named_operators
            )
            # Runs of before read no address in what came unsealed.
            addressed = signal.seal is not None or terms.named_operators
            check_addressed(reached, name, signal, subject=getattr(signal, name) if addressed else None)
            await obey(command_id, actor)
            if signal.seal is not None and not self._payment.has_done(command_id):
                # The provider did not end it. The note of that uses the signal's id up.
                raise commands.not_ended(self._payment)

        return checked

    async def _refuse_malformed(self, name: str) -> None:
        async def refuse(_command_id: str, _actor: Actor) -> None:
            raise malformed(name)

        if workflow.patched(MALFORMED_IS_REFUSED):
            await self._carry_out(name, PaymentSignal(), refuse)

    async def _carry_out(self, name: str, signal: OperatorSignal, obey: Obey, unnamed: str = "operator") -> None:
        """Do what an operator signals; a refusal goes into the timeline, because a signal has nobody to answer.

        `unnamed` is what the timeline says of a sender without a name.
        """
        self._signals += 1
        # The count goes on in the next run, and both it and the first run's id survive a reset: a signal that is
        # delivered again keeps its id.
        own_id = f"{workflow.info().first_execution_run_id}:{self._signals}"
        command_id, actor = bounded(signal_id(name, signal, own_id)), sender(signal, unnamed)
        async with self._lock:
            await self._open_once()
            refusal = await _tried(obey, command_id, actor)
            # Nobody gives a signal again, so the books are asked whether what refused it is a state of the past.
            if refusal is not None and workflow.patched("refused-signals-catch-up") and await self._catch_up():
                refusal = await _tried(obey, command_id, actor)
            if refusal is not None:
                note: dict[str, object] = {"command": name, "code": refusal.error_code, "detail": refusal.detail}
                refused = commands.command_refused(
                    self._payment, actor=actor.qualified(), details=note, at=workflow.now()
                )
                await self._record([refused], command_id=bounded(refusal_id(signal, command_id)), actor=actor)


def _word_for(signal: GiveUpSignal, payment: Payment, command_id: str, actor: Actor) -> GiveUpRefund:
    """Read what an operator knows of a refund; without an id it is the one that is unknown, there is one at most."""
    if type(signal.at_provider) is not bool:
        raise Invalid(
            "at_provider is true when the provider has the refund, and false when it does not.",
            extra={"field": "at_provider"},
        )
    if signal.at_provider != (signal.ref is not None):
        raise Invalid("ref is the provider's id of the refund, when the provider has it.", extra={"field": "ref"})
    unknown = next((refund.refund_id for refund in payment.refunds if refund.can_be_given_up), None)
    refund_id = unknown if signal.refund_id is None else plain_text(signal.refund_id, "refund_id", limit=100)
    if refund_id is None:
        raise NotFound("The outcome of every refund of this payment is known.")
    return GiveUpRefund(
        command_id=command_id,
        actor=actor,
        refund_id=refund_id,
        reason=plain_text(signal.reason, "reason"),
        provider_ref=None if signal.ref is None else plain_text(signal.ref, "ref", limit=255),
    )


async def _tried(obey: Obey, command_id: str, actor: Actor) -> DomainError | None:
    try:
        await obey(command_id, actor)
    except DomainError as refusal:
        return refusal
    return None
