"""The activities of `InvoiceWorkflow`: they write the events of an invoice's collection, and create its payments."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError

from activities.books.books import BooksRefused, RefusalAlert, alerted_retry, is_next, require_local
from activities.common.seals import REFUSED, Seals
from contracts.billing.invoice import (
    LoadCollection,
    LoadedCollection,
    OrderCharge,
    OrderedCharge,
    RecordCollection,
    RecordedCollection,
)
from contracts.escrow.escrow import Declined
from contracts.payments.payment import CancelPayment, CreatePaymentCommand, PaymentCommandResult, PaymentInput
from contracts.runs import Run, payment_run
from domain.billing.invoice.collection import (
    FINAL,
    RECEIPT_WINDOW,
    UNDER_WAY,
    Collection,
    CollectionStatus,
    InvoiceDue,
    Pause,
)
from domain.common.access import Actor, Role
from domain.common.errors import DomainError, PaymentNoMethod, WrongInvoiceState
from domain.common.ids import invoice_charge_command_id, invoice_event_mail_key, invoice_mail_key
from domain.common.mail import MailKind
from domain.common.money import COINS, format_amount
from domain.messages.alert.rules import FAILED_PAYMENT
from domain.payments.dunning import STUCK_ALERT, cancels_own_payments, charge_result, stuck_after
from domain.payments.payment.commands import is_under_way
from domain.payments.payment.options import STRIPE, Options
from domain.payments.payment.pricing import Order
from domain.payments.payment.purposes import rules_for
from domain.payments.payment.purposes.invoice import PayableInvoice
from domain.payments.payment.state import AWAITING, Payment
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from models.billing.invoice import InvoiceRow
from repositories.billing import invoice, invoice_collection as collections
from repositories.messages import alert
from repositories.payments import customer as customers, payment, payment_command
from repositories.tenants import audit
from runtime import reach
from runtime.database import Database
from runtime.identity import new_id
from runtime.interceptors import domain_error_from
from services.billing import invoice as invoices, invoice_end
from services.billing.invoice_collection import require_not_requested
from services.credits.credit_lot import ManualGrantRules
from services.messages import mail
from services.messages.alert_evaluation import raise_built_in
from services.payments.payment_method import default_method
from services.payments.payment_refresh import refresh_unpaid
from services.payments.payment_terms import TermsMaker

#: The principal of the payments.
PRINCIPAL = "invoice-collection"
#: How long to wait for the provider's response before the payment is ordered again.
PAYMENT_TIMEOUT = timedelta(seconds=20)
#: Events other than payments after which nothing is due on the invoice.
ENDING_EVENTS = frozenset({"given_up", "voided"})
#: The alert that asks an operator to decide.
WAITS_FOR_OPERATOR = "invoice.waits_for_operator"


class _Refused(Exception):
    """The books refuse a person's command: the transaction rolls back, and the refusal is the result."""

    def __init__(self, refusal: DomainError) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class InvoiceActivities:
    """The activities of `InvoiceWorkflow` on the books and on payments."""

    def __init__(
        self,
        database: Database,
        client: Client,
        terms: TermsMaker,
        *,
        by_hand: ManualGrantRules | None = None,
        sealed_signals: bool = False,
        console: str | None = None,
    ) -> None:
        """Take the database, with the platform's role, the Temporal client and the maker of terms.

        Above the limit of `by_hand`, voiding and giving up take two operators. `console` is the console's address:
        payers return to their invoice there, unless the payment rules name another page.
        """
        self._console = console
        self._database, self._by_hand = database, by_hand
        self._client = client
        self._terms = terms
        self._seals = Seals("invoice", required=sealed_signals)

    @activity.defn(name="record_collection")
    async def record(self, message: RecordCollection) -> RecordedCollection:
        """Write one event, or return the state that the books hold instead; with the invoice's balance.

        Effect: the row, a row of the timeline, the change of the invoice, a mail, an alert. Then a signal to each
            unpaid payment of an invoice that has ended.
        Idempotent by: the event's number and the command's id, both unique for the invoice, under the locks of both
            rows; a mail by its key.
        Fails with: nothing that is final; an event that the books refuse is retried, and an operator is alerted.
        """
        require_local()
        held, books = message.outcome.collection, self._database
        refusal = RefusalAlert(books, "invoice", held.invoice_id, message.outcome.event, held.version, held.org_id)
        try:
            async with alerted_retry(refusal), self._database.platform() as session:
                recorded = await self._write(session, message)
        except _Refused as refused:
            return RecordedCollection(applied=False, declined=Declined.of(refused.refusal))
        if message.outcome.event in ENDING_EVENTS:
            await refresh_unpaid(self._database, self._client, held.org_id, {"invoice_id": held.invoice_id})
        return recorded

    @activity.defn(name="load_collection")
    async def load(self, message: LoadCollection) -> LoadedCollection:
        """Return the state that the books hold, and the outcome of the payment in progress."""
        async with self._database.platform() as session:
            row = await collections.get(session, message.invoice_id)
            if row is None:
                raise BooksRefused(
                    f"The books do not collect {message.invoice_id}. Check whether they were restored from a backup."
                )
            held = collections.state_of(row)
            verdict = None
            if message.follow and held.status in UNDER_WAY and held.payment_id is not None:
                made = await _payment(session, held.payment_id)
                verdict = None if made is None else charge_result(made)
            # After the payment, so that its amount is included.
            standing = collections.standing_of(await invoice.get(session, message.invoice_id))
            own = None
            if standing.is_open:
                ours = held.payment_id if held.status in UNDER_WAY else None
                own = await payment.processing_of_invoice(session, held.org_id, held.invoice_id, besides=ours)
            return LoadedCollection(collection=held, standing=standing, verdict=verdict, processing=own)

    @activity.defn(name="order_charge")
    async def order(self, message: OrderCharge) -> OrderedCharge:
        """Create the payment of an attempt; with `page`, wait for the provider's page.

        Effect: one payment, with its own run. With `page`, the attempt's first payment is cancelled before. A payment
            that the organization made itself is waited for; after a day it is cancelled if it is unpaid.
        Idempotent by: the command id, of the invoice and the attempt. The terms are stored under it before the payment
            starts.
        Fails with: an outage of Temporal, the provider or the books, which is retried.
        """
        held = message.collection
        command_id = invoice_charge_command_id(held.invoice_id, held.attempts, page=message.page)
        async with self._database.platform() as session:
            terms = await payment_command.find_terms(session, command_id)
            begun = terms is not None and await payment.get(session, terms.payment_id) is not None
            others = [] if begun or message.page else await _others(session, held)
        if terms is None and message.page and not await self._ended_first(held):
            return OrderedCharge()
        for other in others:
            if not cancels_own_payments(held) or not await self._ended(held, other):
                return OrderedCharge(waits_for=other.terms.payment_id)
        try:
            if terms is None:
                terms = await self._noted(message, command_id)
            elif not begun and not message.page:
                # Another payment was under way when this one was to begin. It may have paid what this one is for.
                await self._require_due(held, terms)
        except DomainError as refusal:
            if refusal.retryable or refusal.status >= 500:
                raise
            return OrderedCharge(refused=refusal.error_code, detail=refusal.detail)
        if not message.page:
            # Not waited for: a hundred charges would take every slot, which their own payments need to call the
            # provider.
            await reach.start_missing(self._client, await self._run(terms, command_id), rpc_timeout=PAYMENT_TIMEOUT)
            return OrderedCharge(payment_id=terms.payment_id)
        try:
            await self._create(terms, command_id)
        except WorkflowUpdateFailedError as failed:
            why = domain_error_from(failed)
            if why is None or why.retryable:
                raise
            return OrderedCharge(refused=why.error_code, detail=why.detail)
        async with self._database.platform() as session:
            made = await _payment(session, terms.payment_id)
        link = None if made is None or made.action is None else made.action.redirect_url
        return OrderedCharge(payment_id=terms.payment_id, link=link)

    # Payments ---------------------------------------------------------------------------------------------------------

    async def _noted(self, message: OrderCharge, command_id: str) -> PaymentTerms:
        """Make the terms of a payment of the amount due, and store them; the first ones stored count."""
        held = message.collection
        async with self._database.platform() as session:
            row = await invoice.get(session, held.invoice_id)
            await require_not_requested(session, row)
            payable = _payable(row)
            customer = await customers.ref_of(session, held.org_id, STRIPE)
        if held.currency in COINS:
            raise PaymentNoMethod("An invoice in coins cannot be charged to a stored method.")
        rules, maker = self._terms.rules, self._terms
        back = rules.return_url
        if back is None and self._console is not None:
            back = f"{self._console}/{held.org_id}/invoices/{held.invoice_id}"
        if message.page:
            options = Options(hosted=True, return_url=back)
        else:
            method = await default_method(maker.providers, customer)
            options = Options(payment_method=method, off_session=True, return_url=back)
        purpose = rules_for(PurposeKind.INVOICE)
        charge = await maker.charged(
            purpose.price(Order(options=options, subject=payable), maker.market), now=message.at
        )
        buys = purpose.buys(Order(options=options, subject=payable), charge, maker.market)
        made = maker.make(held.org_id, options, charge, buys, purpose.describe(buys, payable), now=message.at)
        wanted = replace(made, payment_id=message.payment_id)
        async with self._database.platform() as session:
            # Under the lock, so that an invoice that ends or is reopened meanwhile is not charged.
            if _payable(await invoice.get(session, held.invoice_id, locked=True)) != payable:
                raise WrongInvoiceState("The invoice has changed.", extra={"state": "open"})
            return await payment_command.store_terms(session, command_id, sha256(command_id.encode()).digest(), wanted)

    async def _require_due(self, held: Collection, terms: PaymentTerms) -> None:
        async with self._database.platform() as session:
            payable = _payable(await invoice.get(session, held.invoice_id))
        if payable.due_minor != terms.purpose.goods_minor:
            raise WrongInvoiceState("The invoice has changed.", extra={"state": "open"})

    async def _ended_first(self, held: Collection) -> bool:
        """Cancel the attempt's first payment; False if it continues or was paid after all."""
        assert held.payment_id is not None
        async with self._database.platform() as session:
            made = await _payment(session, held.payment_id)
        return made is not None and await self._ended(held, made)

    async def _ended(self, held: Collection, made: Payment) -> bool:
        if made.status not in AWAITING:
            return not made.received_minor
        if is_under_way(made):
            return False  # a bank debit that has begun pays the invoice, and would be refunded if it was cancelled
        command_id = f"{invoice_charge_command_id(held.invoice_id, held.attempts)}:cancel"
        actor = _actor(held.org_id)
        try:
            ended = await reach.update(
                self._client,
                payment_run(PaymentInput(terms=made.terms, created_by=actor, command_id=command_id, resume=True)),
                "cancel",
                CancelPayment(command_id=command_id, actor=actor, spares_under_way=True),
                # A new id each time: what was refused while a call was in progress may succeed now.
                update_id=new_id("upd"),
                result_type=PaymentCommandResult,
                rpc_timeout=PAYMENT_TIMEOUT,
            )
        except WorkflowUpdateFailedError:
            return False
        return ended.status in {"cancelled", "failed", "expired"}

    async def _create(self, terms: PaymentTerms, command_id: str) -> None:
        """Start the payment's run. The outcome is read from the books, not from the run's answer."""
        await reach.update(
            self._client,
            await self._run(terms, command_id),
            "create",
            CreatePaymentCommand(command_id=command_id, actor=_actor(terms.org_id)),
            # A new id each time: the server would return the result of a run whose books were lost in a restore.
            update_id=new_id("upd"),
            result_type=PaymentCommandResult,
            rpc_timeout=PAYMENT_TIMEOUT,
        )

    async def _run(self, terms: PaymentTerms, command_id: str) -> Run:
        async with self._database.platform() as session:
            row = await payment.get(session, terms.payment_id)
        start = PaymentInput(
            terms=terms, created_by=_actor(terms.org_id), command_id=command_id, resume=row is not None
        )
        return payment_run(start)

    # The books --------------------------------------------------------------------------------------------------------

    async def _write(self, session: AsyncSession, message: RecordCollection) -> RecordedCollection:
        outcome, after = message.outcome, message.outcome.collection
        unsealed = None if outcome.event == REFUSED else self._seals.declined(message.actor)
        if unsealed is not None:
            return RecordedCollection(applied=False, declined=unsealed)
        held = await collections.lock(session, after.invoice_id)
        if held is None:
            raise BooksRefused(f"The books do not collect {after.invoice_id}. Collections begin with the invoice.")
        row = await invoice.get(session, after.invoice_id, locked=True)
        standing = collections.standing_of(row)
        if held.has_done(message.command_id):
            return RecordedCollection(applied=True, stored=held, standing=standing)
        if not is_next(held, after.version, message.decided_from, after.invoice_id) or standing != message.standing:
            return RecordedCollection(applied=False, stored=held, standing=standing)
        if await collections.has_done(session, after.invoice_id, message.command_id):
            # An old command, which only the timeline remembers.
            remembered = (*held.receipts, message.command_id)[-RECEIPT_WINDOW:]
            return RecordedCollection(applied=False, stored=replace(held, receipts=remembered), standing=standing)
        await _queue_mail(session, row, standing, message)
        try:
            await self._effect(session, message)
        except DomainError as refusal:
            if message.actor is None or refusal.retryable or refusal.status >= 500:
                raise
            raise _Refused(refusal) from refusal
        await collections.write(session, outcome, command_id=message.command_id, at=message.at)
        await self._notify(session, held, message)
        return RecordedCollection(applied=True, stored=after, standing=collections.standing_of(row))

    async def _effect(self, session: AsyncSession, message: RecordCollection) -> None:
        outcome, after = message.outcome, message.outcome.collection
        key = f"invoice:{after.invoice_id}:event:{after.version}"
        actor = message.actor or Actor(principal=PRINCIPAL, role=Role.OPERATOR)
        # The run gives up by its plan; a signal is from one operator only.
        by_plan = message.actor is None
        by_hand = None if by_plan else self._by_hand
        match outcome.event:
            case "given_up":
                await invoice_end.mark_uncollectible(
                    session, actor, after.invoice_id, key, message.at, by_hand=by_hand, by_plan=by_plan
                )
            case "voided":
                await invoice_end.void(session, actor, after.invoice_id, key, message.at, by_hand=by_hand)
            case "resumed" | "charge_requested":
                await invoice_end.resume(session, actor, after.invoice_id, message.at)

    async def _notify(self, session: AsyncSession, held: Collection, message: RecordCollection) -> None:
        outcome, after = message.outcome, message.outcome.collection
        if message.actor is not None and outcome.event in {"charge_requested", REFUSED}:
            await audit.record(
                session, message.actor, f"invoice.{outcome.event}", after.invoice_id, outcome.details, after.org_id
            )
        await alert.close_cases(session, after.invoice_id, ("invoice.books_refused",))
        await self._alert_failure(session, message)
        was, waits = held.status is CollectionStatus.PAUSED, after.status is CollectionStatus.PAUSED
        if waits and (not was or held.paused_for is not after.paused_for):
            reason = after.paused_for or Pause.UNANSWERED
            await alert.raise_alert(
                session,
                kind=WAITS_FOR_OPERATOR,
                subject=after.invoice_id,
                detail=f"Invoice {after.number} is due and not collected by itself ({reason.value}). Decide.",
                org_id=after.org_id,
                key=f"{WAITS_FOR_OPERATOR}:{after.invoice_id}:{after.version}",
            )
        if was and not waits:
            await alert.close_cases(session, after.invoice_id, (WAITS_FOR_OPERATOR,))
        if held.next_at + stuck_after(held.status) < message.at:
            await alert.close_cases(session, after.invoice_id, (STUCK_ALERT,))

    async def _alert_failure(self, session: AsyncSession, message: RecordCollection) -> None:
        """Alert of a failed charge and its next try; resolved by the next charge, or when the invoice ends."""
        outcome, after = message.outcome, message.outcome.collection
        failed = outcome.event in {"declined", "not_charged", "requires_action"}
        if failed or outcome.event == "received" or after.status in FINAL:
            await alert.close_cases(session, after.invoice_id, (FAILED_PAYMENT,))
        if not failed:
            return
        if outcome.event == "requires_action":
            then = "Its payer has to confirm the charge, and was sent a link."
        elif after.charges:
            then = f"The next try is at {after.next_at:%Y-%m-%d %H:%M} UTC."
        else:
            then = "It is not tried again by itself. Pay it."
        await raise_built_in(
            session,
            FAILED_PAYMENT,
            subject=after.invoice_id,
            detail=f"Invoice {after.number} could not be charged ({after.failure_code or outcome.event}). {then}",
            window=str(after.version),
            org_id=after.org_id,
        )


async def _payment(session: AsyncSession, payment_id: str) -> Payment | None:
    row = await payment.get(session, payment_id)
    return None if row is None else payment.state_of(row)


async def _others(session: AsyncSession, held: Collection) -> list[Payment]:
    rows = await payment.under_way_of_invoice(session, held.org_id, held.invoice_id)
    others = [payment.state_of(row) for row in rows if row.id != held.payment_id]
    # What comes for a payment that is to be cancelled is returned.
    return [other for other in others if not other.cancel_requested]


def _payable(row: InvoiceRow) -> PayableInvoice:
    """Return the amount to charge of an invoice.

    Raises:
        WrongInvoiceState: nothing is due.
    """
    standing = collections.standing_of(row)
    if not standing.is_open or standing.paused_for is not None:
        raise WrongInvoiceState(f"This invoice is {row.status}, or paused.", extra={"state": row.status})
    return PayableInvoice(
        invoice_id=row.id, number=row.number or row.id, due_minor=standing.due_minor, currency=row.currency
    )


async def _queue_mail(session: AsyncSession, row: InvoiceRow, standing: InvoiceDue, message: RecordCollection) -> None:
    """Queue the mail of an event, with the amount due before the event."""
    if message.outcome.mail is None or not standing.is_open:
        return
    kind = message.outcome.mail
    issued = kind is MailKind.INVOICE_ISSUED
    data = {
        "number": row.number or row.id,
        "amount": format_amount(standing.due_minor, row.currency),
        "currency": row.currency,
    }
    days = {
        MailKind.INVOICE_ISSUED: ("due_on", row.due_at),
        MailKind.INVOICE_OVERDUE: ("due_on", row.due_at),
        MailKind.PAYMENT_FAILED: ("next_try_on", message.outcome.collection.next_at),
    }
    if kind in days:
        name, at = days[kind]
        data[name] = at.astimezone(await invoices.time_zone_of(session, row)).date().isoformat()
    if message.outcome.link is not None:
        data["link"] = message.outcome.link
    key = invoice_mail_key(row.id) if issued else invoice_event_mail_key(row.id, message.outcome.collection.version)
    await mail.queue(session, key=key, org_id=row.org_id, kind=kind, data=data)


def _actor(org_id: str) -> Actor:
    return Actor(principal=PRINCIPAL, role=Role.OWNER, org_id=org_id)
