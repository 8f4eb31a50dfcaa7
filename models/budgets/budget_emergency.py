"""Emergencies of budgets, during which the emergency pool can be drawn."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class BudgetEmergency(Base):
    """A declaration. Written by the platform's role; rows are never deleted.

    The budget's own `emergency_until` opens the pool.

    Attributes:
        ends_at: when it ends, unless it is ended early.
        declared_key: the key of the declarer, whose line counts as the same person.
        confirmed_by: the second person; null before, and if one person sufficed.
        begun_at: when the pool was opened; null before.
        ended_at: when it was ended early, or the declaration was withdrawn.
    """

    __tablename__ = "budget_emergencies"
    __table_args__ = (
        CheckConstraint("confirmed_by IS NULL OR begun_at IS NOT NULL", name="confirmed"),
        CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name="ended"),
        Index("ix_budget_emergencies_control_id", "control_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), primary_key=True, server_default=func.uuidv7())
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    control_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), ForeignKey("ledger.controls.id"))
    reason: Mapped[str]
    ends_at: Mapped[datetime]
    declared_by: Mapped[str]
    declared_key: Mapped[str]
    declared_at: Mapped[datetime]
    command_id: Mapped[str] = mapped_column(unique=True)
    confirmed_by: Mapped[str | None]
    begun_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
