"""Uses of secrets in requests."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SecretUse(Base):
    """Request with a secret. Written by the platform's role; neither request nor response is stored.

    Attributes:
        meter: the provider whose prices charge the usage in the response.
        price_minor: the hold, in minor units of credits; null if it is free.
        cost_minor: the charge; null while it is under way, or if it is free.
        status: `requested`; `answered`; `failed`: nothing was sent or charged; `unknown`: charged in full.
        reason: the reason for a missing response.
        status_code: of the response.
    """

    __tablename__ = "secret_uses"
    __table_args__ = (
        CheckConstraint(
            "status IN ('requested', 'answered', 'failed', 'unknown')"
            " AND (status = 'requested') = (ended_at IS NULL) AND (status = 'answered') = (status_code IS NOT NULL)"
            " AND (status IN ('failed', 'unknown')) = (reason IS NOT NULL)",
            name="status",
        ),
        CheckConstraint(
            "price_minor > 0 AND cost_minor >= 0"
            " AND (cost_minor IS NOT NULL) = (status <> 'requested' AND price_minor IS NOT NULL)",
            name="cost",
        ),
        Index("ix_secret_uses_org_id", "org_id"),
        Index("ix_secret_uses_ended_at", "ended_at"),
        Index("ix_secret_uses_requested", "created_at", postgresql_where=text("status = 'requested'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    secret_id: Mapped[str] = mapped_column(ForeignKey("secrets.id"))
    version: Mapped[int] = mapped_column(Integer)
    grant_id: Mapped[str] = mapped_column(ForeignKey("secret_grants.id"))
    agent_id: Mapped[str | None]
    host: Mapped[str]
    method: Mapped[str]
    meter: Mapped[str | None]
    price_minor: Mapped[int | None]
    cost_minor: Mapped[int | None]
    status: Mapped[str]
    reason: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    status_code: Mapped[int | None] = mapped_column(Integer)
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
