"""Results of runs and tasks."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ResultRow(Base):
    """A result, see `domain.returns.result.Result`. Written by the platform's role; rows are immutable."""

    __tablename__ = "results"
    __table_args__ = (
        CheckConstraint("num_nonnulls(run_id, task_id) > 0", name="of"),
        CheckConstraint("score_e6 BETWEEN 0 AND 1000000", name="score"),
        CheckConstraint("(value_minor IS NULL) = (currency IS NULL) AND value_minor >= 0", name="value"),
        CheckConstraint("source IN ('api', 'escrow', 'contract')", name="source"),
        Index("uq_results_reference", "org_id", "source", "reference", unique=True),
        Index("ix_results_org_id_recorded_at", "org_id", "recorded_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    run_id: Mapped[str | None]
    task_id: Mapped[str | None]
    agent_id: Mapped[str | None]
    task_kind: Mapped[str]
    score_e6: Mapped[int]
    is_accepted: Mapped[bool]
    is_self_reported: Mapped[bool]
    value_minor: Mapped[int | None]
    currency: Mapped[str | None]
    source: Mapped[str]
    reference: Mapped[str]
    reported_by: Mapped[str]
    recorded_at: Mapped[datetime]
