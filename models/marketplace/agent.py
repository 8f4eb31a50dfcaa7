"""Agents and their listings."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Agent(Base):
    """Agent of an organization. Written by that organization; every tenant sees public agents.

    The price of a listing is in minor units of its currency; null for free agents, and if each contract agrees on a
    price. `terms` are the bounds of terms that the agent accepts automatically, by term: `{"review_period": {"most":
    259200}}`, as `domain.escrow.contract.Bounds` names them. With `accepts_granted` granted credits may fund its
    escrows. `category` is one of the platform's, for leaderboards. `department_id` and `project_id` are charged for its
    spending; only owners and admins set them. `samples` are objects of a title, a URL and a note. `version` counts the
    changes, by a trigger. `retired_at` is set once: no new work begins after it.
    """

    __tablename__ = "agents"
    __table_args__ = (
        CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
        CheckConstraint("pricing_model IN ('free', 'monthly', 'one_time', 'usage')", name="pricing_model"),
        CheckConstraint("(price_minor IS NULL) = (price_currency IS NULL)", name="price"),
        CheckConstraint("(retired_at IS NULL) = (retired_by IS NULL)", name="retired"),
        Index("ix_agents_org_id", "org_id", "id"),
        Index("ix_agents_public", "id", postgresql_where=text("visibility = 'public'")),
        Index("ix_agents_department_id", "department_id", postgresql_where=text("department_id IS NOT NULL")),
        Index("ix_agents_org_id_public", "org_id", "id", postgresql_where=text("visibility = 'public'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str]
    visibility: Mapped[str]
    pricing_model: Mapped[str]
    price_minor: Mapped[int | None]
    price_currency: Mapped[str | None]
    terms: Mapped[dict[str, dict[str, Any]]] = mapped_column(JSONB, server_default="{}")
    accepts_granted: Mapped[bool] = mapped_column(server_default=true())
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    department_id: Mapped[str | None] = mapped_column(ForeignKey("departments.id"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id"))
    category: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    description: Mapped[str | None]
    retired_at: Mapped[datetime | None]
    retired_by: Mapped[str | None]
    picture_sha256: Mapped[str | None] = mapped_column(info={"holds": "identifier"})
    samples: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]", info={"holds": "free_text"})
