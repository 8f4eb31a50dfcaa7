"""What the run of a payment knows, and how it writes; `workflows/payment_run.py` adds what it does by itself."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payment import PaymentBooks
    from contracts import search_attributes
    from contracts.catch_up import dated
    from contracts.payment import (
        AskProvider,
        EscrowFreezing,
        EscrowFunding,
        LoadPayment,
        PaymentCommandResult,
        PaymentEvent,
        PaymentInput,
        ProviderAnswer,
        RecordPayment,
    )
    from contracts.queues import local_activity
    from domain.access import Actor
    from domain.errors import Conflict, DomainError
    from domain.ids import payment_key
    from domain.payment import commands
    from domain.payment.agenda import News, Order, Step
    from domain.payment.converge import Observation, converge, ended
    from domain.payment.fulfilment import fulfilment_due
    from domain.payment.state import Outcome, Payment, PaymentStatus
    from domain.payment.story import details
    from domain.state_hash import state_hash
    from workflows.opening import STATE_FROM_BOOKS, not_opened


#: What an escrow answers; None where an older activity froze it.
EscrowWord = EscrowFunding | EscrowFreezing | None


@dataclass
class Errand:
    """A question to an escrow, and the task that waits for its answer."""

    step: Step
    task: "asyncio.Task[EscrowWord]"


#: How many of our own events one transaction writes: each carries the whole state, and a local activity is short.
EVENTS_A_RECORD = 50


class PaymentRecord:
    """What a payment's run knows, and the one way in which it writes.

    Whoever asks or writes holds the lock, so a command and the run's own steps never mix.
    """

    def __init__(self, start: PaymentInput) -> None:
        """Restore the state, or prepare the one that is written first."""
        if start.payment is not None and start.payment.version and workflow.patched(STATE_FROM_BOOKS):
            # Whoever reaches Temporal can start a run with a state of their making, so the books are asked.
            start = start.model_copy(update={"payment": None, "resume": True})
        self._start = start
        self._lock = asyncio.Lock()
        self._opening = commands.created(start.terms, actor=start.created_by)
        self._payment: Payment = start.payment or replace(self._opening.payment, version=0)
        self._events: list[str] = list(start.events)
        self._signals = start.signals
        self._lookups = 0
        self._polls = 0
        # The next run begins when all are answered, so nobody waits for what only the next one does.
        self._leaving = False
        self._look_wanted = start.look
        # In which order what is due comes; None for as long as the order of before has not differed.
        self._order: Order | None = None
        self._tried = News()
        self._polled_at: datetime | None = None
        self._errand: Errand | None = None
        self._published: PaymentStatus | None = None if start.resume else self._payment.status

    # The one way that anything is written -----------------------------------------------------------------------------

    async def _take(self, answer: ProviderAnswer, *, ended_by: tuple[str, Actor] | None = None) -> None:
        """Book what a command's answer tells; a refusal is the caller's. `ended_by`: a `cancel` and who gave it."""
        if answer.declined is not None:
            raise answer.declined.error(state=self._payment.status.value)
        if answer.refused is not None:
            raise Conflict(answer.refused.detail, code="payment.refused", extra={"reason": answer.refused.code})
        await self._converge(answer, ended_by=ended_by)

    async def _converge(
        self, answer: ProviderAnswer, *, handled: Sequence[str] = (), ended_by: tuple[str, Actor] | None = None
    ) -> None:
        """Write the events that make the books agree with a snapshot, from wherever the books stand."""
        assert answer.snapshot is not None
        self._lookups = 0
        self._polled_at = now = workflow.now()
        seen = Observation(snapshot=answer.snapshot, at=now, revalued=answer.revalued)
        while True:
            outcomes = ended(self._payment, seen, by=ended_by[1]) if ended_by else converge(self._payment, seen)
            part = outcomes[:EVENTS_A_RECORD]
            last = len(part) == len(outcomes)
            if last and not (outcomes or handled):
                return
            command_id, actor = ended_by if ended_by and part and part[-1].event == "cancelled" else (None, None)
            if await self._record(part, handled=handled if last else (), command_id=command_id, actor=actor) and last:
                return

    async def _open_once(self) -> None:
        if self._payment.version:
            return
        if self._start.resume:
            self._payment = await self._load("resume from the books")
            self._publish()
        else:
            try:
                await self._record([self._opening], command_id=self._start.command_id, actor=self._start.created_by)
            except DomainError as refusal:
                raise not_opened(refusal) from refusal

    async def _load(self, why: str) -> Payment:
        return await workflow.execute_local_activity_method(
            PaymentBooks.load, LoadPayment(payment_id=self._payment.terms.payment_id), **local_activity(why)
        )

    async def _catch_up(self) -> bool:
        """Adopt what the books hold when it is later than what the run knows; the caller holds the lock.

        A local activity may have committed although its workflow task was lost. Returns whether the run was behind.
        """
        stored = await self._load("look whether the books are ahead")
        if stored.version <= self._payment.version:
            return False
        self._payment = stored
        # Like a run that resumes it does not know what was asked of the provider, and looks there before it asks.
        self._start = self._start.model_copy(update={"resume": True})
        self._publish()
        return True

    async def _record(
        self,
        outcomes: Sequence[Outcome],
        *,
        handled: Sequence[str] = (),
        command_id: str | None = None,
        actor: Actor | None = None,
    ) -> bool:
        """Write events in one transaction and adopt what the books hold then; returns whether it is these events."""
        at = workflow.now()
        if command_id is not None:
            outcomes = [*outcomes[:-1], commands.done(outcomes[-1], command_id)]
        events = tuple(
            PaymentEvent.of(outcome, at=at, actor=actor, command_id=command_id)
            if outcome is outcomes[-1]
            else PaymentEvent.of(outcome, at=at)
            for outcome in outcomes
        )
        terms = self._payment.terms
        message = RecordPayment(
            payment_id=terms.payment_id,
            provider=terms.provider,
            events=events,
            handled=tuple(handled),
            at=at,
            decided_from=state_hash(self._payment) if self._payment.version else None,
        )
        what = ", ".join(outcome.event for outcome in outcomes) or "nothing new"
        recorded = await workflow.execute_local_activity_method(PaymentBooks.record, message, **local_activity(what))
        if recorded.declined is not None:
            raise recorded.declined.error(state=self._payment.status.value)
        if recorded.stored is not None:
            self._payment = recorded.stored
            self._publish()
        if recorded.applied and handled:
            self._events = [event for event in self._events if event not in set(handled)]
        return recorded.applied

    def _dated(self) -> AbstractContextManager[None]:
        """Say with a refusal what the run knew: a caller who finds the books ahead has it catch up."""
        return dated(lambda: self._payment.version)

    # What is known ----------------------------------------------------------------------------------------------------

    def _ask(
        self,
        step: str,
        command_id: str | None = None,
        *,
        actor: Actor | None = None,
        method_ref: str | None = None,
        amount_minor: int | None = None,
    ) -> AskProvider:
        terms = self._payment.terms
        return AskProvider(
            terms=terms,
            key=payment_key(terms.payment_id, step, command_id),
            ref=self._payment.ref,
            method_ref=method_ref,
            amount_minor=amount_minor,
            booked=tuple(booked.key for booked in self._payment.booked),
            command_id=None if actor is None else command_id,
            actor=actor,
        )

    def _is_answered(self) -> bool:
        """Tell whether the caller can be told something: credits and stored methods are paid at once."""
        payment = self._payment
        if self._leaving:
            return True
        return payment.version > 1 and payment.status is not PaymentStatus.CREATED and not fulfilment_due(payment)

    def _progress(self) -> tuple[int, int, bool, bool]:
        return self._payment.version, len(self._events), self._look_wanted, self._errand is not None

    def _has_answer(self) -> bool:
        return self._errand is not None and self._errand.task.done()

    def _news(self) -> tuple[int, int, bool, bool]:
        return self._payment.version, len(self._events), self._look_wanted, self._has_answer()

    def _has_ended(self) -> bool:
        payment = self._payment
        if payment.version == 0 or payment.awaits or self._events or self._look_wanted or self._errand is not None:
            return False
        return workflow.now() >= self._closes_at()

    def _closes_at(self) -> datetime:
        return self._payment.updated_at + timedelta(seconds=self._payment.terms.open_seconds)

    def _publish(self) -> None:
        """Show the state to operators; the search attribute costs the server a write, so only when it changes."""
        if self._payment.status is not self._published:
            self._published = self._payment.status
            workflow.upsert_search_attributes([search_attributes.STATE.value_set(self._published.value)])
        workflow.set_current_details(details(self._payment))

    def _should_continue_as_new(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()

    def _result(self, *, refund_id: str | None = None) -> PaymentCommandResult:
        payment = self._payment
        return PaymentCommandResult(
            payment_id=payment.terms.payment_id,
            status=payment.status.value,
            version=payment.version,
            refund_id=refund_id,
        )
