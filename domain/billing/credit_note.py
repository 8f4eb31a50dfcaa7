"""Credit notes: corrections of a finalised invoice.

A note first reduces the amount due, then returns credits that paid the invoice, to their lots. The note that credits
the last part of an invoice without payments includes the rounding. Credits that were taxed when they were sold were
deducted before tax, and are returned in proportion to the credited part. An amount paid by payments must be refunded
first; it is then due again, and a note can reduce it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.billing.invoice.state import InvoiceBalance, InvoiceStatus
from domain.billing.invoice.worth import PayingLot, to_return
from domain.common.errors import ExceedsRemainder, Invalid, WrongInvoiceState
from domain.common.money import format_amount

#: The states in which an invoice can be credited.
CREDITABLE = frozenset({InvoiceStatus.OPEN, InvoiceStatus.PAID})


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditsTaken:
    """The credits that an invoice has taken, and what they have paid of it in its currency; in minor units.

    `granted_credits_minor` and `taxed` were deducted before tax: granted credits, and credits that were taxed when they
    were sold. `taxed` and `untaxed` are lots in the order in which they come back.
    """

    prepaid_minor: int = 0
    granted_credits_minor: int = 0
    taxed: Sequence[PayingLot] = ()
    untaxed: Sequence[PayingLot] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """The parts of a note: of the amount due, of what credits paid, of the rounding; the returned credits."""

    amount_minor: int
    prepaid_minor: int
    prepaid_credits_minor: int
    granted_credits_minor: int
    taxed_credits_minor: int
    rounded_minor: int = 0

    @property
    def credits_minor(self) -> int:
        return self.prepaid_credits_minor + self.granted_credits_minor + self.taxed_credits_minor


def compute_note(
    balance: InvoiceBalance,
    credits: CreditsTaken,
    *,
    credited_minor: int,
    amount_minor: int | None,
    currency: str,
    most_minor: int | None = None,
    rounded_minor: int = 0,
    unit_minor: int = 1,
) -> CreditNote:
    """Compute a credit note.

    Args:
        balance: the invoice's balance.
        credits: the credits that it has taken and not returned.
        credited_minor: the sum of earlier notes.
        amount_minor: with tax; None for everything that is left.
        currency: of the invoice.
        most_minor: the maximum; None for everything that is due or paid with credits.
        rounded_minor: the present rounding of the invoice.
        unit_minor: the amount left due must be a multiple of it, or no provider could charge it.

    Raises:
        WrongInvoiceState: the invoice is a draft, void or uncollectible.
        Invalid: the amount is not positive, or it leaves a part due that no provider can charge.
        ExceedsRemainder: it is more than is left, or nothing is.
    """
    if balance.status not in CREDITABLE:
        raise WrongInvoiceState(
            f"This invoice is {balance.status.value}. It cannot be credited.",
            extra={"state": balance.status.value, "due": format_amount(balance.due_minor, currency)},
        )
    not_credited = balance.total_minor - credited_minor
    remaining = balance.due_minor + credits.prepaid_minor
    if remaining + rounded_minor == not_credited:
        remaining = not_credited
    if most_minor is not None:
        remaining = min(remaining, most_minor)
    amount = remaining if amount_minor is None else amount_minor
    if amount_minor is not None and amount_minor <= 0:
        raise Invalid("The amount must be greater than zero.", extra={"field": "amount"})
    if amount > remaining or not remaining:
        left = format_amount(remaining, currency)
        raise ExceedsRemainder(
            f"Only {left} {currency} of this invoice can be credited. Refund its payments first to credit more.",
            extra={"remaining": left, "currency": currency},
        )
    due = min(amount, balance.due_minor)
    if (balance.due_minor - due) % unit_minor and not balance.due_minor % unit_minor:
        least = format_amount(unit_minor, currency)
        raise Invalid(
            f"The amount that stays due could not be paid: it must be a multiple of {least} {currency}. Credit another "
            "amount.",
            extra={"field": "amount"},
        )
    prepaid = min(amount - due, credits.prepaid_minor)
    return CreditNote(
        amount_minor=amount,
        prepaid_minor=prepaid,
        prepaid_credits_minor=to_return(credits.untaxed, prepaid, credits.prepaid_minor) if prepaid else 0,
        granted_credits_minor=credits.granted_credits_minor if amount == not_credited else 0,
        # Without these credits the invoice would have been larger, so each part of it returns a part of them.
        taxed_credits_minor=to_return(credits.taxed, amount, not_credited),
        rounded_minor=amount - due - prepaid,
    )
