"""Credits that are bought by themselves when the balance falls below a threshold."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class AutoTopUp(Base):
    """What one organization wants to be bought for it, and whether it is. Written by the platform's role.

    Attributes:
        enabled: whether anything is bought.
        below_minor: the available balance below which it is, in minor units of credits.
        credits_minor: how many are bought at a time; a fall buys the multiple that it needs.
        monthly_cap_minor: how many at most in a calendar month (UTC).
        payment_method: the stored method; the default one when null.
        armed: whether the next fall below the threshold counts. It does again once a payment
            succeeded or expired, or the balance has been above.
        capped_until: no fall counts before then, because it would pass the monthly cap.
        crossings: how many falls have counted.
        failures: how many payments in a row were declined.
        retry_at: when the next one is made if the balance is still below; null where none was declined.
        off_reason: why it was switched off; null when a person did so.
    """

    __tablename__ = "auto_topups"
    __table_args__ = (
        CheckConstraint("below_minor > 0 AND credits_minor > 0", name="amounts"),
        CheckConstraint("monthly_cap_minor >= credits_minor", name="cap"),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    enabled: Mapped[bool]
    below_minor: Mapped[int]
    credits_minor: Mapped[int]
    monthly_cap_minor: Mapped[int]
    payment_method: Mapped[str | None]
    armed: Mapped[bool]
    crossings: Mapped[int]
    off_reason: Mapped[str | None]
    updated_by: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    capped_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    retry_at: Mapped[datetime | None]


class AutoTopUpCrossing(Base):
    """One fall below the threshold, and the one payment that it makes. Written by the platform's role.

    An organization has one open fall at most.

    Attributes:
        number: counts the falls of the organization from 1; with it the command of the payment is named.
        credits_minor: how many are bought: a multiple of `unit_minor`, which was set to be bought at a time.
        payment_id: null until somebody is asked to pay.
        outcome: see `domain.payments.auto_topup.TopUpOutcome`.
    """

    __tablename__ = "auto_topup_crossings"
    __table_args__ = (
        CheckConstraint("outcome IN ('open', 'succeeded', 'declined', 'cancelled', 'expired')", name="outcome"),
        Index("uq_auto_topup_crossings_open", "org_id", unique=True, postgresql_where=text("outcome = 'open'")),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    available_minor: Mapped[int]
    credits_minor: Mapped[int]
    unit_minor: Mapped[int]
    payment_method: Mapped[str | None]
    payment_id: Mapped[str | None]
    outcome: Mapped[str]
