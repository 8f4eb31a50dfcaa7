"""What the run of a payment does by itself; `workflows/payment.py` adds who may tell it what."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.payment_escrows import PaymentEscrows
    from activities.payment_providers import PaymentProviders
    from contracts.payment import (
        AskEvidence,
        AskProvider,
        AskRefund,
        EscrowFreezing,
        EscrowFunding,
        FundEscrowFromPayment,
        GiveUpRefund,
        ProviderAnswer,
        RefundAnswer,
        SubmitDisputeEvidence,
    )
    from contracts.queues import regular_activity
    from domain.access import Actor
    from domain.errors import DomainError, Invalid
    from domain.ids import payment_key, refund_id_of
    from domain.invoice import WrongInvoiceState
    from domain.payment import commands
    from domain.payment.agenda import POLL, News, Order, Step, Wait, after, agenda, due, hold_until, is_unknown, what
    from domain.payment.converge import numbered, refund_accepted, refund_failed
    from domain.payment.fulfilment import Readiness, falls_short, is_left_nothing, is_ready, readiness
    from domain.payment.given_up import give_up
    from domain.payment.snapshot import NOT_FOUND, Decline, DisputeStatus, ProviderStatus
    from domain.payment.state import AWAITING, IN_FLIGHT, Fulfilment, Outcome, Refund, RefundState
    from workflows.payment_record import Errand, EscrowWord, PaymentRecord

A = TypeVar("A", AskProvider, AskEvidence)

#: What a call may take: longer than the provider's client waits, so that it is the client that gives up.
CALL_TIMEOUT = timedelta(seconds=20)
#: How long the first answer to a command is tried for before the outcome counts as unknown.
CREATE_GIVES_UP_AFTER = timedelta(seconds=15)
#: How long a look at the provider is tried for; the next look is due soon enough.
LOOK_GIVES_UP_AFTER = timedelta(minutes=2)
#: How many of the provider's events one look answers for.
EVENTS_A_LOOK = 100


class PaymentRun(PaymentRecord):
    """The steps of a payment's run: what is due is done under the lock, one thing at a time."""

    # What the run does by itself --------------------------------------------------------------------------------------

    async def _advance(self) -> None:
        """Take the next step of the agenda, or wait until there is one."""
        async with self._lock:
            await self._open_once()
            item = self._next(woken=True)
            if isinstance(item, Step):
                known = self._progress()
                await self._do(item)
                self._taken(item, progressed=self._progress() != known)
        item = self._next(woken=False)
        if isinstance(item, Wait):
            await self._wait(item)

    def _next(self, *, woken: bool) -> Step | Wait:
        """Ask the agenda. A run keeps the order of before only where it has taken a turn by it that differs."""
        now, news = workflow.now(), self._seen(woken=woken)
        item = agenda(self._payment, now, news, self._order or Order.FAIR)
        if self._order is None:
            before = agenda(self._payment, now, news, Order.BEFORE)
            if what(item) != what(before):
                self._order = Order.FAIR if workflow.patched("fair-agenda") else Order.BEFORE
                return item if self._order is Order.FAIR else before
        return item

    def _seen(self, *, woken: bool = False) -> News:
        return replace(
            self._tried,
            told=bool(self._events) or self._look_wanted,
            woken=woken,
            asked=self._errand is not None and not self._errand.task.done(),
            answered=self._has_answer(),
            lookups=self._lookups,
            polls=self._polls,
            polled_at=self._polled_at,
        )

    def _taken(self, step: Step, *, progressed: bool) -> None:
        """Let a step give way to others; one that is due as before is held back for a while."""
        looks_again = step is not Step.LOOK or self._payment.unknown
        stays = step in due(self._payment, workflow.now(), self._seen()) and looks_again
        in_vain = stays and (not progressed or is_unknown(self._payment))
        held = hold_until(workflow.now(), self._lookups) if in_vain else None
        self._tried = after(self._tried, step, hold_until=held)

    async def _do(self, step: Step) -> None:
        match step:
            case Step.TAKE_ANSWER:
                await self._take_answer()
            case Step.FREEZE:
                self._ask_escrow(step)
            case Step.END_UNMADE:
                await self._end_unmade()
            case Step.SUBMIT:
                await self._submit()
            case Step.SUBMIT_REFUNDS:
                await self._submit_refunds()
            case Step.LOOK:
                await self._look()
            case Step.FULFIL:
                await self._fulfil()
            case Step.END_TIME:
                await self._end_time()
            case Step.REFUND_AND_LOOK:
                await self._submit_refunds()
                if self._events or self._look_wanted:
                    await self._look()
            case Step.FUND_ESCROW | Step.FREEZE_ESCROW:
                await self._take_word(await self._word_of_escrow(step))

    async def _wait(self, wait: Wait) -> None:
        """Wait for news, a command, the escrow's answer, or the time at which something is due."""
        if self._has_ended() or self._should_continue_as_new():
            return
        known = self._news()
        try:
            await workflow.wait_condition(
                # News that came before could not be looked at yet, and wake nobody again.
                lambda: self._news() != known or self._should_continue_as_new(),
                timeout=max(wait.until - workflow.now(), timedelta(0)),
                timeout_summary=f"{self._payment.status.value}: {wait.why}",
            )
            self._polls, held = 0, {}
        except TimeoutError:
            held = {step: until for step, until in self._tried.held.items() if until > wait.until}
            if wait.why == POLL:
                self._polls += 1
                self._look_wanted = self._payment.ref is not None
        self._tried = replace(self._tried, held=held)

    async def _submit(self) -> None:
        """Have the provider make the payment; what may have been made is looked up first."""
        terms = self._payment.terms
        key = payment_key(terms.payment_id, "create")
        ask = AskProvider(terms=terms, key=key)
        if self._payment.unknown or self._start.resume:
            self._lookups += 1
            found = await self._patiently(PaymentProviders.find, ask, "look for it at the provider")
            if found is None or not found.missing:
                await self._take_created(found)
                return
            if workflow.now() >= terms.expires_at:
                why = Decline(code="provider.no_answer", detail="The provider never had this payment.")
                await self._record([commands.refused(self._payment, decline=why, at=workflow.now())])
                return
        answer = await self._patiently(PaymentProviders.create, ask, f"create at {terms.provider}")
        await self._take_created(answer)

    async def _end_unmade(self) -> None:
        """End a payment whose time was over before its provider had it; one that may have been made is looked up."""
        self._lookups += 1
        terms = self._payment.terms
        ask = AskProvider(terms=terms, key=payment_key(terms.payment_id, "create"))
        found = await self._patiently(PaymentProviders.find, ask, "look for it at the provider")
        if found is not None and found.missing:
            await self._record([commands.expired_unmade(self._payment, at=workflow.now())])
        else:
            await self._take_created(found)

    async def _patiently(
        self,
        method: Callable[[PaymentProviders, AskProvider], Awaitable[ProviderAnswer]],
        ask: AskProvider,
        summary: str,
        *,
        give_up_after: timedelta = CREATE_GIVES_UP_AFTER,
    ) -> ProviderAnswer | None:
        """Ask the provider; None when it could not be asked for that long."""
        options = regular_activity(summary, timeout=CALL_TIMEOUT, give_up_after=give_up_after)
        try:
            return await workflow.execute_activity_method(method, ask, **options)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return None

    async def _take_created(self, answer: ProviderAnswer | None) -> None:
        unknown = "The provider did not answer." if answer is None else answer.unknown
        if unknown is not None:
            if not self._payment.unknown:
                await self._record([commands.outcome_unknown(self._payment, detail=unknown, at=workflow.now())])
            return
        assert answer is not None
        if answer.refused is not None:
            decline = Decline(code=answer.refused.code, detail=answer.refused.detail)
            await self._record([commands.refused(self._payment, decline=decline, at=workflow.now())])
            return
        await self._converge(answer)

    async def _look(self) -> None:
        """Ask the provider how it stands there, and book what is new with the events that told of it."""
        self._look_wanted, self._polled_at = False, workflow.now()
        self._lookups += self._payment.unknown
        handled = tuple(self._events[:EVENTS_A_LOOK])
        method, step, summary = self._way_to_look()
        # Whoever gave the command that is looked up repeats it, and waits for the lock meanwhile.
        soon = CREATE_GIVES_UP_AFTER if self._payment.unknown else LOOK_GIVES_UP_AFTER
        answer = await self._patiently(method, self._ask(step), summary, give_up_after=soon)
        if answer is not None and answer.missing:
            await self._record([], handled=handled)
            return
        if answer is None or answer.snapshot is None:
            # The events stay unhandled, so the inbox tells of them again.
            self._events = self._events[len(handled) :]
            await self._vanish(answer)
            return
        await self._converge(answer, handled=handled)
        # After a decline only an event can mean that the payer has approved again; a poll alone tries nothing anew.
        afresh = self._payment.decline is None or bool(handled)
        if answer.snapshot.approved and afresh and self._payment.status in AWAITING and not self._payment.expiring:
            await self._take_approved()
        overdue = commands.overdue(self._payment, at=workflow.now())
        if overdue is not None and workflow.patched("overdue-payments-alert"):
            await self._record([overdue])

    def _way_to_look(self) -> tuple[Callable[[PaymentProviders, AskProvider], Awaitable[ProviderAnswer]], str, str]:
        """Return how the provider is asked: it is looked for where it was refused, and ended when its time is over."""
        if self._payment.ref is None:
            return PaymentProviders.find, "create", "look for it at the provider"
        open_there = self._payment.provider_status in {ProviderStatus.REQUIRES_ACTION, ProviderStatus.AUTHORIZED}
        # Its time may have been over before it was known that the payer sends money in a way that takes days.
        if self._payment.expiring and open_there and workflow.now() >= self._payment.ends_at:
            return PaymentProviders.cancel, "expire", "end it there"
        return PaymentProviders.retrieve, "look", "ask the provider"

    async def _take_approved(self) -> None:
        """Take what the payer has approved at the provider. Each approval may be another, so each has its own key."""
        ask = self._ask("take", str(self._payment.version))
        answer = await self._patiently(
            PaymentProviders.confirm, ask, "take what was approved", give_up_after=LOOK_GIVES_UP_AFTER
        )
        if answer is not None and answer.snapshot is not None:
            await self._converge(answer)

    async def _vanish(self, answer: ProviderAnswer | None) -> None:
        if answer is not None and answer.refused is not None and answer.refused.code == NOT_FOUND:
            gone = commands.vanished(self._payment, at=workflow.now())
            if gone is not None:
                await self._record([gone])

    async def _end_time(self) -> None:
        """End a payment whose payer's time is over, there first; money that comes all the same is booked as ever."""
        over = commands.expiring(self._payment, at=workflow.now())
        if over is None:
            if falls_short(self._payment):
                await self._serve_purpose(in_part=True)
            return
        await self._record([over])
        await self._look()

    async def _fulfil(self) -> None:
        """Hand the money over to what it is for, or send back what cannot be; an escrow is asked beside the lock."""
        payment = self._payment
        if not payment.fulfilling and (payment.terms.purpose.escrow_id is None or not is_ready(payment)):
            await self._serve_purpose()
            return
        if not payment.fulfilling:
            await self._record([commands.fulfilment_started(payment, at=workflow.now())])
        if self._payment.fulfilling:
            self._ask_escrow(Step.FULFIL)

    async def _serve_purpose(self, *, in_part: bool = False) -> None:
        """Pay the invoice, or send back what cannot be handed over. A part pays a part of an invoice, and no escrow."""
        if readiness(self._payment) is Readiness.FAILED or (in_part and is_left_nothing(self._payment)):
            refund_id = self._refund_of_purpose()
            await self._record([commands.fulfilment_failed(self._payment, refund_id=refund_id, at=workflow.now())])
        elif self._payment.terms.purpose.invoice_id is not None:
            await self._pay_invoice()
        else:
            await self._purpose_gone("not all of it came in time")

    async def _pay_invoice(self) -> None:
        """Pay the invoice; the books alone know whether anything is due at that moment."""
        try:
            await self._record([commands.invoice_paid(self._payment, at=workflow.now())])
        except DomainError as refusal:
            if refusal.error_code != WrongInvoiceState.code:
                raise
            await self._purpose_gone(refusal.detail)

    def _ask_escrow(self, step: Step) -> None:
        """Have the escrow asked beside the lock: it may not answer for long, and others are due meanwhile."""
        self._errand = Errand(step, asyncio.create_task(self._word_of_escrow(step)))

    async def _word_of_escrow(self, step: Step) -> EscrowWord:
        # A run before this one may have asked. What was refunded or disputed since is handed over by nobody any more.
        stale = step is Step.FULFIL and not is_ready(self._payment)
        ask = FundEscrowFromPayment(terms=self._payment.terms, only_look=stale)
        if step in {Step.FREEZE, Step.FREEZE_ESCROW}:
            options = regular_activity("freeze the escrow", timeout=CALL_TIMEOUT)
            return await workflow.execute_activity_method(PaymentEscrows.freeze_escrow, ask, **options)
        options = regular_activity("fund the escrow", timeout=CALL_TIMEOUT)
        return await workflow.execute_activity_method(PaymentEscrows.fund_escrow, ask, **options)

    async def _take_answer(self) -> None:
        """Book what the escrow answered; one that could not be asked is asked again after a pause."""
        errand, self._errand = self._errand, None
        assert errand is not None
        try:
            answer = errand.task.result()
        except ActivityError:
            self._lookups += 1
            held = hold_until(workflow.now(), self._lookups)
            self._tried = after(self._tried, errand.step, hold_until=held)
            return
        await self._take_word(answer)

    async def _take_word(self, answer: EscrowWord) -> None:
        now = workflow.now()
        match answer:
            case None | EscrowFreezing(frozen=True):
                await self._record([commands.escrow_frozen(self._payment, at=now)])
            case EscrowFreezing():
                why = answer.why or "it has ended"
                await self._record([commands.escrow_not_frozen(self._payment, why=why, at=now)])
            case EscrowFunding() if self._payment.fulfilment is not Fulfilment.PENDING:
                pass  # the books knew it first
            case EscrowFunding(funded=True):
                await self._record([commands.fulfilled(self._payment, at=now)])
            case EscrowFunding(not_asked=True):
                await self._record([commands.fulfilment_put_off(self._payment, at=now)])
            case EscrowFunding():
                await self._purpose_gone(answer.why or "it takes no money any more")

    async def _purpose_gone(self, why: str) -> None:
        refund_id = self._refund_of_purpose()
        await self._record([commands.purpose_gone(self._payment, why=why, refund_id=refund_id, at=workflow.now())])

    def _refund_of_purpose(self) -> str:
        return refund_id_of(self._payment.terms.payment_id, "purpose gone")

    async def _submit_refunds(self) -> None:
        """Have the provider make the refunds that our books have; what may have been made is looked up first."""
        for refund in self._payment.refunds:
            if refund.state not in IN_FLIGHT:
                continue
            ask = self._ask_refund(refund)
            # What waits for a provider that is away holds up everything else, so it is given up and looked up later.
            options = regular_activity("refund", timeout=CALL_TIMEOUT, give_up_after=CREATE_GIVES_UP_AFTER)
            try:
                if refund.state is RefundState.UNKNOWN or self._start.resume:
                    self._lookups += 1
                    answer = await workflow.execute_activity_method(PaymentProviders.find_refund, ask, **options)
                    if answer.missing:
                        answer = await workflow.execute_activity_method(PaymentProviders.refund, ask, **options)
                else:
                    answer = await workflow.execute_activity_method(PaymentProviders.refund, ask, **options)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                answer = RefundAnswer(unknown="The provider did not answer.")
            await self._take_refund(refund, answer)

    def _ask_refund(self, refund: Refund) -> AskRefund:
        terms, ref = self._payment.terms, self._payment.ref
        assert ref is not None
        return AskRefund(
            terms=terms,
            ref=ref,
            refund_id=refund.refund_id,
            amount_minor=refund.amount_minor,
            reason=refund.reason,
            key=payment_key(terms.payment_id, "refund", refund.refund_id),
        )

    async def _take_refund(self, refund: Refund, answer: RefundAnswer) -> None:
        if answer.unknown is not None:
            if refund.state is not RefundState.UNKNOWN:
                await self._record([commands.refund_unknown(self._payment, refund.refund_id, at=workflow.now())])
        elif answer.refused is not None:
            known = next(item for item in self._payment.refunds if item.refund_id == refund.refund_id)
            failed = refund_failed(self._payment, known, answer.refused.detail, code=answer.refused.code)
            await self._record([numbered(failed, workflow.now())])
        else:
            assert answer.snapshot is not None
            accepted = refund_accepted(self._payment, refund.refund_id, answer.snapshot)
            if accepted is not None:
                await self._record([numbered(accepted, workflow.now())])
            await self._look()

    async def _cancel(self, command_id: str, actor: Actor) -> None:
        """End the payment there; the caller holds the lock."""
        if self._payment.has_done(command_id) or commands.is_settled(self._payment, command_id):
            return
        commands.check_open(self._payment, "cancel")
        ask = self._ask("cancel", command_id, actor=actor)
        answer = await self._commanded(PaymentProviders.cancel, ask, "cancel", command_id, actor)
        await self._take(answer, ended_by=(command_id, actor))

    async def _submit_evidence(self, command: SubmitDisputeEvidence) -> None:
        """Answer a chargeback, unless an earlier try of the command has; the caller holds the lock."""
        terms, command_id, actor = self._payment.terms, command.command_id, command.actor
        dispute = commands.check_evidence(self._payment, command.dispute_ref, command_id)
        if dispute.status is not DisputeStatus.UNDER_REVIEW:
            ask = AskEvidence(
                terms=terms,
                dispute_ref=dispute.ref,
                text=command.text,
                key=payment_key(terms.payment_id, "evidence", command_id),
                ref=self._payment.ref,
                actor=actor,
            )
            answer = await self._commanded(PaymentProviders.submit_evidence, ask, "evidence", command_id, actor)
            if answer.declined is not None:
                raise answer.declined.error(state=self._payment.status.value)
            if answer.refused is not None:
                raise Invalid(answer.refused.detail, code="payment.evidence_refused")
        done = commands.evidence_submitted(self._payment, dispute.ref, actor=actor, at=workflow.now())
        await self._record([done], command_id=command_id, actor=actor)
        self._look_wanted = True

    async def _commanded(
        self,
        method: Callable[[PaymentProviders, A], Awaitable[ProviderAnswer]],
        ask: A,
        name: str,
        command_id: str,
        actor: Actor,
    ) -> ProviderAnswer:
        """Have the provider do what somebody commands; the caller holds the lock, so for a bounded time only.

        Raises:
            NoAnswer: the provider was away for longer. That is noted, and what became of the command is looked up.
        """
        options = regular_activity(name, timeout=CALL_TIMEOUT, give_up_after=CREATE_GIVES_UP_AFTER)
        try:
            return await workflow.execute_activity_method(method, ask, **options)
        except ActivityError as error:
            refusal = isinstance(error.cause, ApplicationError) and error.cause.non_retryable
            if refusal or is_cancelled_exception(error) or not workflow.patched("commands-give-up"):
                raise
        unanswered = commands.unanswered(self._payment, name, command_id, actor=actor, at=workflow.now())
        await self._record([unanswered], actor=actor)
        raise commands.NoAnswer(
            "The provider does not answer. What became of this command is being looked up: repeat it with the same "
            "Idempotency-Key.",
            extra={"state": self._payment.status.value},
        )

    async def _refund(
        self, command_id: str, refund_id: str, amount_minor: int | None, reason: str | None, actor: Actor
    ) -> None:
        """Book the refund, then have it made; the caller holds the lock."""
        while not self._payment.has_done(command_id):
            requested = self._requested(refund_id, amount_minor, reason, actor)
            await self._record([requested], command_id=command_id, actor=actor)
        await self._submit_refunds()

    async def _give_up(self, command: GiveUpRefund) -> None:
        """Take an operator's word for what became of a refund, then look; the caller holds the lock."""
        while not self._payment.has_done(command.command_id):
            await self._record([self._given_up(command)], command_id=command.command_id, actor=command.actor)
            self._look_wanted = True

    def _given_up(self, command: GiveUpRefund) -> Outcome:
        return give_up(
            self._payment,
            refund_id=command.refund_id,
            provider_ref=command.provider_ref,
            reason=command.reason,
            actor=command.actor,
            at=workflow.now(),
        )

    def _requested(self, refund_id: str, amount_minor: int | None, reason: str | None, actor: Actor) -> Outcome:
        return commands.refund(
            self._payment,
            refund_id=refund_id,
            amount_minor=amount_minor,
            reason=reason,
            requested_by=actor.qualified(),
            at=workflow.now(),
        )
