"""The `PurposeBooks` of each purpose of a payment, in one table."""

from collections.abc import Mapping

from domain.payments.payment.terms import PurposeKind
from services.payments.purposes.base import PurposeBooks, WithoutSubject
from services.payments.purposes.escrow import EscrowBooks
from services.payments.purposes.invoice import InvoiceBooks
from services.payments.purposes.purchase import PurchaseBooks

BOOKS: Mapping[PurposeKind, PurposeBooks] = {
    PurposeKind.CREDITS: WithoutSubject(),
    PurposeKind.ESCROW: EscrowBooks(),
    PurposeKind.INVOICE: InvoiceBooks(),
    PurposeKind.SLOT: WithoutSubject(),
    PurposeKind.BALANCE: WithoutSubject(),
    PurposeKind.PURCHASE: PurchaseBooks(),
}
