"""Payment policies of organizations, their projects and their agents."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.common.base import Base


class PaymentPolicy(Base):
    """Policy of an organization, project or agent. Written by the platform's role; replaced as a whole.

    Amounts are minor units of `currency`; see `domain.budgets.policy.Policy` for the fields.

    Attributes:
        scope: `organization`, `project` or `agent`.
        subject_id: the id of the organization, project or agent.
        version: counts its changes.
        crypto: `primary`, `fallbacks`, `reasoning`, `wallet_creation`.
    """

    __tablename__ = "payment_policies"
    __table_args__ = (
        UniqueConstraint("org_id", "scope", "subject_id"),
        CheckConstraint(
            "scope IN ('organization', 'project', 'agent') AND (scope <> 'organization' OR subject_id = org_id)",
            name="scope",
        ),
        CheckConstraint("free_first IN ('off', 'ask', 'require')", name="free_first"),
        CheckConstraint(
            "free_first_above >= 0 AND per_purchase >= 0 AND approval_above >= 0"
            " AND two_persons_above >= approval_above",
            name="amounts",
        ),
        CheckConstraint("answer_within_seconds > 0", name="answer"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    scope: Mapped[str] = mapped_column(info={"holds": "technical"})
    subject_id: Mapped[str]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    currency: Mapped[str]
    free_first: Mapped[str]
    free_first_above: Mapped[int | None]
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text))
    crypto: Mapped[dict[str, Any]] = mapped_column(JSONB)
    vendors_allowed: Mapped[list[str]] = mapped_column(ARRAY(Text))
    vendors_refused: Mapped[list[str]] = mapped_column(ARRAY(Text))
    categories_allowed: Mapped[list[str]] = mapped_column(ARRAY(Text))
    categories_refused: Mapped[list[str]] = mapped_column(ARRAY(Text))
    per_purchase: Mapped[int | None]
    approval_above: Mapped[int | None]
    two_persons_above: Mapped[int | None]
    answer_within_seconds: Mapped[int]
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
