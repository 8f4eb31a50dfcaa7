"""Approvals of operators' actions by another operator."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Approval(Base):
    """A request of an operator that another one decides. Written by the platform's role, decided and used once.

    Attributes:
        action: the requested action on `subject`.
        content: its parameters, for display; `digest` is their SHA-256.
        requested_key: the API key of the request.
        used_by: the command that it was used for.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        # At most one open or unused approval at a time.
        Index(
            "uq_approvals_open",
            "action",
            "subject",
            "digest",
            unique=True,
            postgresql_where=text("status IN ('requested', 'approved')"),
        ),
        Index("ix_approvals_subject", "subject"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str]
    subject: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[str] = mapped_column(info={"holds": "technical"})
    status: Mapped[str]
    requested_by: Mapped[str]
    requested_key: Mapped[str | None]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    used_by: Mapped[str | None] = mapped_column(info={"holds": "identifier"})
    used_at: Mapped[datetime | None]
