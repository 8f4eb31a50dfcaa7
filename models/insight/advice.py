"""Dismissed advice, and quartiles in comparisons."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class InsightDismissal(Base):
    """Latest dismissal of advice by an organization. Written by the tenant's role or an operator."""

    __tablename__ = "insight_dismissals"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    insight_id: Mapped[str] = mapped_column(primary_key=True)
    dismissed_by: Mapped[str]
    dismissed_at: Mapped[datetime]


class PeerPosition(Base):
    """Quartile of a member in its group for a month. Written by the platform's role; immutable.

    Attributes:
        metric: of `domain.insight.peers.METRICS`.
        category: the plan of organizations, the category of agents.
        member_id: the organization or the agent; `org_id` is the organization or that of the agent.
        quarter: from 1 (lowest) to 4; null if there is a `reason` instead.
    """

    __tablename__ = "peer_positions"
    __table_args__ = (
        CheckConstraint("quarter BETWEEN 1 AND 4", name="quarter"),
        CheckConstraint(
            "num_nonnulls(quarter, reason) = 1 AND reason IN ('too_few', 'dominated', 'not_counted')", name="reason"
        ),
    )

    month: Mapped[date] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    quarter: Mapped[int | None] = mapped_column(SmallInteger)
    reason: Mapped[str | None] = mapped_column(info={"holds": "technical"})
