"""InvoiceWorkflow: collects one invoice, by charges to the stored payment method and by dunning."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.common import RawValue

from domain.common.errors import WrongInvoiceState

with workflow.unsafe.imports_passed_through():
    from activities.billing.invoice import PAYMENT_TIMEOUT, InvoiceActivities
    from contracts.billing.invoice import (
        ChargeInvoice,
        InvoiceInput,
        InvoiceResult,
        InvoiceSignal,
        LoadCollection,
        LoadedCollection,
        OrderCharge,
        OrderedCharge,
        RecordCollection,
    )
    from contracts.common.queues import local_activity, regular_activity
    from domain.billing.invoice.agenda import Step, agenda
    from domain.billing.invoice.collection import (
        WORKFLOW,
        Collection,
        CollectionMethod,
        CollectionStatus,
        InvoiceDue,
        Transition,
    )
    from domain.billing.invoice.presentation import details
    from domain.billing.invoice.state import InvoiceStatus
    from domain.common.access import Actor
    from domain.common.agenda import Wait
    from domain.common.ids import invoice_payment_id
    from domain.common.signals import SignalTarget
    from domain.payments import dunning as rules
    from domain.payments.dunning import ChargeOutcome, ChargeResult
    from workflows.common.books_entity import BooksEntity
    from workflows.common.signals import NO_INPUT, reason_of, sender

Decision = Callable[[Collection, datetime], Transition]


@workflow.defn(name="invoice")
class InvoiceWorkflow(BooksEntity[InvoiceInput, Collection, Transition, InvoiceResult]):
    """Collects an invoice on which something is due, until it is paid or has ended in another way.

    Each charge is one payment, created under the attempt's key and followed to its end before the next step. Every
    write compares the invoice's balance under its lock, so concurrent changes count.

    Messages:
        update `charge`: charge now. Update `catch_up`: the books are ahead. Signal `look`: the invoice or its payment
        has changed. Signals `charge`, `resume`, `give_up`, `void` of operators; a refused one is recorded in the
        timeline. A cancellation request is refused: giving up and voiding are commands.
    Ends when: the invoice is paid, void or uncollectible, and every handler has answered. Reopening starts another run.
    Continues as new: when the server suggests it, from what the books hold.
    Compensates: nothing; money for an invoice that has ended meanwhile is returned by its payment.
    """

    @workflow.init
    def __init__(self, start: InvoiceInput) -> None:
        """Hold no state until the first read."""
        nothing = Collection(
            invoice_id=start.invoice_id,
            org_id="",
            number=start.invoice_id,
            currency="USD",
            method=CollectionMethod.SEND_INVOICE,
            days=(),
            due_at=workflow.now(),
            next_at=workflow.now(),
        )
        super().__init__(start, nothing)
        self._standing = InvoiceDue(status=InvoiceStatus.OPEN, due_minor=0)
        # A payment that the organization made itself, and that only waits for its provider to end it.
        self._processing: str | None = None
        # The read state is older than a signal or a wait.
        self._stale = False
        self._news = 0
        # The payment that this run began, and that is ordered; how often it was polled, and when it is polled next.
        self._begun: str | None = None
        self._ordered: str | None = None
        self._looks = 0
        self._follow_at: datetime | None = None

    @workflow.run
    async def run(self, start: InvoiceInput) -> InvoiceResult:
        """Run until the invoice has ended."""
        await self._live(start)
        return self._result()

    # Messages: one declared method for each name on the wire, whose body is one call ----------------------------------

    @workflow.update(name="charge")
    async def charge(self, command: ChargeInvoice) -> InvoiceResult:
        """Charge now, not as scheduled; the result does not wait for the money."""
        return await self._answer(
            lambda: self._decide_command(command.command_id, self._charge(command.actor), command.actor)
        )

    @charge.validator
    def _validate_charge(self, command: ChargeInvoice) -> None:
        self._check(command, lambda: None)

    @workflow.signal(name="look")
    async def signal_look(self, given: RawValue = NO_INPUT) -> None:
        """Read the invoice and its payment again."""
        await self._handle_fact("look", InvoiceSignal, given, self._note_look)

    @workflow.signal(name="charge")
    async def signal_charge(self, given: RawValue = NO_INPUT) -> None:
        """Charge now."""
        await self._handle_signal("charge", InvoiceSignal, given, self._charge_signalled)

    @workflow.signal(name="resume")
    async def signal_resume(self, given: RawValue = NO_INPUT) -> None:
        """Resume collecting an invoice that a refund or a chargeback had reopened."""
        await self._handle_signal("resume", InvoiceSignal, given, self._resume_signalled)

    @workflow.signal(name="give_up")
    async def signal_give_up(self, given: RawValue = NO_INPUT) -> None:
        """Make it uncollectible."""
        await self._handle_signal("give_up", InvoiceSignal, given, self._give_up_signalled)

    @workflow.signal(name="void")
    async def signal_void(self, given: RawValue = NO_INPUT) -> None:
        """Void it."""
        await self._handle_signal("void", InvoiceSignal, given, self._void_signalled)

    # Decisions: what a command does to the state that holds when its turn comes ---------------------------------------

    def _note_look(self, _signal: InvoiceSignal) -> None:
        self._news += 1
        self._stale, self._follow_at = True, None

    def _charge(self, actor: Actor) -> Decision:
        return lambda held, now: rules.charge_requested(held, self._standing, now, actor=actor.qualified())

    def _charge_signalled(self, signal: InvoiceSignal) -> Decision:
        return self._addressed("charge", signal, self._charge(sender(signal)))

    def _resume_signalled(self, signal: InvoiceSignal) -> Decision:
        actor = sender(signal).qualified()
        return self._addressed(
            "resume", signal, lambda held, now: rules.resumed(held, self._standing, now, actor=actor)
        )

    def _give_up_signalled(self, signal: InvoiceSignal) -> Decision:
        actor, reason = sender(signal).qualified(), reason_of(signal.reason)
        return self._addressed(
            "give_up", signal, lambda held, _now: rules.given_up(held, self._standing, actor=actor, reason=reason)
        )

    def _void_signalled(self, signal: InvoiceSignal) -> Decision:
        actor, reason = sender(signal).qualified(), reason_of(signal.reason)
        return self._addressed(
            "void", signal, lambda held, _now: rules.voided(held, self._standing, actor=actor, reason=reason)
        )

    async def _decide_command(self, command_id: str, decide: Decision, actor: Actor | None) -> None:
        """Decide a command on the invoice as it is now, not as it was read before."""
        if not self._state.has_done(command_id):
            await self._read("read the invoice")
        await self._apply(command_id, decide, actor)

    # The books --------------------------------------------------------------------------------------------------------

    async def _loaded(self, why: str, *, follow: bool = False) -> LoadedCollection:
        news = self._news
        loaded = await workflow.execute_local_activity_method(
            InvoiceActivities.load,
            LoadCollection(invoice_id=self._start.invoice_id, follow=follow),
            **local_activity(why),
        )
        # A signal that came during the read may not be included in it.
        self._standing, self._processing, self._stale = loaded.standing, loaded.processing, self._news != news
        return loaded

    async def _load(self, why: str) -> Collection:
        return (await self._loaded(why)).collection

    async def _read(self, why: str) -> None:
        """Read the invoice's balance, and adopt the books' state if it is later."""
        loaded = await self._loaded(why)
        if loaded.collection.version > self._state.version:
            self._adopt(loaded.collection)

    async def _write_next(
        self,
        event: Transition,
        command_id: str,
        actor: Actor | None,
        content: str | None = None,  # noqa: ARG002 - receipts alone tell commands apart
    ) -> bool:
        following = rules.with_receipt(event, command_id)
        message = RecordCollection(
            outcome=following,
            command_id=command_id,
            actor=actor,
            at=workflow.now(),
            decided_from=self._decided_from(),
            standing=self._standing,
        )
        before = self._state.status.value
        recorded = await workflow.execute_local_activity_method(
            InvoiceActivities.record,
            message,
            **local_activity(f"{following.event}: {before} → {event.collection.status}"),
        )
        if recorded.standing is not None:
            self._standing = recorded.standing
        self._written(recorded, following.collection)
        return recorded.applied

    # Steps of the run -------------------------------------------------------------------------------------------------

    async def _advance(self) -> None:
        """Take the next step, or wait for its time, for news or for a command."""
        if not self._follow_refreshes():
            await self._turn(self._refresh)
        item = self._next()
        if item is Step.FOLLOW:
            # Outside of the lock: no command changes an invoice whose payment is in progress, and providers may be
            # slow.
            await self._follow()
        elif isinstance(item, Step):
            await self._turn(self._take_step)
        elif isinstance(item, Wait) and not self._stale:
            await self._wait(item)

    def _next(self) -> Step | Wait | None:
        processing = self._processing is not None
        return agenda(self._state, self._standing, workflow.now(), follow_at=self._follow_at, processing=processing)

    def _is_ordered(self) -> bool:
        held = self._state
        return held.status is not CollectionStatus.CHARGING or self._ordered == held.payment_id

    def _follow_refreshes(self) -> bool:
        """Return whether the next poll of the payment also refreshes the invoice."""
        return self._stale and self._is_ordered() and self._next() is Step.FOLLOW

    async def _refresh(self) -> None:
        if self._stale:
            await self._read("read the invoice")

    async def _take_step(self) -> None:
        item, now = self._next(), workflow.now()
        if not isinstance(item, Step) or item is Step.FOLLOW:
            return
        outcome = self._decide(item, now)
        await self._write_next(outcome, f"workflow:{outcome.event}:{self._state.version}", None)

    def _decide(self, step: Step, now: datetime) -> Transition:
        held, standing = self._state, self._standing
        match step:
            case Step.PUT_OFF:
                assert self._processing is not None
                return rules.postponed(held, now, payment_id=self._processing)
            case Step.END:
                return rules.ended(held, standing)
            case Step.PAUSE:
                return rules.paused(held, standing)
            case Step.RESUME:
                return rules.resumed(held, standing, now, actor=WORKFLOW)
            case Step.ANNOUNCE:
                return rules.announced(held)
            case Step.REMIND:
                return rules.reminded(held, now)
            case Step.GIVE_UP:
                return rules.given_up(held, standing, actor=WORKFLOW)
            case _:
                self._looks, self._follow_at = 0, None
                self._begun = _payment_id(held, held.attempts + 1)
                return rules.charging(held, now, payment_id=self._begun)

    async def _follow(self) -> None:
        """Order the attempt's payment, or read its result."""
        held, loaded = self._state, None
        if not self._is_ordered() and self._begun != held.payment_id:
            # An earlier run has ordered it, unless it was lost before.
            loaded = await self._outcome(held)
            self._begun = held.payment_id
            self._ordered = None if loaded.verdict is None else held.payment_id
        if not self._is_ordered():
            ordered = await self._order(held, held.payment_id or "", page=False)
            other = ordered.waits_for
            if other is not None:
                await self._follow_up(held, lambda known, now: rules.postponed(known, now, payment_id=other))
                return
            if ordered.refused is not None:
                code, detail = ordered.refused, ordered.detail or ""
                await self._follow_up(held, lambda known, now: rules.not_charged(known, now, code=code, detail=detail))
                return
            self._ordered = held.payment_id
            self._postpone_poll()
            return
        loaded = loaded or await self._outcome(held)
        if loaded.collection.version > self._state.version:
            self._stale = True
            await self._turn(self._refresh)
            return
        seen = loaded.verdict
        if seen is None and self._looks >= rules.REORDER_AFTER_POLLS:
            # Its run was lost before the payment began; ordering again is idempotent.
            self._ordered = None
        verdict = seen or ChargeResult(became=ChargeOutcome.OPEN, goes_on=True)
        if verdict.became is ChargeOutcome.NEEDS_PAYER and held.status is CollectionStatus.CHARGING:
            await self._ask_payer(held, verdict)
        elif verdict.goes_on:
            self._postpone_poll()
        else:
            await self._follow_up(held, lambda known, now: rules.payment_ended(known, self._standing, verdict, now))

    async def _outcome(self, held: Collection) -> LoadedCollection:
        return await self._loaded(f"read the outcome of {held.payment_id}", follow=True)

    async def _ask_payer(self, held: Collection, verdict: ChargeResult) -> None:
        """Mail the payer a page where the payment, or one in its place, can be completed."""
        payment_id, link = held.payment_id or "", verdict.link
        if link is None:
            page = await self._order(held, _payment_id(held, held.attempts, page=True), page=True)
            if page.refused is None and page.payment_id is None:
                self._postpone_poll()
                return
            if page.refused is not None or page.payment_id is None:
                # No page can be sent here, so the attempt is recorded as not paid.
                code, detail = verdict.code or "", f"{verdict.detail} {page.detail}"
                await self._follow_up(
                    held, lambda known, now: rules.unanswered(known, now, code=code, detail=detail, mails_payer=True)
                )
                return
            payment_id, link = page.payment_id, page.link
        await self._follow_up(
            held,
            lambda known, now: rules.needs_payer(
                known, now, payment_id=payment_id, code=verdict.code or "", detail=verdict.detail or "", link=link
            ),
        )

    async def _order(self, held: Collection, payment_id: str, *, page: bool) -> OrderedCharge:
        what = "request a payment page" if page else "charge the stored method"
        return await workflow.execute_activity_method(
            InvoiceActivities.order,
            OrderCharge(collection=held, payment_id=payment_id, page=page, at=workflow.now()),
            # Longer than the activity waits for the payment; the payment's own run retries its provider.
            **regular_activity(f"{what}: attempt {held.attempts}, {payment_id}", timeout=3 * PAYMENT_TIMEOUT),
        )

    async def _follow_up(self, held: Collection, decide: Decision) -> None:
        """Record the result of a charge on the present state: others may have written meanwhile."""

        async def write() -> None:
            known = self._state
            if (known.status, known.payment_id) != (held.status, held.payment_id):
                return
            outcome = decide(known, workflow.now())
            await self._write_next(outcome, f"workflow:{outcome.event}:{known.version}", None)
            self._looks, self._follow_at = 0, None

        await self._turn(write)

    def _postpone_poll(self) -> None:
        """Postpone the next poll, unless there was news since the last one."""
        if not self._stale:
            self._follow_at = rules.next_poll_at(workflow.now(), self._looks)
            self._looks += 1

    async def _wait(self, wait: Wait) -> None:
        known, news = self._state.version, self._news
        with suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._state.version != known or self._news != news or self._should_continue_as_new(),
                timeout=wait.until - workflow.now(),
                timeout_summary=f"{self._state.status.value}: {wait.why}",
            )
        self._stale = True

    def _has_ended(self) -> bool:
        return self._state.version > 0 and not self._stale and self._next() is None

    # Hooks of the base class ------------------------------------------------------------------------------------------

    def _shown(self) -> str:
        return details(self._state, self._standing)

    def _signal_target(self, held: Collection) -> SignalTarget:
        return SignalTarget(kind="invoice", id=held.invoice_id, state=held.status.value, asks_for_name=True)

    def _result(self) -> InvoiceResult:
        state = self._state
        return InvoiceResult(invoice_id=state.invoice_id, status=state.status.value, version=state.version)

    async def _grant(self, command_id: str, wish: Decision, actor: Actor) -> None:
        await self._decide_command(command_id, wish, actor)

    def _noting(self, note: dict[str, object], actor: Actor) -> Decision:
        return lambda held, _now: Transition(
            collection=held, event="command_refused", actor=actor.qualified(), details=note
        )

    async def _cancel_requested(self) -> None:
        def refuse(held: Collection, _now: datetime) -> Transition:
            raise WrongInvoiceState(
                "A cancellation does not end an invoice. Signal give_up or void.", extra={"state": held.status.value}
            )

        await self._carry_out("cancel", InvoiceSignal(), refuse, "cancellation")


def _payment_id(held: Collection, attempt: int, *, page: bool = False) -> str:
    unix_ms = int(held.next_at.timestamp() * 1000)
    return invoice_payment_id(held.invoice_id, attempt, unix_ms=unix_ms, page=page)
