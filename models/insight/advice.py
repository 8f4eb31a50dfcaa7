"""Advice that was dismissed, and positions in comparisons with others."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class InsightDismissal(Base):
    """When an organization dismissed advice last. Written by the tenant's role or an operator."""

    __tablename__ = "insight_dismissals"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    insight_id: Mapped[str] = mapped_column(primary_key=True)
    dismissed_by: Mapped[str]
    dismissed_at: Mapped[datetime]


class PeerPosition(Base):
    """The quarter of its group in which a member stood in a month. Written by the platform's role; immutable.

    Attributes:
        metric: of `domain.insight.peers.METRICS`.
        category: the plan of organizations, the category of agents.
        member_id: the organization or the agent; `org_id` is the organization, or the agent's.
        quarter: 1 for the lowest quarter to 4 for the highest; null where `reason` says why there is none.
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
