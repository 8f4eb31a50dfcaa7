"""What the run of a payment does by itself; `workflows/payment.py` adds who may tell it what."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.payment_providers import PaymentProviders
    from contracts.payment import (
        AskProvider,
        AskRefund,
        FundEscrowFromPayment,
        GiveUpRefund,
        ProviderAnswer,
        RefundAnswer,
    )
    from contracts.queues import regular_activity
    from domain.access import Actor
    from domain.errors import DomainError
    from domain.ids import payment_key, refund_id_of
    from domain.invoice import WrongInvoiceState
    from domain.payment import commands
    from domain.payment.converge import numbered, refund_accepted, refund_failed
    from domain.payment.fulfilment import (
        Readiness,
        falls_short,
        fulfilment_due,
        is_left_nothing,
        needs_freeze,
        readiness,
    )
    from domain.payment.given_up import give_up
    from domain.payment.snapshot import NOT_FOUND, Decline, ProviderStatus
    from domain.payment.state import AWAITING, IN_FLIGHT, Outcome, PaymentStatus, Refund, RefundState
    from workflows.payment_record import PaymentRecord

#: What a call may take: longer than the provider's client waits, so that it is the client that gives up.
CALL_TIMEOUT = timedelta(seconds=20)
#: How long the first answer is tried for before the outcome counts as unknown.
CREATE_GIVES_UP_AFTER = timedelta(seconds=15)
#: How long a look at the provider is tried for; the next look is due soon enough.
LOOK_GIVES_UP_AFTER = timedelta(minutes=2)
#: Pauses between lookups of an unknown outcome: the first, and the longest.
FIRST_LOOKUP, LONGEST_LOOKUP = timedelta(seconds=2), timedelta(minutes=10)
#: How many of the provider's events one look answers for.
EVENTS_A_LOOK = 100


class PaymentRun(PaymentRecord):
    """The steps of a payment's run: what is due is done under the lock, one thing at a time."""

    # What the run does by itself --------------------------------------------------------------------------------------

    async def _advance(self) -> None:
        """Do the next thing that is due, or wait until something is."""
        async with self._lock:
            await self._open_once()
            if self._payment.ref is None and self._payment.status in {PaymentStatus.CREATED, PaymentStatus.UNKNOWN}:
                await self._submit()
            elif any(refund.state in IN_FLIGHT for refund in self._payment.refunds):
                await self._submit_refunds()
                if self._events or self._look_wanted:
                    await self._look()
            elif self._events or self._look_wanted:
                await self._look()
            elif fulfilment_due(self._payment):
                await self._serve_purpose()
            elif needs_freeze(self._payment):
                await self._freeze_escrow()
            elif workflow.now() >= self._payment.ends_at:
                await self._end_time()
        if not self._is_due():
            await self._wait()

    def _is_due(self) -> bool:
        """Tell whether the next turn has something to do at once; what is unknown is looked up after a pause."""
        if self._is_unknown():
            return False
        if self._events or self._look_wanted or fulfilment_due(self._payment) or needs_freeze(self._payment):
            return True
        if self._payment.status is PaymentStatus.CREATED:
            return True
        requested = any(refund.state is RefundState.REQUESTED for refund in self._payment.refunds)
        over = workflow.now() >= self._payment.ends_at
        expiring = commands.expiring(self._payment, at=workflow.now()) is not None
        return requested or (over and (expiring or falls_short(self._payment)))

    async def _wait(self) -> None:
        """Wait for news, a command, the next poll, the payer's deadline or the end, whichever is first."""
        if self._has_ended() or self._should_continue_as_new():
            return
        known, (until, what) = self._news(), self._next_wake()
        try:
            await workflow.wait_condition(
                # News that came before could not be looked at yet, and wake nobody again.
                lambda: self._news() != known or self._should_continue_as_new(),
                timeout=max(until - workflow.now(), timedelta(0)),
                timeout_summary=f"{self._payment.status.value}: {what}",
            )
            self._polls = 0
        except TimeoutError:
            if what == "ask the provider":
                self._polls += 1
                self._look_wanted = self._payment.ref is not None

    def _next_wake(self) -> tuple[datetime, str]:
        payment, now = self._payment, workflow.now()
        terms = payment.terms
        if self._is_unknown():
            return now + min(FIRST_LOOKUP * 2 ** min(self._lookups, 16), LONGEST_LOOKUP), "look up what is unknown"
        if not payment.awaits and terms.late_poll_seconds:
            return min(now + timedelta(seconds=terms.late_poll_seconds), self._closes_at()), "ask the provider"
        if not payment.awaits:
            return self._closes_at(), "stays open for commands"
        pause = min(terms.first_poll_seconds * 2 ** min(self._polls, 16), terms.longest_poll_seconds)
        poll = (now + timedelta(seconds=pause), "ask the provider")
        if commands.expiring(payment, at=now) is None:
            return poll
        return min(poll, (payment.ends_at, "the payer's time is over"))

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
        self._look_wanted = False
        handled = tuple(self._events[:EVENTS_A_LOOK])
        method, step, summary = self._way_to_look()
        answer = await self._patiently(method, self._ask(step), summary, give_up_after=LOOK_GIVES_UP_AFTER)
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

    async def _serve_purpose(self, *, in_part: bool = False) -> None:
        """Hand the money over to what it is for. A part of it pays a part of an invoice, and no escrow."""
        if readiness(self._payment) is Readiness.FAILED or (in_part and is_left_nothing(self._payment)):
            refund_id = self._refund_of_purpose()
            await self._record([commands.fulfilment_failed(self._payment, refund_id=refund_id, at=workflow.now())])
        elif self._payment.terms.purpose.invoice_id is not None:
            await self._pay_invoice()
        elif in_part:
            await self._purpose_gone("not all of it came in time")
        else:
            await self._fund_escrow()

    async def _pay_invoice(self) -> None:
        """Pay the invoice; the books alone know whether anything is due at that moment."""
        try:
            await self._record([commands.invoice_paid(self._payment, at=workflow.now())])
        except DomainError as refusal:
            if refusal.error_code != WrongInvoiceState.code:
                raise
            await self._purpose_gone(refusal.detail)

    async def _fund_escrow(self) -> None:
        funding = await workflow.execute_activity_method(
            PaymentProviders.fund_escrow,
            FundEscrowFromPayment(terms=self._payment.terms),
            **regular_activity("fund the escrow", timeout=CALL_TIMEOUT),
        )
        if funding.funded:
            await self._record([commands.fulfilled(self._payment, at=workflow.now())])
        else:
            await self._purpose_gone(funding.why or "it takes no money any more")

    async def _freeze_escrow(self) -> None:
        """Have the escrow hold what it still has: somebody has to decide whose it is."""
        freezing = await workflow.execute_activity_method(
            PaymentProviders.freeze_escrow,
            FundEscrowFromPayment(terms=self._payment.terms),
            **regular_activity("freeze the escrow", timeout=CALL_TIMEOUT),
        )
        if freezing is None or freezing.frozen:
            await self._record([commands.escrow_frozen(self._payment, at=workflow.now())])
        else:
            why = freezing.why or "it has ended"
            await self._record([commands.escrow_not_frozen(self._payment, why=why, at=workflow.now())])

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
            options = regular_activity("refund", timeout=CALL_TIMEOUT)
            if refund.state is RefundState.UNKNOWN or self._start.resume:
                self._lookups += 1
                answer = await workflow.execute_activity_method(PaymentProviders.find_refund, ask, **options)
                if answer.missing:
                    answer = await workflow.execute_activity_method(PaymentProviders.refund, ask, **options)
            else:
                answer = await workflow.execute_activity_method(PaymentProviders.refund, ask, **options)
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

    async def _cancel(self, command_id: str) -> None:
        """End the payment there; the caller holds the lock."""
        commands.check_open(self._payment, "cancel")
        answer = await workflow.execute_activity_method(
            PaymentProviders.cancel,
            self._ask("cancel", command_id),
            **regular_activity("cancel", timeout=CALL_TIMEOUT),
        )
        await self._take(answer)

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
