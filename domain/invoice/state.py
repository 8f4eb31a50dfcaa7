"""The balance of an invoice: what an organization has to pay, and the effect of its payments.

A draft is edited; nobody can pay it. Finalised, its lines, its total and its currency never change, so a link to pay it
never asks for another amount. What is paid changes with every payment, refund and chargeback; amounts are minor units
of its currency.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.errors import Conflict
from domain.money import format_amount


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


class WrongInvoiceState(Conflict):
    """The invoice's state does not allow this; the field `state` names it."""

    code = "invoice.wrong_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceBalance:
    """An invoice's total, and what of it is paid, in minor units.

    `of_payment_minor` is the part of `paid_minor` that one payment has brought. `settled_minor` is what no payment has
    to bring: credits that were applied, what was rounded off, credit notes, and what was given up.
    """

    status: InvoiceStatus
    total_minor: int
    paid_minor: int
    of_payment_minor: int = 0
    settled_minor: int = 0

    @property
    def due_minor(self) -> int:
        """What is still to be paid."""
        return self.unpaid_minor if self.status is InvoiceStatus.OPEN else 0

    @property
    def unpaid_minor(self) -> int:
        """What nothing has paid or settled, whatever the state."""
        return self.total_minor - self.settled_minor - self.paid_minor


def changed(standing: InvoiceBalance, by_minor: int) -> InvoiceBalance:
    """Return the balance after one payment has paid so much more, or, below zero, was refunded.

    Raises:
        ValueError: it is more than was due, or more than this payment had paid.
    """
    paid, own = standing.paid_minor + by_minor, standing.of_payment_minor + by_minor
    if own < 0 or by_minor > standing.due_minor:
        raise ValueError(f"{by_minor} cannot be paid on an invoice that stands at {standing}")
    status = InvoiceStatus.PAID if paid == standing.total_minor - standing.settled_minor else InvoiceStatus.OPEN
    if standing.status is InvoiceStatus.VOID or not by_minor:
        status = standing.status  # a void invoice has nothing due and nothing paid, and so it stays
    return replace(standing, status=status, paid_minor=paid, of_payment_minor=own)


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


def require_voidable(
    standing: InvoiceBalance, currency: str, *, credited_minor: int = 0, taxed_credits_minor: int = 0
) -> None:
    """Refuse to void an invoice on which something was paid or credited.

    One that comes to nothing because of credits that were bought with tax has nothing that a credit note could take
    back, and is voided to give them back.

    Raises:
        WrongInvoiceState: it is paid, partially paid or credited, void or a draft; `due` says what is left.
    """
    if standing.status is InvoiceStatus.PAID and not standing.total_minor and taxed_credits_minor:
        return
    if standing.status is not InvoiceStatus.OPEN or standing.paid_minor or credited_minor:
        state = standing.status.value
        if standing.status is InvoiceStatus.OPEN:
            state = "partially paid" if standing.paid_minor else "partially credited"
        raise WrongInvoiceState(
            f"This invoice is {state}. Only an unpaid invoice can be voided.",
            extra={"state": standing.status.value, "due": format_amount(standing.due_minor, currency)},
        )


def require_draft(standing: InvoiceBalance, currency: str, *, is_discarded: bool = False) -> None:
    """Refuse to change, finalise or discard what is finalised or discarded.

    Raises:
        WrongInvoiceState: it is not a draft; `due` says what is left to pay of it.
    """
    if is_discarded:
        raise WrongInvoiceState(
            "This draft was discarded. Begin another one.",
            extra={"state": standing.status.value, "due": format_amount(0, currency)},
        )
    if standing.status is not InvoiceStatus.DRAFT:
        raise WrongInvoiceState(
            f"This invoice is {standing.status.value}. Only a draft can be changed, finalised or discarded.",
            extra={"state": standing.status.value, "due": format_amount(standing.due_minor, currency)},
        )


def require_collectible(standing: InvoiceBalance) -> int:
    """Return what is given up when the invoice is marked as uncollectible.

    Raises:
        WrongInvoiceState: nothing is due.
    """
    if standing.status is not InvoiceStatus.OPEN:
        raise WrongInvoiceState(
            f"This invoice is {standing.status.value}. Only an open invoice can be given up.",
            extra={"state": standing.status.value},
        )
    return standing.due_minor


def is_overdue(standing: InvoiceBalance, *, due_at: datetime, now: datetime) -> bool:
    """Return whether something should have been paid by now."""
    return standing.due_minor > 0 and now >= due_at
