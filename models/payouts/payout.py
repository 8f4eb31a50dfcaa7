"""The payout's read model and its timeline, written in the transaction that moves the money.

`services/payouts/payout.py` opens a payout, `activities/payouts/payout.py` writes its further events.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class PayoutRow(Base):
    """State of a payout. `state` is complete; the other columns are copies for queries.

    `amount_minor` is in minor units of `currency`. `wake_at` is the time from which the payout needs a workflow run;
    null once it has ended.
    """

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        Index("ix_payouts_created_at_id", "created_at", "id"),
        Index("ix_payouts_org_id_created_at_id", "org_id", "created_at", "id"),
        Index("ix_payouts_status_created_at_id", "status", "created_at", "id"),
        Index("ix_payouts_org_id_status_created_at_id", "org_id", "status", "created_at", "id"),
        Index("ix_payouts_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
        Index("uq_payouts_provider_transfer_ref", "provider", "transfer_ref", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    provider: Mapped[str]
    transfer_ref: Mapped[str | None]
    status: Mapped[str]
    version: Mapped[int]
    currency: Mapped[str]
    amount_minor: Mapped[int]
    wake_at: Mapped[datetime | None]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PayoutScheduleRow(Base):
    """Payout schedule of an organization, with the next and the latest payout. Written by the platform's role.

    Attributes:
        next_on: the day of the next payout; null if none is scheduled.
        last_on: the day of the latest one, paid or refused.
        last_payout_id: the payout made that day; null if it was refused.
        last_refusal: the error code of the refusal.
    """

    __tablename__ = "payout_schedules"
    __table_args__ = (Index("ix_payout_schedules_next_on", "next_on", postgresql_where=text("next_on IS NOT NULL")),)

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    interval: Mapped[str]
    weekly_anchor: Mapped[str | None]
    monthly_anchor: Mapped[int | None]
    next_on: Mapped[date | None]
    last_on: Mapped[date | None]
    last_payout_id: Mapped[str | None]
    last_refusal: Mapped[str | None]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]


class PayoutEventRow(Base):
    """An event of a payout: actor, time, the status after it, and its transfer. Immutable."""

    __tablename__ = "payout_events"
    __table_args__ = (Index("uq_payout_events_payout_id_command_id", "payout_id", "command_id", unique=True),)

    payout_id: Mapped[str] = mapped_column(ForeignKey("payouts.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    status: Mapped[str]
    actor: Mapped[str]
    command_id: Mapped[str]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
