"""Versions of the prices of actions in credits."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ActionCost(Base):
    """A price that the operator set for an action, for everybody or for one organization. Immutable.

    The newest version applies. Written by the platform's role; a tenant reads general prices and its own.

    Attributes:
        org_id: the organization with its own price; null for everybody.
        version: counts the prices of one action and organization from 1.
        cost_minor: per action, in minor units of credits; null removes the price, so that the general one applies.
    """

    __tablename__ = "action_costs"
    __table_args__ = (
        CheckConstraint("cost_minor >= 0", name="cost"),
        UniqueConstraint("org_id", "action", "version", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    action: Mapped[str] = mapped_column(info={"holds": "financial"})
    version: Mapped[int]
    cost_minor: Mapped[int | None]
    note: Mapped[str | None]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
