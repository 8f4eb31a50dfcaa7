"""The calls of a payment's run to its provider: create, refresh, and the commands of callers."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from domain.common.errors import PaymentEvidenceRefused, PaymentRefused, ProviderNotAvailable

with workflow.unsafe.imports_passed_through():
    from activities.payments.payment_providers import ProviderActivities
    from contracts.common.queues import regular_activity
    from contracts.payments.payment import (
        CapturePayment,
        ConfirmPayment,
        EvidenceRequest,
        ProviderRequest,
        ProviderResponse,
        SubmitDisputeEvidence,
    )
    from domain.common.access import Actor
    from domain.common.ids import payment_key
    from domain.payments.payment import commands
    from domain.payments.payment.chargebacks import offer_evidence
    from domain.payments.payment.converge import Observation, converge, converge_after_command
    from domain.payments.payment.snapshot import NOT_FOUND, Decline, DisputeStatus, ProviderStatus
    from domain.payments.payment.state import AWAITING, ENDED_UNPAID, WORKFLOW, PaymentStatus
    from workflows.common import errand
    from workflows.common.errand import CALL_TIMEOUT, GIVES_UP_AFTER, Errand
    from workflows.payments.payment_record import PaymentRecord

A = TypeVar("A", ProviderRequest, EvidenceRequest)

#: How long a refresh is retried; the next one is due soon enough.
REFRESH_TIMEOUT = timedelta(minutes=2)
#: How many of the provider's events one refresh handles.
MAX_EVENTS_PER_REFRESH = 100
#: How many of our own events one transaction writes: each holds the whole state, and a local activity must be short.
MAX_EVENTS_PER_WRITE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """Who cancels a payment, and with which command, if it is not done later."""

    by: str
    command_id: str | None = None
    actor: Actor | None = None


class PaymentAtProvider(PaymentRecord):
    """A payment's calls to its provider, and the booking of the responses; the caller holds the lock."""

    async def _submit(self) -> None:
        """Create the payment at the provider; one that may have been created before is looked up first."""
        terms, perhaps_made = self._state.terms, self._state.unknown or self._start.resume
        self._lookups += perhaps_made
        answer = await errand.run(
            self._creation(), perhaps_made=perhaps_made, wanted=lambda: workflow.now() < terms.expires_at
        )
        if answer is not None and answer.missing and answer.purpose_gone is not None:
            # It is looked up once more before it ends.
            await self._request_end(answer.purpose_gone)
        elif answer is not None and answer.missing:
            why = Decline(code="provider.no_answer", detail="The provider never had this payment.")
            await self._record([commands.refused(self._state, decline=why, at=workflow.now())])
        else:
            await self._take_created(answer)

    async def _end_uncreated(self) -> None:
        """End a payment that is not wanted any more and not made; one that may have been made is looked up."""
        self._lookups += 1
        answer = await errand.run(self._creation(), perhaps_made=True, wanted=lambda: False)
        if answer is not None and answer.missing:
            end = commands.cancelled_unmade if self._state.cancel_requested else commands.expired_unmade
            await self._record([end(self._state, at=workflow.now())])
        else:
            await self._take_created(answer)

    def _creation(self) -> Errand[ProviderActivities, ProviderRequest, ProviderResponse]:
        terms, key = self._state.terms, payment_key(self._state.terms.payment_id, "create")
        return Errand(
            make=ProviderActivities.create,
            find=ProviderActivities.find,
            message=ProviderRequest(terms=terms, key=key, actor=self._start.created_by),
            summary=f"create at {terms.provider}",
        )

    async def _take_created(self, answer: ProviderResponse | None) -> None:
        unknown = "The provider did not answer." if answer is None else answer.unknown
        if unknown is not None:
            if not self._state.unknown:
                await self._record([commands.outcome_unknown(self._state, detail=unknown, at=workflow.now())])
            return
        assert answer is not None
        if answer.refused is not None:
            decline = Decline(code=answer.refused.code, detail=answer.refused.detail)
            await self._record([commands.refused(self._state, decline=decline, at=workflow.now())])
            return
        await self._converge(answer)

    async def _refresh(self) -> None:
        """Read the payment at the provider, book what is new, and mark the events that announced it as handled."""
        self._refresh_wanted, self._polled_at = False, workflow.now()
        self._lookups += self._state.unknown
        handled = tuple(self._events[:MAX_EVENTS_PER_REFRESH])
        method, step, summary = self._choose_refresh()
        # The caller of the command that is looked up repeats it, and waits for the lock meanwhile.
        soon = GIVES_UP_AFTER if self._state.unknown else REFRESH_TIMEOUT
        # A provider that has just sent a webhook is up; a poll may find it down.
        at_once = bool(handled) and method is ProviderActivities.retrieve
        answer = await errand.ask(method, self._ask(step), summary, give_up_after=soon, at_once=at_once)
        if answer is not None and answer.missing:
            await self._record([], handled=handled)
            return
        if answer is None or answer.snapshot is None:
            # The events stay unhandled, so the inbox sends them again, unless nothing is left to read.
            self._events = self._events[len(handled) :]
            await self._record_lost(answer, handled)
            return
        await self._converge(answer, handled=handled)
        # After a decline only an event can mean that the payer has approved again; a poll alone retries nothing.
        afresh = self._state.decline is None or bool(handled)
        ending = self._state.expiring or self._state.cancel_requested
        if answer.snapshot.approved and afresh and self._state.status in AWAITING and not ending:
            await self._capture_approved()
        overdue = commands.overdue(self._state, at=workflow.now())
        if overdue is not None:
            await self._record([overdue])

    def _choose_refresh(
        self,
    ) -> tuple[Callable[[ProviderActivities, ProviderRequest], Awaitable[ProviderResponse]], str, str]:
        """Return the activity that reads the payment: `find` while it has no id there, `cancel` once it is expired."""
        if self._state.ref is None:
            return ProviderActivities.find, "create", "look it up at the provider"
        open_there = self._state.provider_status in {ProviderStatus.REQUIRES_ACTION, ProviderStatus.AUTHORIZED}
        # It may have expired before it was known that the payer's method takes days.
        if self._state.expiring and open_there and workflow.now() >= self._state.ends_at:
            return ProviderActivities.cancel, "expire", "end it there"
        return ProviderActivities.retrieve, "look", "ask the provider"

    async def _capture_approved(self) -> None:
        ask = self._ask("take", str(self._state.version))
        answer = await errand.ask(
            ProviderActivities.confirm, ask, "capture what the payer approved", give_up_after=REFRESH_TIMEOUT
        )
        if answer is not None and answer.snapshot is not None:
            await self._converge(answer)

    async def _record_lost(self, answer: ProviderResponse | None, handled: Sequence[str]) -> None:
        """End a payment that the provider no longer has and that cannot be paid, and mark its events as handled.

        Events of a payment that was paid stay unhandled: they may be about money, and an operator has to see them.
        """
        if answer is None or answer.refused is None or answer.refused.code != NOT_FOUND:
            return
        gone = commands.vanished(self._state, at=workflow.now())
        if gone is not None:
            await self._record([gone], handled=handled)
        elif handled and self._state.status in ENDED_UNPAID:
            await self._record([], handled=handled)

    async def _take(self, answer: ProviderResponse, *, ended_by: Cancellation | None = None) -> None:
        """Book the response to a command, or raise its refusal for the caller. `ended_by`: a `cancel` and its actor."""
        if answer.declined is not None:
            raise answer.declined.error(state=self._state.status.value)
        if answer.refused is not None:
            raise PaymentRefused(answer.refused.detail, extra={"reason": answer.refused.code})
        await self._converge(answer, ended_by=ended_by)

    async def _converge(
        self, answer: ProviderResponse, *, handled: Sequence[str] = (), ended_by: Cancellation | None = None
    ) -> None:
        """Bring the books to the snapshot, and request the cancellation of a payment that nobody needs any more."""
        await self._book(answer, handled=handled, ended_by=ended_by)
        if answer.purpose_gone is not None:
            await self._request_end(answer.purpose_gone)

    async def _request_end(self, why: str) -> None:
        while self._state.status in AWAITING and not self._state.cancel_requested:
            await self._record([commands.request_cancel(self._state, by=WORKFLOW, at=workflow.now(), why=why)])

    async def _book(self, answer: ProviderResponse, *, handled: Sequence[str], ended_by: Cancellation | None) -> None:
        assert answer.snapshot is not None
        self._lookups = 0
        self._polled_at = now = workflow.now()
        seen = Observation(snapshot=answer.snapshot, at=now, revalued=answer.revalued)
        while True:
            outcomes = (
                converge_after_command(self._state, seen, by=ended_by.by) if ended_by else converge(self._state, seen)
            )
            part = outcomes[:MAX_EVENTS_PER_WRITE]
            last = len(part) == len(outcomes)
            if last and not (outcomes or handled):
                return
            named = ended_by if ended_by and part and part[-1].event == "cancelled" else None
            command_id, actor = (named.command_id, named.actor) if named else (None, None)
            if await self._record(part, handled=handled if last else (), command_id=command_id, actor=actor) and last:
                return

    # Commands -------------------------------------------------------------------------------------------

    async def _confirm(self, command: ConfirmPayment) -> None:
        if not self._is_confirmed(command):
            commands.check_open(self._state, "confirm")
            command_id, actor = command.command_id, command.actor
            ask = self._ask("confirm", command_id, actor=actor, method_ref=command.method_ref)
            await self._take(await self._commanded(ProviderActivities.confirm, ask, "confirm", command_id, actor))

    def _is_confirmed(self, command: ConfirmPayment) -> bool:
        return bool(self._state.received_minor) or commands.is_command_done(self._state, command.command_id)

    async def _capture(self, command: CapturePayment) -> None:
        amount = self._to_capture(command)
        if amount is not None:
            command_id, actor = command.command_id, command.actor
            ask = self._ask("capture", command_id, actor=actor, amount_minor=amount)
            await self._take(await self._commanded(ProviderActivities.capture, ask, "capture", command_id, actor))

    def _to_capture(self, command: CapturePayment) -> int | None:
        """Return the amount to capture; None if an earlier try of the command has captured it."""
        if commands.is_command_done(self._state, command.command_id, before={PaymentStatus.REQUIRES_CAPTURE}):
            return None
        return commands.check_capture(self._state, command.amount_minor)

    async def _cancel(self, command_id: str, actor: Actor, *, spares_under_way: bool = False) -> None:
        """Cancel the payment at the provider, or note that it is to be cancelled; the caller holds the lock.

        Whether its money is on its way may be known only once the provider has answered.
        """
        if self._state.has_done(command_id) or commands.is_command_done(self._state, command_id):
            return
        commands.check_cancel(self._state)
        if not commands.is_known(self._state):
            return await self._request_cancel(command_id, actor)
        if self._state.cancel_requested:
            return
        ask = self._ask("cancel", command_id, actor=actor)
        answer = await self._commanded(ProviderActivities.cancel, ask, "cancel", command_id, actor)
        await self._take(answer, ended_by=Cancellation(by=actor.qualified(), command_id=command_id, actor=actor))
        if commands.is_partly_paid(self._state):
            await self._request_cancel(command_id, actor)
        elif commands.is_under_way(self._state):
            if spares_under_way or not self._state.terms.refundable:
                raise commands.cancel_failed_error(self._state)
            await self._request_cancel(command_id, actor)

    async def _request_cancel(self, command_id: str, actor: Actor) -> None:
        while self._state.status in AWAITING and not self._state.cancel_requested:
            asked = commands.request_cancel(self._state, by=actor.qualified(), at=workflow.now())
            await self._record([asked], command_id=command_id, actor=actor)

    async def _cancel_as_requested(self) -> None:
        """Cancel the payment at the provider for whoever asked for it before; the next try follows after a pause."""
        by = self._state.cancel_requested_by
        assert by is not None
        # A provider may keep a failure under its key, so each try has its own.
        ask = self._ask("cancel", f"requested:{workflow.now():%Y%m%dT%H%M%S}")
        answer = await errand.ask(ProviderActivities.cancel, ask, "cancel it there")
        if answer is not None and answer.snapshot is not None:
            await self._converge(answer, ended_by=Cancellation(by=by))
        else:
            await self._record_lost(answer, ())

    async def _submit_evidence(self, command: SubmitDisputeEvidence) -> None:
        """Submit evidence for a chargeback, unless an earlier try has; the caller holds the lock.

        The bank accepts evidence once, so an operator submits it. An organization's evidence is kept for that.
        """
        if self._state.has_done(command.command_id):
            return
        if not command.actor.is_platform:
            return await self._offer_evidence(command)
        terms, command_id, actor = self._state.terms, command.command_id, command.actor
        dispute = commands.check_evidence(self._state, command.dispute_ref, command_id)
        if dispute.status is not DisputeStatus.UNDER_REVIEW:
            ask = EvidenceRequest(
                terms=terms,
                dispute_ref=dispute.ref,
                text=command.text,
                key=payment_key(terms.payment_id, "evidence", command_id),
                ref=self._state.ref,
                actor=actor,
            )
            answer = await self._commanded(ProviderActivities.submit_evidence, ask, "evidence", command_id, actor)
            if answer.declined is not None:
                raise answer.declined.error(state=self._state.status.value)
            if answer.refused is not None:
                raise PaymentEvidenceRefused(answer.refused.detail)
        done = commands.evidence_submitted(self._state, dispute.ref, actor=actor, at=workflow.now())
        await self._record([done], command_id=command_id, actor=actor)
        self._refresh_wanted = True

    async def _offer_evidence(self, command: SubmitDisputeEvidence) -> None:
        command_id, actor = command.command_id, command.actor
        while not self._state.has_done(command_id):
            offered = offer_evidence(self._state, command.dispute_ref, command.text, actor=actor, at=workflow.now())
            await self._record([offered], command_id=command_id, actor=actor)

    async def _commanded(
        self,
        method: Callable[[ProviderActivities, A], Awaitable[ProviderResponse]],
        ask: A,
        name: str,
        command_id: str,
        actor: Actor,
    ) -> ProviderResponse:
        """Call the provider for a command. The caller holds the lock, so the time is bounded.

        Raises:
            NoResponse: the provider was down for longer. That is noted, and the outcome is looked up later.
        """
        options = regular_activity(name, timeout=CALL_TIMEOUT, give_up_after=GIVES_UP_AFTER)
        try:
            return await workflow.execute_activity_method(method, ask, **options)
        except ActivityError as error:
            refusal = isinstance(error.cause, ApplicationError) and error.cause.non_retryable
            if refusal or is_cancelled_exception(error):
                raise
        unanswered = commands.unanswered(self._state, name, command_id, actor=actor, at=workflow.now())
        await self._record([unanswered], actor=actor)
        raise ProviderNotAvailable(
            "The provider does not answer. The outcome of this command is being looked up: repeat it with the same "
            "Idempotency-Key.",
            extra={"state": self._state.status.value},
        )

    def _ask(
        self,
        step: str,
        command_id: str | None = None,
        *,
        actor: Actor | None = None,
        method_ref: str | None = None,
        amount_minor: int | None = None,
    ) -> ProviderRequest:
        terms = self._state.terms
        return ProviderRequest(
            terms=terms,
            key=payment_key(terms.payment_id, step, command_id),
            ref=self._state.ref,
            method_ref=method_ref,
            amount_minor=amount_minor,
            booked=tuple(booked.key for booked in self._state.booked),
            command_id=None if actor is None else command_id,
            actor=actor,
        )
