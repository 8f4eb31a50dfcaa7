"""The payment's read model, its timeline, and booked balance transactions.

Only `activities/payments/payment.py` writes them, in the transaction that moves the money.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base
from models.common.sealed import SealedJSONB


class PaymentRow(Base):
    """State of a payment. `state` is complete; the other columns are copies for queries.

    Amounts are minor units of `currency`. `version` is the number of the latest event. `wake_at` is the time from
    which the payment needs a workflow run; null when nothing is pending.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("refunded_minor >= 0 AND received_minor >= 0", name="amounts"),
        Index("ix_payments_org_id_id", "org_id", "id"),
        Index("ix_payments_org_id_status_id", "org_id", "status", "id"),
        Index("ix_payments_org_id_status_purpose_id", "org_id", "status", "purpose", "id"),
        Index("ix_payments_status_purpose_id", "status", "purpose", "id"),
        Index("ix_payments_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
        Index("ix_payments_escrow_id", "escrow_id", postgresql_where=text("escrow_id IS NOT NULL")),
        Index("uq_payments_provider_provider_ref", "provider", "provider_ref", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    provider: Mapped[str]
    provider_ref: Mapped[str | None]
    workflow_id: Mapped[str]
    status: Mapped[str]
    version: Mapped[int]
    purpose: Mapped[str]
    escrow_id: Mapped[str | None]
    currency: Mapped[str]
    amount_minor: Mapped[int]
    received_minor: Mapped[int]
    refunded_minor: Mapped[int]
    fee_minor: Mapped[int]
    wake_at: Mapped[datetime | None]
    state: Mapped[dict[str, Any]] = mapped_column(SealedJSONB)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PaymentEventRow(Base):
    """An event of a payment: actor, time, the status after it, and its transfer. Immutable.

    `at` is the effective time, `recorded_at` the database's.
    """

    __tablename__ = "payment_events"
    __table_args__ = (Index("uq_payment_events_payment_id_command_id", "payment_id", "command_id", unique=True),)

    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    status: Mapped[str]
    actor: Mapped[str]
    command_id: Mapped[str | None]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class PaymentBalanceTransaction(Base):
    """A booked balance transaction, for reconciliation with the provider's statement.

    Unique by (provider, key), so that none is booked twice, whichever payment claims it. Only `fee_minor` changes,
    once, from unknown to known. A charge is written when it settles: until then it is not in the provider's balance.
    Amounts are minor units of `currency`; positive ones raise the provider's balance. `payment_id` is null for a
    correction by reconciliation.
    """

    __tablename__ = "payment_movements"
    __table_args__ = (
        Index("ix_payment_movements_payment_id", "payment_id"),
        Index("ix_payment_movements_provider_occurred_at", "provider", "occurred_at"),
    )

    provider: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(info={"holds": "financial"})
    amount_minor: Mapped[int]
    fee_minor: Mapped[int | None]
    currency: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"))
    org_id: Mapped[str | None]
    transfer_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
