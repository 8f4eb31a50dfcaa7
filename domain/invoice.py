"""Invoices: what an organization is asked to pay, and what its payments do to that.

An invoice is issued whole: its lines, its total and its currency never change, so a link to pay it never asks for
another amount. What is paid changes with every payment, refund and chargeback; amounts are minor units of its currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.errors import Conflict, Invalid
from domain.money import ISSUED, MAX_AMOUNT_MINOR, format_amount, scale_of

#: Nobody reads a longer one.
MAX_LINES = 200
MAX_QUANTITY = 1_000_000
#: The one sequence that all invoices take their numbers from.
SEQUENCE = "invoice"


class InvoiceStatus(StrEnum):
    """`open`: something is due; `paid`: nothing is; `void`: ended while nothing was paid, for good."""

    OPEN = "open"
    PAID = "paid"
    VOID = "void"


class WrongInvoiceState(Conflict):
    """The invoice's state does not allow this; `extra["state"]` names the state."""

    code = "invoice.wrong_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """What is charged for: a number of units at a price each, in minor units."""

    description: str
    quantity: int
    unit_minor: int

    @property
    def amount_minor(self) -> int:
        """What the line comes to."""
        return self.quantity * self.unit_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceBalance:
    """How an invoice stands: its total, and what of it is paid, in minor units.

    `of_payment_minor` is the part of `paid_minor` that one payment has brought.
    """

    status: InvoiceStatus
    total_minor: int
    paid_minor: int
    of_payment_minor: int = 0

    @property
    def due_minor(self) -> int:
        """What is still to be paid."""
        return self.total_minor - self.paid_minor if self.status is InvoiceStatus.OPEN else 0


def number_text(number: int) -> str:
    """Write a number of the sequence as people read it: `INV-000042`."""
    return f"INV-{number:06d}"


def total_of(lines: Sequence[InvoiceLine], currency: str) -> int:
    """Return what the lines come to.

    Raises:
        Invalid: there is none or there are too many, a quantity is out of bounds, the total is more than the books
            hold, or it is in what the platform issues itself.
    """
    scale_of(currency)
    if currency in ISSUED:
        raise Invalid("The currency of an invoice must be money, such as USD.", extra={"field": "currency"})
    if not 0 < len(lines) <= MAX_LINES:
        raise Invalid(f"An invoice must have 1 to {MAX_LINES} lines.", extra={"field": "lines"})
    if any(not 0 < line.quantity <= MAX_QUANTITY or line.unit_minor <= 0 for line in lines):
        raise Invalid(
            f"A line must have a quantity of 1 to {MAX_QUANTITY} and a positive unit price.", extra={"field": "lines"}
        )
    total = sum(line.amount_minor for line in lines)
    if total > MAX_AMOUNT_MINOR:
        limit = format_amount(MAX_AMOUNT_MINOR, currency)
        raise Invalid(f"The total must not be greater than {limit} {currency}.", extra={"field": "lines"})
    return total


def changed(standing: InvoiceBalance, by_minor: int) -> InvoiceBalance:
    """Return how the invoice stands when one payment has brought so much more, or, below zero, taken it back.

    Raises:
        ValueError: it is more than was due, or more than this payment had brought.
    """
    paid, own = standing.paid_minor + by_minor, standing.of_payment_minor + by_minor
    if own < 0 or by_minor > standing.due_minor:
        raise ValueError(f"{by_minor} cannot be paid on an invoice that stands at {standing}")
    status = InvoiceStatus.PAID if paid == standing.total_minor else InvoiceStatus.OPEN
    if standing.status is InvoiceStatus.VOID:
        status = InvoiceStatus.VOID  # nothing is due and nothing was paid, and so it stays
    return InvoiceBalance(status=status, total_minor=standing.total_minor, paid_minor=paid, of_payment_minor=own)


def require_payable(standing: InvoiceBalance) -> int:
    """Return what is due.

    Raises:
        WrongInvoiceState: nothing is.
    """
    if standing.status is not InvoiceStatus.OPEN:
        raise WrongInvoiceState(
            f"This invoice is {standing.status.value}. It cannot be paid.", extra={"state": standing.status.value}
        )
    return standing.due_minor


def require_voidable(standing: InvoiceBalance) -> None:
    """Refuse to void an invoice that something was paid on.

    Raises:
        WrongInvoiceState: it is paid, partially paid, or void.
    """
    if standing.status is not InvoiceStatus.OPEN or standing.paid_minor:
        state = "partially paid" if standing.status is InvoiceStatus.OPEN else standing.status.value
        raise WrongInvoiceState(
            f"This invoice is {state}. Only an unpaid invoice can be voided.", extra={"state": standing.status.value}
        )


def is_overdue(standing: InvoiceBalance, *, due_at: datetime, now: datetime) -> bool:
    """Tell whether something should have been paid by now."""
    return standing.due_minor > 0 and now >= due_at
