"""Schemas of chargebacks."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import Exact, Note, RequestModel, ResponseModel, example
from api.v1.payments.schemas import MoneyView, money
from domain.common.money import format_amount
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Dispute, Payment


class ChargebackEvidence(RequestModel):
    """Evidence against a chargeback.

    An organization's is stored for operators; an operator's goes to the bank, once.
    """

    model_config = example(text="The credits were used on the day of the payment, from the payer's own address.")

    text: Annotated[Note, StringConstraints(min_length=1)]


class ChargebackView(ResponseModel):
    """A chargeback or an inquiry of the payer's bank about a payment."""

    id: str
    payment_id: str
    organization_id: str
    provider: str
    provider_ref: str
    status: DisputeStatus
    reason: str
    amount: Exact
    currency: str
    taken: MoneyView = Field(description="The entitlement that is reserved, or clawed back if the chargeback is lost.")
    owed: MoneyView = Field(description="The part that was already spent and is owed.")
    opened_at: datetime
    evidence_due_at: datetime | None
    evidence_submitted_at: datetime | None
    offered_evidence: str | None = Field(
        default=None, description="The organization's evidence. Operators decide what is submitted to the bank."
    )
    evidence_offered_at: datetime | None = None


def view(payment: Payment, dispute: Dispute) -> ChargebackView:
    terms, goods = payment.terms, payment.terms.purpose.goods_asset
    return ChargebackView.from_row(
        dispute,
        id=dispute.dispute_id,
        payment_id=terms.payment_id,
        organization_id=terms.org_id,
        provider=terms.provider,
        provider_ref=dispute.ref,
        amount=format_amount(dispute.amount_minor, terms.currency),
        currency=terms.currency,
        taken=money(dispute.goods_minor, goods),
        owed=money(dispute.debt_minor, goods),
        offered_evidence=dispute.offered_evidence,
        evidence_offered_at=dispute.evidence_offered_at,
    )
