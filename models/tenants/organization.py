"""Tenants of the platform."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Organization(Base):
    """Tenant. Written by operators; a tenant sees its own row only. Never deleted.

    `command_id` makes the creation idempotent. `tier` is its plan; only `services/billing/project.py` changes it.
    `version` counts changes, by a trigger. Only `services/tenants/organization.py` sets `status`: no new work unless
    `active`. `status_reason`, `status_by` and `status_at` are of its last change, and `timed_exits` of its last
    suspension. Since `peers_agreed_at` its figures count in comparisons; null without consent.
    """

    __tablename__ = "organizations"
    __table_args__ = (
        CheckConstraint("tier ~ '^[a-z][a-z0-9_]{0,39}$'", name="tier"),
        CheckConstraint("status IN ('active', 'suspended', 'closed')", name="status"),
        CheckConstraint("timed_exits IN ('continue', 'pause')", name="timed_exits"),
        CheckConstraint("(status_at IS NULL) = (status_by IS NULL)", name="status_by"),
        # Next to empty, for charges: each of them asks.
        Index("ix_organizations_stopped", "id", postgresql_where=text("status <> 'active'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    tier: Mapped[str] = mapped_column(server_default="free")
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    version: Mapped[int] = mapped_column(server_default=text("1"))
    status: Mapped[str] = mapped_column(server_default="active")
    status_reason: Mapped[str | None]
    status_by: Mapped[str | None]
    status_at: Mapped[datetime | None]
    timed_exits: Mapped[str] = mapped_column(server_default="continue")
    peers_agreed_at: Mapped[datetime | None]
    picture_sha256: Mapped[str | None] = mapped_column(info={"holds": "identifier"})
