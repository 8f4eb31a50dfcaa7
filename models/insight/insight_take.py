"""Applied advice."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class InsightTake(Base):
    """Proposal of a month's advice, one for each month. Written by the platform's role.

    Attributes:
        month: the first day of the advice's month.
        order_id: the created purchase order; null for a policy.
        policy: the proposed change: `scope`, `subject_id` and `version` of the policy that it is based on, and
            `change`, see `domain.insight.advice.proposal.PolicyProposal`.
        approved_at: when the proposed policy was set; a purchase order has its own approval.
    """

    __tablename__ = "insight_takes"
    __table_args__ = (
        CheckConstraint("num_nonnulls(order_id, policy) = 1", name="proposes"),
        CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL) AND (approved_at IS NULL OR policy IS NOT NULL)",
            name="approved",
        ),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    insight_id: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("purchase_orders.id"))
    policy: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    taken_by: Mapped[str]
    taken_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
