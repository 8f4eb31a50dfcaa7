"""An invoice in the transaction of a payment: which one can be paid, and the part that it has in what moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payment import PaymentEvent
from domain.access import Actor
from domain.accounts import Account
from domain.invoice.state import InvoiceBalance, PausedFor, changed, require_payable
from domain.payment import booking, invoicing
from domain.payment.purposes.invoice import Payable
from domain.payment.state import PaymentPosting, PaymentPostingKind
from domain.payment.terms import PaymentTerms
from ledger.gateway import Ledger
from repositories import invoice
from services import credit_note
from services.purposes.base import Alone


@dataclass(slots=True)
class InvoiceShare:
    """The part that an invoice has in an event's moves; `now` is how it stands after those that were shared out."""

    invoice_id: str
    before: InvoiceBalance
    now: InvoiceBalance

    def takes_part_in(self, move: PaymentPosting) -> bool:
        """Tell whether the move can pay the invoice, or take from it."""
        return move.kind in invoicing.KINDS

    async def share(
        self, ledger: Ledger, event: PaymentEvent, move: PaymentPosting
    ) -> tuple[PaymentPosting, list[booking.Transfer]]:
        """Move the invoice's part; returns what is left to be moved.

        Raises:
            WrongInvoiceState: the event pays an invoice on which nothing is due any more.
        """
        terms = event.payment.terms
        if event.event == "invoice_paid":
            require_payable(self.now)
        available = (await ledger.balance(booking.wallet(terms))).available_minor
        split = invoicing.split(event.payment, move, self.now, available_minor=available)
        rest, part = replace(move, amount_minor=split.other_minor), split.invoice_minor
        pays = move.kind is PaymentPostingKind.RELEASE
        self.now = changed(self.now, part if pays else -part)
        return rest, (booking.paid_on_invoice if pays else booking.taken_from_invoice)(terms, part)

    async def write(self, session: AsyncSession, event: PaymentEvent, transfer_id: UUID | None) -> None:  # noqa: ARG002
        """Write how the invoice stands, where that has changed; credit it with a refund that asks for that."""
        if self.now != self.before:
            terms = event.payment.terms
            reopened = None
            if self.now.paid_minor < self.before.paid_minor:
                reopened = PausedFor.CHARGEBACK if event.event.startswith("dispute") else PausedFor.REFUND
            await invoice.write_standing(
                session, self.invoice_id, terms.payment_id, terms.org_id, self.now, event.at, reopened_by=reopened
            )
            if event.details.get("credit_note") and reopened is not None:
                assert event.actor_detail is not None
                await credit_note.issue(
                    session,
                    event.actor_detail,
                    self.invoice_id,
                    amount_minor=self.before.paid_minor - self.now.paid_minor,
                    reason=str(event.details["reason"]),
                    command_id=str(event.details["refund_id"]),
                    now=event.at,
                )


class InvoiceBooks(Alone):
    """What is due on one invoice."""

    shares = True

    async def subject(self, session: AsyncSession, actor: Actor, named: object) -> Payable:  # noqa: ARG002
        """Return an invoice of the actor's organization on which something is due.

        Raises:
            NotFound: there is none that the actor sees.
            Conflict: `invoice.wrong_state`, nothing is due.
        """
        row = await invoice.get(session, str(named))
        due = require_payable(invoice.standing_of(row))
        return Payable(invoice_id=row.id, number=row.number or row.id, due_minor=due, currency=row.currency)

    async def share(self, session: AsyncSession, event: PaymentEvent) -> InvoiceShare | None:
        """Lock the invoice that the event can change."""
        terms = event.payment.terms
        if terms.purpose.invoice_id is None or not any(move.kind in invoicing.KINDS for move in event.moves):
            return None
        standing = await invoice.lock_standing(session, terms.purpose.invoice_id, terms.payment_id)
        return InvoiceShare(invoice_id=terms.purpose.invoice_id, before=standing, now=standing)

    def shared_accounts(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[Account]:
        """Return what the organization has been invoiced."""
        return [booking.receivable(terms)] if move.kind in invoicing.KINDS else []
