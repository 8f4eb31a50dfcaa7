"""Purposes of payments: one module for each, and the table of their rules."""

from collections.abc import Iterable, Mapping

from domain.payments.payment.options import invalid
from domain.payments.payment.purposes import escrow
from domain.payments.payment.purposes.balance import Balance
from domain.payments.payment.purposes.base import PurposeRules
from domain.payments.payment.purposes.credits import Credits
from domain.payments.payment.purposes.invoice import InvoiceDue
from domain.payments.payment.purposes.purchase import Purchase
from domain.payments.payment.purposes.slot import Slot
from domain.payments.payment.terms import PaymentTerms, PurposeKind

_ALL: tuple[PurposeRules, ...] = (Credits(), escrow.RULES, InvoiceDue(), Slot(), Balance(), Purchase())
RULES: Mapping[PurposeKind, PurposeRules] = {rules.kind: rules for rules in _ALL}


def rules_of(terms: PaymentTerms) -> PurposeRules:
    """Return the rules of a payment's purpose.

    Raises:
        TypeError: there are none. The run stops until the code knows the purpose.
    """
    return rules_for(terms.purpose.kind)


def rules_for(kind: PurposeKind) -> PurposeRules:
    """Return the rules of a purpose; see `rules_of`."""
    rules = RULES.get(kind)
    if rules is None:
        raise TypeError(f"the purpose {kind} has no rules in domain/payments/payment/purposes")
    return rules


def check_named(kind: PurposeKind, named: Iterable[PurposeKind]) -> None:
    """Refuse a field of a request that belongs to another purpose.

    Raises:
        Invalid: names the field and its purpose.
    """
    for other in named:
        if other is not kind:
            field = rules_for(other).named_by or "purpose"
            raise invalid(field, f"{field} can be given with the purpose {other.value} only.")
