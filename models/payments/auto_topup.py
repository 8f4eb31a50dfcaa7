"""Automatic top-ups: settings, and falls of balances below the threshold."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class AutoTopUp(Base):
    """Settings and state of an organization's automatic top-up. Written by the platform's role.

    Attributes:
        enabled: whether credits are bought.
        below_minor: the threshold of the available balance, in minor units of credits.
        credits_minor: the credits of one top-up; a fall buys the multiple that it needs.
        monthly_cap_minor: the maximum in a calendar month (UTC).
        payment_method: the stored method; the default one if null.
        armed: whether the next fall below the threshold counts. It does again once a payment has succeeded or
            expired, or the balance was above the threshold.
        capped_until: no fall counts before this time, because it would exceed the monthly cap.
        crossings: the number of falls that have counted.
        failures: the number of consecutive declines.
        retry_at: when the payment is retried if the balance is still below; null without a decline.
        off_reason: why it was switched off automatically; null if a person did so.
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


class AutoTopUpFall(Base):
    """A fall of the balance below the threshold, and its one payment. Written by the platform's role.

    An organization has at most one open fall.

    Attributes:
        number: counts the falls of the organization from 1; a part of the command id of the payment.
        credits_minor: the credits to buy, a multiple of `unit_minor`, the configured credits of one top-up.
        payment_id: null until the payment is requested.
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
