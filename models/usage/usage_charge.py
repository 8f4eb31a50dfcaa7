"""The outcome of the charges of usage events, and how much of a month was charged."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class UsageChargeRow(Base):
    """That an event is charged: written with the event by the platform's role, and completed by its one charge.

    Attributes:
        event: the id of the event, which happened at `occurred_at`.
        month: the first day of the month in which it counts, in the time zone of the terms that held when it came in;
            null where it is the month in UTC, as of uses of agents.
        meters: the meters that were marked as charged when they counted it, and `quantities` what each counted.
        use_id: the agreed use of an agent of the marketplace that it reports, which is charged by its price alone.
        due_at: when it is charged at the earliest.
        waits_for: why it could not be charged so far, as `domain.usage.charge.WaitReason` has it.
        spend_id: the spend; null until it is charged. Rows that have one never change.
        amount: what was charged, in minor units of credits.
        voided_at: when an operator decided that it is never charged; the audit trail says who and why. Such rows never
            change.
    """

    __tablename__ = "usage_charges"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(spend_id, amount, charged_at) IN (0, 3) AND num_nonnulls(spend_id, waits_for) < 2",
            name="charged",
        ),
        CheckConstraint("voided_at IS NULL OR num_nonnulls(spend_id, waits_for) = 0", name="voided"),
        Index("ix_usage_charges_due", "org_id", "due_at", postgresql_where=text("spend_id IS NULL")),
        Index("uq_usage_charges_use_id", "use_id", unique=True, postgresql_where=text("use_id IS NOT NULL")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    event: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), primary_key=True)
    occurred_at: Mapped[datetime]
    meters: Mapped[list[int]] = mapped_column(ARRAY(BIGINT), info={"holds": "identifier"})
    quantities: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric))
    due_at: Mapped[datetime]
    waits_for: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    spend_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    amount: Mapped[int | None]
    charged_at: Mapped[datetime | None]
    use_id: Mapped[str | None] = mapped_column(ForeignKey("marketplace_agreed_uses.id"))
    month: Mapped[date | None]
    voided_at: Mapped[datetime | None]


class MeterMonth(Base):
    """How much of what a meter counted of an organization in a month was charged. Written with the charges."""

    __tablename__ = "meter_months"

    meter: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    charged: Mapped[Decimal] = mapped_column(Numeric)
