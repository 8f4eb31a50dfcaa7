"""The effect of a payment on its invoice: it pays what is due, and refunds and chargebacks reverse that.

Of an invoice that was given up, money that comes later pays the price of what was used of it, and no more.

Until the payment is fulfilled its money waits on the payment's own account, and what is refunded or disputed goes
from there. After that the payment has paid a part of the invoice, and what was more than due is the organization's.
"""

from dataclasses import dataclass

from domain.billing.invoice.state import InvoiceBalance
from domain.payments.payment.entitlement import clawed_back_minor, remaining_minor
from domain.payments.payment.state import Fulfilment, Payment, PaymentPosting, PaymentPostingKind

#: What an invoice takes part in.
INVOICE_POSTING_KINDS = frozenset(
    {PaymentPostingKind.RESERVE, PaymentPostingKind.CLAW_BACK, PaymentPostingKind.RELEASE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSplit:
    """How a move is shared out: `waiting_minor` stays on the payment's account, `invoice_minor` is the invoice's part.

    The invoice's part is paid on it by a RELEASE, and due again after the other two. The rest, `other_minor`, moves as
    it would without an invoice.
    """

    waiting_minor: int
    invoice_minor: int
    other_minor: int


def split_posting(
    payment: Payment,
    move: PaymentPosting,
    standing: InvoiceBalance,
    *,
    available_minor: int,
    recoverable_minor: int = 0,
) -> InvoiceSplit:
    """Share out a move of `INVOICE_POSTING_KINDS` between the payment's own account, its invoice and the organization.

    Args:
        payment: the state after the event that the move belongs to.
        move: of `INVOICE_POSTING_KINDS`.
        standing: how the invoice stands for this payment before the move.
        available_minor: what the organization has in that currency. What this payment brought beyond the invoice goes
            back before the invoice is due again, as far as it is there.
        recoverable_minor: what it also pays of what was written off.
    """
    amount = move.amount_minor
    net = payment.granted_minor - clawed_back_minor(payment)
    if payment.fulfilment is Fulfilment.PENDING:
        before = max(0, net - amount if move.kind is PaymentPostingKind.RELEASE else net + amount)
        waiting = abs(remaining_minor(payment) - before)
        return InvoiceSplit(waiting_minor=waiting, invoice_minor=0, other_minor=amount - waiting)
    if move.kind is PaymentPostingKind.RELEASE:
        # Where more went back than had come, the organization owes that, and it is paid first.
        part = max(0, min(amount, standing.due_minor + recoverable_minor, net - standing.of_payment_minor))
    else:
        beyond = max(0, min(amount, net + amount - standing.of_payment_minor, available_minor))
        part = min(amount - beyond, standing.of_payment_minor)
    return InvoiceSplit(waiting_minor=0, invoice_minor=part, other_minor=amount - part)
