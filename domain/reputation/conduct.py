"""Evidence about an organization as a client from payments and cancellations; `escrow_evidence` has that of escrows."""

from dataclasses import dataclass

from domain.common.money import CREDIT
from domain.escrow.state import Escrow, EscrowStatus
from domain.payments.payment.snapshot import DisputeStatus, ProviderStatus
from domain.payments.payment.state import Payment, PaymentStatus
from domain.reputation.clients import ClientFact
from domain.reputation.escrow_evidence import half_is_over, undiscounted_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAct:
    """Fact about an organization as a client, with its key and weight.

    Attributes:
        key: idempotency key: the fact counts once.
        subject: the id of the payment or escrow.
        org_id: the client; `counterparty_org_id` is the other party, if any.
        value_minor: the amount at stake, in minor units of the currency.
        commission_minor: the commission, which limits the weight; None if only the value does.
        escrow_id: the escrow to whose paid credits value and commission are reduced.
    """

    fact: ClientFact
    key: str
    subject: str
    org_id: str
    value_minor: int
    currency: str
    commission_minor: int | None = None
    counterparty_org_id: str | None = None
    escrow_id: str | None = None


def of_payment(before: Payment | None, after: Payment) -> tuple[ClientAct, ...]:
    """Return the fact of a payment's event about its payer: a final decline, or a lost chargeback.

    Only a final decline by the provider counts: no abandoned, expired or refused payment, and no decline that the payer
    can retry. A payment that fails twice counts once.
    """
    terms = after.terms
    lost = _lost(after) - (set() if before is None else _lost(before))
    facts = [
        ClientAct(
            fact=ClientFact.CHARGED_BACK,
            key=f"{terms.payment_id}:charged_back:{dispute.ref}",
            subject=terms.payment_id,
            org_id=terms.org_id,
            value_minor=dispute.amount_minor,
            currency=terms.currency,
        )
        for dispute in after.disputes
        if dispute.ref in lost
    ]
    if _is_declined(after) and not (before is not None and _is_declined(before)):
        facts.append(
            ClientAct(
                fact=ClientFact.PAYMENT_FAILED,
                key=f"{terms.payment_id}:payment_failed",
                subject=terms.payment_id,
                org_id=terms.org_id,
                value_minor=terms.amount_minor,
                currency=terms.currency,
            )
        )
    return tuple(facts)


def of_cancellation(before: Escrow | None, after: Escrow) -> ClientAct | None:
    """Return the fact of a funded escrow that was cancelled at the client's request.

    Its weight is limited by the lost commission, before a discount. After half of the delivery time without a delivery
    the cancellation is not the client's fault.
    """
    asked = before is not None and before.cancel_requested_by is not None and not half_is_over(before, after)
    returned = after.funded_minor - after.paid_minor
    if after.status is not EscrowStatus.CANCELLED or not asked or returned <= 0:
        return None
    terms = after.terms
    return ClientAct(
        fact=ClientFact.CANCELLED,
        key=f"{terms.escrow_id}:cancelled",
        subject=terms.escrow_id,
        org_id=terms.payer_org_id,
        value_minor=returned,
        currency=terms.currency,
        commission_minor=undiscounted_minor(terms, returned),
        counterparty_org_id=terms.payee_org_id,
        escrow_id=terms.escrow_id if terms.currency == CREDIT else None,
    )


def _is_declined(payment: Payment) -> bool:
    # Without a word of the provider's it was this system's request that was refused.
    said = payment.provider_status is ProviderStatus.FAILED and payment.decline is not None
    return said and payment.status is PaymentStatus.FAILED


def _lost(payment: Payment) -> set[str]:
    return {dispute.ref for dispute in payment.disputes if dispute.status is DisputeStatus.LOST}
