"""Departments of organizations, for limits and reports."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.common.base import Base


class Department(Base):
    """A department of an organization. Written for its tenant by the platform's role; rows are never deleted.

    Attributes:
        name: unique among the organization's open departments, ignoring case.
        parent_id: the department above; never changes.
        path: the ids from the topmost department to this one.
        closed_at: since when nothing can be spent for it.
    """

    __tablename__ = "departments"
    __table_args__ = (
        CheckConstraint("cardinality(path) BETWEEN 1 AND 6 AND path[cardinality(path)] = id", name="path"),
        CheckConstraint("(parent_id IS NULL) = (cardinality(path) = 1)", name="parent"),
        Index(
            "uq_departments_name",
            "org_id",
            text("lower(name)"),
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_departments_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str]
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("departments.id"))
    path: Mapped[list[str]] = mapped_column(ARRAY(Text), info={"holds": "identifier"})
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
