"""Uses of secrets: the requests that were made with them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SecretUse(Base):
    """One request with a secret. Written by the platform's role; neither the request nor its answer is kept.

    Attributes:
        meter: the provider by whose prices the answer's usage is charged.
        price_minor: what was held for it, in minor units of credits; null if it is free.
        cost_minor: what was charged; null while it is under way, or if it is free.
        status: `requested`; `answered`; `failed`, nothing was sent or charged; `unknown`, it was charged in full.
        reason: why there is no answer.
        status_code: of the answer.
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
