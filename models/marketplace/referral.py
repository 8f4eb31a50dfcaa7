"""Referrals of organizations by other organizations, and the granted credits."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class Referral(Base):
    """Referral of an organization by another. Created with the organization, and decided once by the sweep.

    Attributes:
        org_id: the referred organization; unique.
        payment_id: its payment that earned the reward.
        referrer_minor, referred_minor: the credits granted to each, in minor units.
        referrer_lot, referred_lot: the lots of the grants; null without a grant.
        reason: the reason for a refusal or a clawback.
        next_at: the next check by the sweep; null once decided, until its payment changes.
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
    reason: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    referrer_minor: Mapped[int] = mapped_column(server_default=text("0"))
    referred_minor: Mapped[int] = mapped_column(server_default=text("0"))
    referrer_lot: Mapped[str | None] = mapped_column(ForeignKey("credit_lots.id"))
    referred_lot: Mapped[str | None] = mapped_column(ForeignKey("credit_lots.id"))
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    taken_back_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
