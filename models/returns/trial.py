"""Trials of agents: an amount that is paid out in stages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Trial(Base):
    """One trial of an agent. Written by the platform's role; what was agreed never changes.

    Attributes:
        control_id: the agent's budget, which the trial opened and whose lifetime each stage raises.
        stages: `domain.returns.trial.TrialStage`, by the time at which they are due.
        paid: how many stages were paid, together `paid_minor`.
        status: a `domain.returns.trial.TrialStatus`.
        next_at: when the next stage is due; null once the trial has ended.
        stopped_by: a `domain.returns.trial.StopReason`; null unless it was stopped.
    """

    __tablename__ = "trials"
    __table_args__ = (
        CheckConstraint("amount_minor > 0 AND paid_minor BETWEEN 0 AND amount_minor", name="amounts"),
        CheckConstraint(
            "status IN ('running', 'finished', 'stopped') AND (status = 'running') = (next_at IS NOT NULL)"
            " AND (status = 'stopped') = (stopped_by IS NOT NULL)",
            name="status",
        ),
        Index("ix_trials_org_id_id", "org_id", "id"),
        Index("ix_trials_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    control_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
    currency: Mapped[str]
    amount_minor: Mapped[int]
    stages: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"holds": "financial"})
    paid: Mapped[int] = mapped_column(Integer, info={"holds": "technical"})
    paid_minor: Mapped[int]
    status: Mapped[str]
    next_at: Mapped[datetime | None]
    stopped_by: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
