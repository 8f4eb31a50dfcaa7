"""What chargebacks look like over HTTP."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import Note, RequestModel, ResponseModel, example
from api.v1.payments.schemas import MoneyView, money
from domain.money import format_amount
from domain.payment.snapshot import DisputeStatus
from domain.payment.state import Dispute, Payment


class ChargebackEvidence(RequestModel):
    """What is said against a chargeback. The bank gets it once and for good."""

    model_config = example(text="The credits were used on the day of the payment, from the payer's own address.")

    text: Annotated[Note, StringConstraints(min_length=1)]


class ChargebackView(ResponseModel):
    """A payment that the payer's bank has taken back or asks about."""

    id: str
    payment_id: str
    organization_id: str
    provider: str
    provider_ref: str
    status: DisputeStatus
    reason: str
    amount: str
    currency: str
    taken: MoneyView = Field(description="What had been bought with it, and is held or gone.")
    owed: MoneyView = Field(description="The part of it that was spent already.")
    opened_at: datetime
    evidence_due_at: datetime | None
    evidence_submitted_at: datetime | None


def view(payment: Payment, dispute: Dispute) -> ChargebackView:
    """Show a chargeback of a payment."""
    terms, goods = payment.terms, payment.terms.purpose.goods_asset
    return ChargebackView(
        id=dispute.dispute_id,
        payment_id=terms.payment_id,
        organization_id=terms.org_id,
        provider=terms.provider,
        provider_ref=dispute.ref,
        status=dispute.status,
        reason=dispute.reason,
        amount=format_amount(dispute.amount_minor, terms.currency),
        currency=terms.currency,
        taken=money(dispute.goods_minor, goods),
        owed=money(dispute.debt_minor, goods),
        opened_at=dispute.opened_at,
        evidence_due_at=dispute.evidence_due_at,
        evidence_submitted_at=dispute.evidence_submitted_at,
    )
