"""The payment's read model, its timeline, and the provider's movements that are booked.

All are written by `activities/payments/payment.py` alone, in the transaction that moves the money.
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
    """The present state of a payment. `state` is complete; the other columns are copies for queries.

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
    """One step of a payment: who did what when, the state after it, and the transfer that it caused. Immutable.

    `at` is business time, `recorded_at` the database's own.
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
    """A change of a provider's balance that is in the books: the other side of the provider's own statement.

    Unique by (provider, key), so no movement is booked twice, whatever payment claims it. Only `fee_minor` changes,
    once, from unknown to known. A charge is written when it is settled: until then no balance shows it. Amounts are
    minor units of `currency`, signed as the provider's balance moved. `payment_id` is null for a correction that
    reconciliation booked.
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
