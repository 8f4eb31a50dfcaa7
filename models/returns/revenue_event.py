"""Revenue of agents, and its attribution to agents and projects."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class RevenueEvent(Base):
    """A revenue event. Amounts are in minor units of `currency`.

    A trigger on transfers writes those in the ledger and their reversals, and the platform's role reported ones.

    Attributes:
        reference: the escrow, purchase or use, or the reporter's own, unique for its source. An escrow that pays in
        parts has an event for each.
        reported_minor: the reported amount; null for events in the ledger.
        amount_minor: the counted amount, before commission and reversals.
        commission_minor: the platform's commission.
        money: the purchase price of credits in the ledger, by currency in minor units: amount, reversed, commission.
        transfer_id: the transfer; null for reported events.
        shares_version: of its attribution; 0 for its own agent and project.
        reported_by: the qualified principal that reported it.
        reporter_agent_id: the agent of the reporter's key.
        confirmed_by: the qualified principal that confirmed or rejected it; null for events in the ledger.
    """

    __tablename__ = "revenue_events"
    __table_args__ = (
        UniqueConstraint("org_id", "source", "reference", "transfer_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("status IN ('reported', 'confirmed', 'rejected', 'reversed')", name="status"),
        CheckConstraint(
            "(source IN ('escrow', 'marketplace')) = (transfer_id IS NOT NULL)"
            " AND num_nonnulls(transfer_id, reported_minor) = 1 AND num_nonnulls(transfer_id, reported_by) = 1",
            name="source",
        ),
        CheckConstraint("status NOT IN ('confirmed', 'reversed') OR confirmed_at IS NOT NULL", name="confirmed"),
        CheckConstraint("amount_minor > 0", name="amount"),
        Index("ix_revenue_events_org_id_id", "org_id", "id"),
        Index("ix_revenue_events_org_id_occurred_at", "org_id", "occurred_at"),
        Index("ix_revenue_events_confirmed_at", "confirmed_at", postgresql_where=text("reported_minor IS NOT NULL")),
        Index("ix_revenue_events_waiting", "org_id", "id", postgresql_where=text("status = 'reported'")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str | None]
    project_id: Mapped[str | None]
    run_id: Mapped[str | None]
    source: Mapped[str]
    reference: Mapped[str]
    currency: Mapped[str]
    reported_minor: Mapped[int | None]
    amount_minor: Mapped[int]
    commission_minor: Mapped[int] = mapped_column(server_default=text("0"))
    reversed_minor: Mapped[int] = mapped_column(server_default=text("0"))
    money: Mapped[dict[str, list[int]]] = mapped_column(JSONB, server_default=text("'{}'"))
    status: Mapped[str]
    evidence: Mapped[str | None]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    shares_version: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    occurred_at: Mapped[datetime]
    reported_by: Mapped[str | None]
    reporter_agent_id: Mapped[str | None]
    confirmed_by: Mapped[str | None]
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Attribution(Base):
    """A version of the shares of a revenue event. Written by the platform's role; immutable.

    Attributes:
        parts: `[{"agent_id", "project_id", "bps"}]`; the basis points make 10,000.
    """

    __tablename__ = "attributions"
    __table_args__ = (
        CheckConstraint("version > 0 AND rule IN ('direct', 'run', 'fixed', 'equal', 'manual')", name="rule"),
    )

    event_id: Mapped[str] = mapped_column(ForeignKey("revenue_events.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    org_id: Mapped[str]
    rule: Mapped[str] = mapped_column(info={"holds": "technical"})
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    set_by: Mapped[str]
    set_at: Mapped[datetime]
