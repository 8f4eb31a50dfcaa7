"""State of rotations."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SecretRotation(Base):
    """Rotation state of a secret, see `domain.secrets.rotation.Rotation`. Written by the platform's role.

    Attributes:
        grace_seconds: of this rotation; null for the plan's.
        wake_at: the time of its run's next step; null if the secret is not rotated any more.
    """

    __tablename__ = "secret_rotations"
    __table_args__ = (
        CheckConstraint(
            "status IN ('idle', 'waiting', 'created', 'applied', 'tested', 'promoted', 'failed')", name="status"
        ),
        CheckConstraint("number >= 0 AND replaced >= 0 AND failures >= 0 AND grace_seconds >= 0", name="numbers"),
        Index("ix_secret_rotations_org_id", "org_id"),
        Index("ix_secret_rotations_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
    )

    secret_id: Mapped[str] = mapped_column(ForeignKey("secrets.id"), primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    status: Mapped[str]
    number: Mapped[int] = mapped_column(Integer)
    replaced: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime]
    next_at: Mapped[datetime]
    grace_seconds: Mapped[int | None] = mapped_column(Integer)
    asked: Mapped[bool]
    failures: Mapped[int] = mapped_column(Integer)
    detail: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    reported: Mapped[bool]
    wake_at: Mapped[datetime | None]
