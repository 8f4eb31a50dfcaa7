"""Who has brought which organization, and what both were granted for it."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Referral(Base):
    """That an organization was referred by another one. Written with it; the sweep decides on it, once.

    Attributes:
        org_id: the one that was referred, once.
        payment_id: its payment for which both were rewarded.
        referrer_minor, referred_minor: what they were granted, in minor units of credits.
        referrer_lot, referred_lot: the grants; null where a side was granted nothing.
        reason: why nothing was granted, or why it went back.
        next_at: when it is looked at; null at the end, until its payment is touched.
    """

    __tablename__ = "referrals"
    __table_args__ = (
        CheckConstraint("org_id <> referrer_org_id", name="other"),
        CheckConstraint("status IN ('waiting', 'rewarded', 'refused', 'taken_back')", name="status"),
        CheckConstraint(
            "(payment_id IS NOT NULL) = (status IN ('rewarded', 'taken_back')) "
            "AND (decided_at IS NULL) = (status = 'waiting') AND least(referrer_minor, referred_minor) >= 0 "
            "AND (referrer_lot IS NOT NULL) = (referrer_minor > 0) "
            "AND (referred_lot IS NOT NULL) = (referred_minor > 0)",
            name="rewards",
        ),
        Index("ix_referrals_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_referrals_referrer_org_id", "referrer_org_id", "org_id"),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    referrer_org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    status: Mapped[str]
    reason: Mapped[str | None]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    referrer_minor: Mapped[int] = mapped_column(server_default=text("0"))
    referred_minor: Mapped[int] = mapped_column(server_default=text("0"))
    referrer_lot: Mapped[str | None] = mapped_column(ForeignKey("credit_lots.id"))
    referred_lot: Mapped[str | None] = mapped_column(ForeignKey("credit_lots.id"))
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    taken_back_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
