"""The balance of an invoice: what an organization has to pay, and the effect of its payments.

A draft can be edited and not be paid. A finalised invoice never changes its lines, total and currency. The paid amount
changes with every payment, refund and chargeback. Amounts are minor units of its currency.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.common.errors import WrongInvoiceState
from domain.common.money import format_amount


class InvoiceStatus(StrEnum):
    """Stripe's states of an invoice.

    `draft`: can still change; `open`: an amount is due; `paid`: nothing is due; `void`: voided permanently, without
    payments; `uncollectible`: given up, the amount due is a loss.
    """

    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    DRAFT = "draft"
    UNCOLLECTIBLE = "uncollectible"


class PausedFor(StrEnum):
    """Why an invoice that was paid is due again; it is neither charged nor dunned until an operator decides."""

    REFUND = "refund"
    CHARGEBACK = "chargeback"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceBalance:
    """An invoice's total and paid amount, in minor units.

    `of_payment_minor` is the part of `paid_minor` from one payment. `settled_minor` is the part that needs no payment:
    applied credits, the rounding, credit notes, and the amount written off, which is `written_off_minor`.
    """

    status: InvoiceStatus
    total_minor: int
    paid_minor: int
    of_payment_minor: int = 0
    settled_minor: int = 0
    written_off_minor: int = 0

    @property
    def due_minor(self) -> int:
        return self.unpaid_minor if self.status is InvoiceStatus.OPEN else 0

    @property
    def unpaid_minor(self) -> int:
        """The total less the paid and settled amounts, whatever the state."""
        return self.total_minor - self.settled_minor - self.paid_minor


def with_payment(balance: InvoiceBalance, by_minor: int) -> InvoiceBalance:
    """Return the balance after one payment has paid an amount, or, if negative, was refunded.

    Raises:
        ValueError: it is more than was due, or more than this payment had paid.
    """
    paid, own = balance.paid_minor + by_minor, balance.of_payment_minor + by_minor
    if own < 0 or by_minor > balance.due_minor:
        raise ValueError(f"{by_minor} cannot be paid on an invoice that stands at {balance}")
    status = InvoiceStatus.PAID if paid == balance.total_minor - balance.settled_minor else InvoiceStatus.OPEN
    if balance.status is InvoiceStatus.VOID or not by_minor:
        status = balance.status  # a void invoice has nothing due and nothing paid, and so it stays
    return replace(balance, status=status, paid_minor=paid, of_payment_minor=own)


def recoverable_minor(balance: InvoiceBalance, used_minor: int) -> int:
    """Return how much of what was written off later money pays: what is still missing of the price of what was used."""
    missing = used_minor - balance.paid_minor - balance.due_minor
    return max(0, min(balance.written_off_minor, missing))


def with_recovery(balance: InvoiceBalance, by_minor: int) -> InvoiceBalance:
    """Return the balance after one payment has paid an amount of what was written off.

    Raises:
        ValueError: it is more than was written off.
    """
    left = balance.written_off_minor - by_minor
    if by_minor < 0 or left < 0:
        raise ValueError(f"{by_minor} cannot be recovered on an invoice that stands at {balance}")
    status = balance.status if left or balance.due_minor or not by_minor else InvoiceStatus.PAID
    return replace(
        balance,
        status=status,
        paid_minor=balance.paid_minor + by_minor,
        of_payment_minor=balance.of_payment_minor + by_minor,
        settled_minor=balance.settled_minor - by_minor,
        written_off_minor=left,
    )


def require_payable(balance: InvoiceBalance) -> int:
    """Return what is due.

    Raises:
        WrongInvoiceState: nothing is.
    """
    if balance.status is not InvoiceStatus.OPEN:
        raise WrongInvoiceState(
            f"This invoice is {balance.status.value}. It cannot be paid.", extra={"state": balance.status.value}
        )
    return balance.due_minor


def require_voidable(
    balance: InvoiceBalance, currency: str, *, credited_minor: int = 0, taxed_credits_minor: int = 0
) -> None:
    """Refuse to void an invoice on which something was paid or credited.

    An invoice whose total is zero because of credits that were taxed when sold cannot be credited, so it can be voided
    to return the credits. One of which a part was given up cannot: that part is a loss already.

    Raises:
        WrongInvoiceState: it is paid, partially paid, credited or given up, void or a draft; `due` says what is left.
    """
    if balance.status is InvoiceStatus.PAID and not balance.total_minor and taxed_credits_minor:
        return
    if balance.status is not InvoiceStatus.OPEN or balance.paid_minor or credited_minor or balance.written_off_minor:
        state = balance.status.value
        if balance.status is InvoiceStatus.OPEN:
            part = "paid" if balance.paid_minor else "credited" if credited_minor else "given up"
            state = f"partially {part}"
        raise WrongInvoiceState(
            f"This invoice is {state}. Only an unpaid invoice can be voided.",
            extra={"state": balance.status.value, "due": format_amount(balance.due_minor, currency)},
        )


def require_draft(balance: InvoiceBalance, currency: str, *, is_discarded: bool = False) -> None:
    """Check that an invoice is a draft, which can be changed, finalised or discarded.

    Raises:
        WrongInvoiceState: it is not a draft; `due` says what is left to pay of it.
    """
    if is_discarded:
        raise WrongInvoiceState(
            "This draft was discarded. Begin another one.",
            extra={"state": balance.status.value, "due": format_amount(0, currency)},
        )
    if balance.status is not InvoiceStatus.DRAFT:
        raise WrongInvoiceState(
            f"This invoice is {balance.status.value}. Only a draft can be changed, finalised or discarded.",
            extra={"state": balance.status.value, "due": format_amount(balance.due_minor, currency)},
        )


def require_collectible(balance: InvoiceBalance) -> int:
    """Return the amount that is written off when the invoice is marked as uncollectible.

    Raises:
        WrongInvoiceState: nothing is due.
    """
    if balance.status is not InvoiceStatus.OPEN:
        raise WrongInvoiceState(
            f"This invoice is {balance.status.value}. Only an open invoice can be given up.",
            extra={"state": balance.status.value},
        )
    return balance.due_minor


def is_overdue(balance: InvoiceBalance, *, due_at: datetime, now: datetime) -> bool:
    """Return whether the invoice is overdue."""
    return balance.due_minor > 0 and now >= due_at
