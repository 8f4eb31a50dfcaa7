"""Tenants of the platform."""

from datetime import datetime

from sqlalchemy import CheckConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Organization(Base):
    """One tenant. Written by operators; a tenant sees its own row only. Rows are never deleted.

    `command_id` is the command that made the row: running that command again finds it instead of making another.
    `tier` is the plan that it is on; only `services/project.py` changes it.
    `version` counts the changes, by a trigger.
    """

    __tablename__ = "organizations"
    __table_args__ = (CheckConstraint("tier ~ '^[a-z][a-z0-9_]{0,39}$'", name="tier"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    tier: Mapped[str] = mapped_column(server_default="free")
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
