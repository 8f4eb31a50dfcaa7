"""Chargebacks of payments."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ChargebackRow(Base):
    """State of a chargeback for lists; the payment's `state` has the rest.

    Amounts are minor units of `currency`.

    Written only by `activities/payments/payment.py`, in the transaction of the payment's event.
    """

    __tablename__ = "payment_disputes"
    __table_args__ = (
        Index("ix_payment_disputes_opened_at_id", "opened_at", "id"),
        Index("ix_payment_disputes_org_id_opened_at_id", "org_id", "opened_at", "id"),
        Index("ix_payment_disputes_status_opened_at_id", "status", "opened_at", "id"),
        Index("ix_payment_disputes_org_id_status_opened_at_id", "org_id", "status", "opened_at", "id"),
        # Read for each lot of earnings, to find chargebacks of its payment.
        Index("ix_payment_disputes_payment_id", "payment_id"),
        Index("uq_payment_disputes_provider_ref", "provider", "ref", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    ref: Mapped[str]
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    org_id: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str] = mapped_column(info={"holds": "financial"})
    currency: Mapped[str]
    amount_minor: Mapped[int]
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
