"""Effect of a payment on its invoice: it pays the amount due; refunds and chargebacks make it due again.

Late money for an invoice that was written off pays the price of what was used of it, and no more.

Until the payment is fulfilled, its money stays on the payment's own account, and refunds and disputes are taken from
there. After that the payment has paid a part of the invoice, and any surplus belongs to the organization.
"""

from dataclasses import dataclass

from domain.billing.invoice.state import InvoiceBalance
from domain.payments.payment.entitlement import clawed_back_minor, remaining_minor
from domain.payments.payment.state import Fulfilment, Payment, PaymentPosting, PaymentPostingKind

#: Postings that can change the invoice balance.
INVOICE_POSTING_KINDS = frozenset(
    {PaymentPostingKind.RESERVE, PaymentPostingKind.CLAW_BACK, PaymentPostingKind.RELEASE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSplit:
    """A posting divided: `waiting_minor` stays on the payment's account, `invoice_minor` is the invoice's part.

    A RELEASE pays the invoice's part; the other kinds make it due again. The rest, `other_minor`, is booked as without
    an invoice.
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
    """Divide a posting between the payment's own account, its invoice and the organization.

    Args:
        payment: the state after the event of the posting.
        move: the posting, of a kind in `INVOICE_POSTING_KINDS`.
        standing: the invoice balance before the posting, as of this payment.
        available_minor: the organization's available balance in the currency. As far as it suffices, a surplus of this
            payment is taken back before the invoice becomes due again.
        recoverable_minor: the part of the written-off amount that the posting may also pay.
    """
    amount = move.amount_minor
    net = payment.granted_minor - clawed_back_minor(payment)
    if payment.fulfilment is Fulfilment.PENDING:
        before = max(0, net - amount if move.kind is PaymentPostingKind.RELEASE else net + amount)
        waiting = abs(remaining_minor(payment) - before)
        return InvoiceSplit(waiting_minor=waiting, invoice_minor=0, other_minor=amount - waiting)
    if move.kind is PaymentPostingKind.RELEASE:
        # If more was taken than was received, the organization owes the excess, which is paid first.
        part = max(0, min(amount, standing.due_minor + recoverable_minor, net - standing.of_payment_minor))
    else:
        beyond = max(0, min(amount, net + amount - standing.of_payment_minor, available_minor))
        part = min(amount - beyond, standing.of_payment_minor)
    return InvoiceSplit(waiting_minor=0, invoice_minor=part, other_minor=amount - part)
