"""Writes the tax documents of sales that are taxed when they are paid.

There is one for each movement of a payment's money. The purchase of an agent has one for its sale, and one for each
refund, chargeback or reversal of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.invoice.series import DocumentType, entity_of, number_text, series_of
from domain.common.mail import MailKind
from domain.common.money import format_amount
from domain.payments.payment.terms import PaymentTerms
from models.billing.tax_receipt import TaxReceipt
from repositories.billing import invoice, tax_receipt
from repositories.messages import alert
from runtime.identity import new_id
from services.billing.invoice_finalise import UNPROVEN
from services.messages import mail

_MAILS = {DocumentType.RECEIPT: MailKind.RECEIPT_ISSUED, DocumentType.RECEIPT_NOTE: MailKind.RECEIPT_NOTE_ISSUED}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxedMovement:
    """Money received or refunded for a sale, with its tax and its transfer. Amounts are minor units.

    Attributes:
        key: unique within its payment: the provider's key of the movement, or the event of the sale.
        gross_minor: negative for refunds.
        tax_minor: the tax in it.
    """

    key: str
    gross_minor: int
    tax_minor: int
    transfer_id: UUID
    at: datetime


async def issue(
    session: AsyncSession, terms: PaymentTerms, movements: Sequence[TaxedMovement], entity: str | None
) -> None:
    """Number and write a tax document for each movement of a taxed payment, and queue its mail.

    Call it last in a transaction: taking a number blocks other transactions that need one.

    Args:
        session: of the platform, in the transaction that posted the movements.
        terms: of the payment; an untaxed one has no such document.
        movements: in the order of booking.
        entity: the code of the default legal entity, for organizations without an assigned one.
    """
    tax = terms.tax
    if tax is None or not movements:
        return
    # The legal entity and the buyer are those for which the tax was computed, even if the assignment or the profile has
    # changed since.
    party = dict(tax.party) or None
    # The entity that issued the receipt of a sale issues its credit notes too.
    earlier = await tax_receipt.of_payment(session, terms.payment_id)
    entity = entity_of(earlier[0].series) if earlier else tax.entity or entity
    if not tax.is_proven:
        await alert.raise_alert(
            session,
            kind=UNPROVEN,
            subject=terms.payment_id,
            org_id=terms.org_id,
            detail="A sale was taxed without two pieces of evidence for the country of the organization.",
        )
    # Receipts first: two transactions must not take numbers of the two series in different orders.
    for each in sorted(movements, key=lambda each: each.gross_minor < 0):
        gross, tax_minor = each.gross_minor, each.tax_minor
        document = DocumentType.RECEIPT if gross > 0 else DocumentType.RECEIPT_NOTE
        series = series_of(document, entity)
        row = TaxReceipt(
            id=new_id("rcp"),
            org_id=terms.org_id,
            payment_id=terms.payment_id,
            movement=each.key,
            number=number_text(await invoice.next_number(session, series), series),
            series=series,
            currency=terms.currency,
            gross_minor=gross,
            net_minor=gross - tax_minor,
            tax_minor=tax_minor,
            tax_code=tax.code,
            category=tax.category.value,
            rate_e6=tax.rate_e6,
            party=party,
            transfer_id=each.transfer_id,
            issued_at=each.at,
        )
        await tax_receipt.add(session, row)
        await mail.queue(
            session,
            key=f"receipt:{row.id}",
            org_id=row.org_id,
            kind=_MAILS[document],
            data={"number": row.number, "amount": format_amount(abs(gross), row.currency), "currency": row.currency},
        )
