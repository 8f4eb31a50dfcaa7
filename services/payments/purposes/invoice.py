"""Database side of payments for invoices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.billing.invoice import InvoiceSignal
from contracts.payments.payment import PaymentEvent
from domain.billing.invoice import booking as invoice_booking
from domain.billing.invoice.booking import BookedPart, InvoicePosting
from domain.billing.invoice.state import (
    InvoiceBalance,
    InvoiceStatus,
    PausedFor,
    recoverable_minor,
    require_payable,
    with_payment,
    with_recovery,
)
from domain.common import accounts
from domain.common.access import Actor
from domain.common.accounts import Account
from domain.common.errors import ExceedsRemainder, RefundExceeds, WrongInvoiceState
from domain.common.ids import dispute_cause, invoice_workflow_id
from domain.common.money import CREDIT, format_amount, parse_amount
from domain.payments.dunning import ChargeOutcome, charge_result
from domain.payments.payment import booking, invoicing
from domain.payments.payment.purposes.invoice import PayableInvoice
from domain.payments.payment.state import Fulfilment, Payment, PaymentPosting, PaymentPostingKind
from domain.payments.payment.terms import PaymentTerms
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from models.billing.subscription import SubscriptionBill
from providers.payments.limits import round_to_refundable
from repositories.billing import invoice, invoice_line, subscription_bill
from services.billing import credit_note, invoice_collection, subscription_grant, subscription_refund
from services.billing.tax_receipt import TaxedMovement
from services.payments import payment_loss
from services.payments.purposes.base import WaitingRun, WithoutSubject, refuse_concurrent_payments

#: Event by which an operator returns money.
REFUND = "refund_requested"
LOST = subscription_bill.LOSSES
#: Other events of disputes.
DISPUTED = frozenset({"dispute_opened", "dispute_reopened", "dispute_won", "dispute_reinstated"})
#: Events by which a bank returns disputed money.
RETURNED = frozenset({"dispute_won", "dispute_returned_in_part", "dispute_reinstated"})
#: Events that bring money, which may pay the rest of an invoice.
PAYING = frozenset({"invoice_paid", "dispute_returned_in_part", "dispute_reinstated", "refund_failed"})
#: Events that change the credits of a subscription's bill.
OF_CREDITS = DISPUTED | LOST | PAYING | {REFUND}


@dataclass(slots=True)
class InvoiceShare:
    """An invoice's share of an event's postings.

    Attributes:
        now: the invoice balance after the postings shared so far.
        bill: the subscription's bill that the invoice is for, if the event is one `OF_CREDITS`.
        noted: the postings of a credit note for the whole invoice, if the event can issue one.
        loss: the account of the written-off amount, if there is one.
        beyond_minor: the amount that the event takes from the payment's surplus over the invoice.
    """

    invoice_id: str
    before: InvoiceBalance
    now: InvoiceBalance
    bill: SubscriptionBill | None = None
    noted: Sequence[InvoicePosting] = ()
    loss: Account | None = None
    beyond_minor: int = 0

    def takes_part_in(self, move: PaymentPosting) -> bool:
        """Return whether the posting can pay the invoice, or make it due again."""
        return move.kind in invoicing.INVOICE_POSTING_KINDS

    async def share(
        self, ledger: Ledger, event: PaymentEvent, move: PaymentPosting
    ) -> tuple[PaymentPosting, list[booking.AccountMovement]]:
        """Share the invoice's part of the posting.

        Raises:
            WrongInvoiceState: nothing is due any more on the invoice that the event pays.
        """
        terms, recoverable = event.payment.terms, self._recoverable_minor(event)
        if event.event == "invoice_paid" and not recoverable:
            require_payable(self.now)
        if self.bill is not None and event.event == REFUND and event.payment.fulfilment is Fulfilment.PENDING:
            raise WrongInvoiceState(
                "The payment has not paid its invoice yet. Repeat the refund in a moment.",
                extra={"state": self.now.status.value},
            )
        available = (await ledger.balance(booking.wallet(terms))).available_minor
        split = invoicing.split_posting(
            event.payment, move, self.now, available_minor=available, recoverable_minor=recoverable
        )
        rest, part = replace(move, amount_minor=split.other_minor), split.invoice_minor
        if move.kind is not PaymentPostingKind.RELEASE:
            self.now, self.beyond_minor = with_payment(self.now, -part), split.other_minor
            return rest, booking.taken_from_invoice(terms, part)
        due = min(part, self.now.due_minor)
        self.now = with_recovery(with_payment(self.now, due), part - due)
        paid = booking.paid_on_invoice(terms, due)
        return rest, [*paid, *booking.recovered_of_invoice(terms, part - due)]

    async def write(self, session: AsyncSession, event: PaymentEvent, transfer_id: UUID | None) -> None:  # noqa: ARG002
        """Write the invoice's balance, if it has changed; issue a credit note with a refund that requests one."""
        if self.now != self.before:
            terms = event.payment.terms
            reopened = None
            if self.now.paid_minor < self.before.paid_minor:
                reopened = PausedFor.CHARGEBACK if event.event.startswith("dispute") else PausedFor.REFUND
            await invoice.write_balance(
                session, self.invoice_id, terms.payment_id, terms.org_id, self.now, event.at, reopened_by=reopened
            )
            if self._is_credited(event) and reopened is not None:
                await self._credit(session, event)
        cause = dispute_cause(event.event, event.payment.terms.payment_id, event.payment.version)
        # If the invoice is still paid, another payment has paid all of it, and nothing is lost.
        if self.bill is not None and event.event in LOST and not self._is_paid_whole():
            await subscription_refund.claw_back(session, self.bill, cause=cause, now=event.at)
            await payment_loss.recover_lost_credits(session, event, self.bill, self.now)
        elif self.bill is not None and event.event != REFUND:
            await self._follow(session, event, self.bill, cause)

    async def _follow(self, session: AsyncSession, event: PaymentEvent, bill: SubscriptionBill, cause: str) -> None:
        """Hold or release a bill's credits, and grant those that lost disputes took once it is fully paid again.

        Credits of a written-off invoice are not granted again; money for them is returned.
        """
        if event.event in PAYING and self._is_paid_again():
            if bill.returned_minor:
                await subscription_refund.restore(session, bill, cause=cause, now=event.at)
            if event.event == "invoice_paid":
                await payment_loss.close_recovery_of_credits(session, event, bill)
        disputed = event.payment.is_disputed
        if event.event in DISPUTED | LOST:
            await subscription_refund.follow_dispute(session, bill, is_disputed=disputed, cause=cause, now=event.at)
        if not disputed and bill.left_out and self.now.status is InvoiceStatus.PAID:
            await subscription_grant.grant_omitted(session, event.actor, bill, event.payment, event.at)

    def taxed(self, event: PaymentEvent, transfer_id: UUID) -> Sequence[TaxedMovement]:  # noqa: ARG002
        """Return nothing: the invoice has the tax."""
        return ()

    def posts_to(self) -> Sequence[Account]:
        """Return the accounts of a credit note, subscription credits and write-off."""
        own = [] if self.bill is None else subscription_refund.touched_accounts(self.bill)
        own += () if self.loss is None else (self.loss,)
        return [*own, *(account for posting in self.noted for account in (posting.source, posting.destination))]

    def _is_paid_again(self) -> bool:
        """Return whether the event has paid the rest of the invoice, and no part was written off."""
        return self._is_paid_whole() and self.now.paid_minor > self.before.paid_minor

    def _is_paid_whole(self) -> bool:
        return self.now.status is InvoiceStatus.PAID and not self.now.written_off_minor

    def _recoverable_minor(self, event: PaymentEvent) -> int:
        """Return the written-off amount that the event's money pays: the price of what was used of the invoice.

        For a subscription's bill that is the price of its used credits. For any other invoice it is the whole amount,
        which only disputed money pays; other late money is returned.
        """
        if self.bill is not None:
            return recoverable_minor(self.now, subscription_refund.used_minor(self.bill))
        return self.now.written_off_minor if event.event in RETURNED else 0

    def _is_credited(self, event: PaymentEvent) -> bool:
        return bool(event.details.get("credit_note")) or (self.bill is not None and event.event == REFUND)

    async def _credit(self, session: AsyncSession, event: PaymentEvent) -> None:
        """Credit the invoice with the refunded amount.

        Raises:
            RefundExceeds: it exceeds the price of the unused credits of a subscription's period.
        """
        assert event.actor_detail is not None
        amount = self.before.paid_minor - self.now.paid_minor
        row = await invoice.get(session, self.invoice_id)
        if amount == self.now.due_minor and not (self.now.paid_minor + self.now.written_off_minor + row.prepaid_minor):
            amount += row.rounded_minor  # all that is left
        try:
            await credit_note.issue(
                session,
                event.actor_detail,
                self.invoice_id,
                amount_minor=amount,
                reason=str(event.details["reason"] or "Refund"),
                command_id=str(event.details["refund_id"]),
                now=event.at,
                restores=False,
            )
        except ExceedsRemainder as refusal:
            if self.bill is None:
                raise
            terms, currency = event.payment.terms, self.bill.currency
            remaining = parse_amount(str(refusal.extra["remaining"]), currency, zero=True) + self.beyond_minor
            left = format_amount(round_to_refundable(terms.provider, remaining, remaining, currency), currency)
            raise RefundExceeds(
                f"Credits of this period were used. Only {left} {currency} are left to refund.",
                extra={"refundable": left},
            ) from refusal


def _noted(row: InvoiceRow, parts: Sequence[BookedPart]) -> list[InvoicePosting]:
    back = invoice_booking.credit_return_postings(
        row.org_id,
        row.currency,
        granted_credits=row.granted_credits_minor,
        taxed_credits=row.taxed_credits_minor,
        credits=row.prepaid_credits_minor,
        prepaid_minor=row.prepaid_minor,
    )
    rounded = invoice_booking.rounding_postings(row.org_id, row.currency, row.rounded_minor, back=True)
    return [*invoice_booking.reversal_postings(row.org_id, row.currency, parts), *back, *rounded]


class InvoiceBooks(WithoutSubject):
    """Database side of paying an invoice."""

    shares = True

    async def subject(self, session: AsyncSession, actor: Actor, named: object) -> PayableInvoice:  # noqa: ARG002
        """Return an invoice of the actor's organization with an amount due."""
        row = await invoice.get(session, str(named))
        due = require_payable(invoice.balance_of(row))
        await invoice_collection.require_not_requested(session, row)
        return PayableInvoice(invoice_id=row.id, number=row.number or row.id, due_minor=due, currency=row.currency)

    async def begin(self, session: AsyncSession, terms: PaymentTerms) -> None:
        """Lock the invoice, and refuse a second payment under way.

        Raises:
            WrongInvoiceState: nothing is due any more.
        """
        invoice_id = terms.purpose.invoice_id
        assert invoice_id is not None
        require_payable(invoice.balance_of(await invoice.get(session, invoice_id, locked=True)))
        await refuse_concurrent_payments(session, terms.org_id, {"invoice_id": invoice_id}, besides=terms.payment_id)

    async def gone(self, session: AsyncSession, terms: PaymentTerms, now: datetime) -> str | None:  # noqa: ARG002
        """Return the status of an invoice that is not open; None for the payment of a subscription's bill."""
        invoice_id = terms.purpose.invoice_id
        assert invoice_id is not None
        status = InvoiceStatus((await invoice.get(session, invoice_id)).status)
        if status is InvoiceStatus.OPEN:
            return None
        mirror = await subscription_bill.mirror_of(session, invoice_id)
        return None if mirror is not None and mirror.id == terms.payment_id else f"the invoice is {status.value}"

    async def share(
        self,
        session: AsyncSession,
        event: PaymentEvent,
        hold_back: HoldBack,  # noqa: ARG002
    ) -> InvoiceShare | None:
        """Lock the invoice that the event can change."""
        terms = event.payment.terms
        invoice_id, of_credits = terms.purpose.invoice_id, event.event in OF_CREDITS
        if invoice_id is None or not (
            of_credits or any(move.kind in invoicing.INVOICE_POSTING_KINDS for move in event.moves)
        ):
            return None
        balance = await invoice.lock_balance(session, invoice_id, terms.payment_id)
        share = InvoiceShare(invoice_id=invoice_id, before=balance, now=balance)
        if balance.written_off_minor:
            share.loss = booking.bad_debt(terms)
        if of_credits:
            row = await invoice.get(session, invoice_id)
            parts = invoice_line.parts_of_row(row)
            if invoice_booking.is_of_subscription(parts):
                share.bill = await subscription_bill.bill_of_invoice(session, invoice_id)
            if share.bill is not None or event.details.get("credit_note"):
                share.noted = _noted(row, parts)
        return share

    def follower(self, stored: Payment) -> WaitingRun | None:
        """Return the collection's run, once the payment has an outcome."""
        invoice_id = stored.terms.purpose.invoice_id
        if invoice_id is None or charge_result(stored).became is ChargeOutcome.OPEN:
            return None
        return WaitingRun(invoice_workflow_id(invoice_id), "look", InvoiceSignal())

    def posts_again(self, event: PaymentEvent) -> bool:
        """Return whether the event can hold or claw back a subscription's credits, or credit the invoice."""
        return event.event in OF_CREDITS

    def pays_debts(self, event: PaymentEvent) -> Sequence[Account]:
        """Return the organization's debt in credits, if the event can grant credits that a dispute took."""
        of_credits = event.event in OF_CREDITS - {REFUND}
        return [accounts.org_debt(event.payment.terms.org_id, CREDIT)] if of_credits else []

    def shared_accounts(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[Account]:
        """Return the organization's receivable."""
        return [booking.receivable(terms)] if move.kind in invoicing.INVOICE_POSTING_KINDS else []
