"""Catalogue of free options of an organization."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class FreeOptionRow(Base):
    """A free option. Written by the platform's role.

    Attributes:
        name: unique in the organization.
        quota: the maximum uses in a window; null without a limit.
        quota_window: `day`, `week` or `month`, in UTC.
        used: the uses in the window that began at `used_since`, as long as it is the present one.
    """

    __tablename__ = "free_options"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        CheckConstraint("quota > 0 AND (quota IS NULL) = (quota_window IS NULL)", name="quota"),
        CheckConstraint("quota_window IN ('day', 'week', 'month')", name="quota_window"),
        CheckConstraint("used >= 0 AND (used = 0 OR used_since IS NOT NULL)", name="used"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(info={"holds": "free_text"})
    category: Mapped[str] = mapped_column(info={"holds": "free_text"})
    address: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    quota: Mapped[int | None]
    quota_window: Mapped[str | None]
    used: Mapped[int] = mapped_column(server_default=text("0"), info={"holds": "technical"})
    used_since: Mapped[datetime | None]
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
