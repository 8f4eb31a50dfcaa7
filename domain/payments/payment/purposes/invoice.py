"""An invoice: the books pay what is due of it when the money is there. It takes a part as well.

Until then the money waits on the payment's own account, and what is refunded or disputed goes from there; see
`domain/payments/payment/invoicing.py` for what becomes of the invoice after that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.common.access import Permission
from domain.common.errors import Conflict, InvoiceAmountMismatch, WrongInvoiceState
from domain.common.money import COINS, format_amount, parse_amount
from domain.payments.payment.entitlement import remaining_minor
from domain.payments.payment.options import CREDITS, CRYPTO, invalid
from domain.payments.payment.pricing import Charge, Market, Order, Price
from domain.payments.payment.purposes.base import BookFulfilment, CommonRules, Fulfil, Readiness, fulfilled_with
from domain.payments.payment.snapshot import DisputeStatus, ProviderStatus
from domain.payments.payment.state import Outcome, Payment, RefundState
from domain.payments.payment.terms import Purpose, PurposeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PayableInvoice:
    """An invoice that can be paid: what is due of it, in minor units."""

    invoice_id: str
    number: str
    due_minor: int
    currency: str


class InvoiceDue(CommonRules):
    """What is due on one invoice."""

    kind = PurposeKind.INVOICE
    named_by = "invoice_id"
    at_once = False
    # Whoever owes it does not take it back by themselves.
    refunded_with = Permission.OPERATE

    def price(self, order: Order, market: Market) -> Price:  # noqa: ARG002
        """Return all that is due. An amount that the request names must be that.

        Raises:
            Conflict: `invoice.amount_mismatch`.
        """
        invoice, options = _invoice(order), order.options
        due, due_in = invoice.due_minor, invoice.currency
        if options.provider == CREDITS:
            raise invalid("provider", "Credits cannot pay a price in money. Choose another provider.")
        other = options.asset not in {None, due_in} or (order.currency or due_in) != due_in
        if other or (options.provider == CRYPTO and due_in not in COINS):
            raise _mismatch(f"This invoice must be paid in {due_in}.")
        if order.amount is not None and parse_amount(order.amount, due_in) != due:
            shown = f"{format_amount(due, due_in)} {due_in}"
            raise _mismatch(f"The amount due on this invoice is {shown}. Give that amount, or leave amount out.")
        return Price(amount_minor=due, currency=due_in)

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:  # noqa: ARG002
        """Return what is due of the invoice."""
        invoice = _invoice(order)
        return Purpose(
            kind=self.kind, goods_asset=invoice.currency, goods_minor=invoice.due_minor, invoice_id=invoice.invoice_id
        )

    def readiness(self, payment: Payment) -> Readiness:
        """Wait for all of it, or for what the provider says is all; then a part that is left pays a part."""
        net, complete = payment.received_minor - payment.reversed_minor, ProviderStatus.SUCCEEDED
        if net < payment.terms.amount_minor and not (net > 0 and payment.provider_status is complete):
            return Readiness.SHORT
        if net - payment.refunded_minor - payment.disputed_minor > 0:
            return Readiness.READY
        refunded = sum(refund.amount_minor for refund in payment.refunds if refund.state is RefundState.SUCCEEDED)
        lost = sum(item.amount_minor for item in payment.disputes if item.status is DisputeStatus.LOST)
        return Readiness.WAITS if net - refunded - lost > 0 else Readiness.FAILED

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:  # noqa: ARG002
        """Pay the invoice; the books alone know whether anything is due at that moment."""
        return BookFulfilment(invoice_paid(payment, at=at), WrongInvoiceState.code)

    def held_minor(self, payment: Payment) -> int:
        """Return what is left after refunds, disputes and reversals."""
        return remaining_minor(payment)

    def is_refunded_when_gone(self, payment: Payment) -> bool:  # noqa: ARG002
        """Refund what came, whatever part it is."""
        return True

    def subject(self, purpose: Purpose) -> Mapping[str, str | None]:
        """Return the invoice's id."""
        return {"invoice_id": purpose.invoice_id}

    def describe(self, purpose: Purpose, subject: object = None) -> str:
        """Name the invoice's number, where it is known."""
        return f"Invoice {subject.number if isinstance(subject, PayableInvoice) else purpose.invoice_id}"


def invoice_paid(payment: Payment, *, at: datetime) -> Outcome:
    """Pay the invoice with all that came and is still there; what is more than is due goes to the organization.

    The books refuse it when nothing is due, see `invoicing.split`.
    """
    about = {"invoice_id": payment.terms.purpose.invoice_id}
    return fulfilled_with(payment, remaining_minor(payment), "invoice_paid", about, at=at)


def _invoice(order: Order) -> PayableInvoice:
    if not isinstance(order.subject, PayableInvoice):
        raise invalid("invoice_id", "Name the invoice to pay in invoice_id.")
    return order.subject


def _mismatch(why: str) -> Conflict:
    return InvoiceAmountMismatch(why)
