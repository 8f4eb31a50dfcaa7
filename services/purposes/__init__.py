"""The `PurposeBooks` of each purpose of a payment, in one table."""

from collections.abc import Mapping

from domain.payment.terms import PurposeKind
from services.purposes.base import Alone, PurposeBooks
from services.purposes.escrow import EscrowBooks
from services.purposes.invoice import InvoiceBooks
from services.purposes.purchase import PurchaseBooks

BOOKS: Mapping[PurposeKind, PurposeBooks] = {
    PurposeKind.CREDITS: Alone(),
    PurposeKind.ESCROW: EscrowBooks(),
    PurposeKind.INVOICE: InvoiceBooks(),
    PurposeKind.SLOT: Alone(),
    PurposeKind.BALANCE: Alone(),
    PurposeKind.PURCHASE: PurchaseBooks(),
}
