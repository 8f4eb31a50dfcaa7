"""Subscriptions: their present state, their timeline, their paid bills, and the credits that they granted."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SubscriptionRow(Base):
    """The present state of a subscription. `state` is complete; the other columns are copies for queries.

    Rows are never deleted. `wake_at` is the time from which the subscription needs a workflow run; null when nothing
    is pending. An organization has at most one subscription that has not ended.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("provider", "provider_ref"),
        Index("ix_subscriptions_org_id_id", "org_id", "id"),
        Index("ix_subscriptions_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
        Index("uq_subscriptions_org_id", "org_id", unique=True, postgresql_where=text("status <> 'ended'")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    provider: Mapped[str]
    provider_ref: Mapped[str | None]
    status: Mapped[str]
    plan: Mapped[str]
    version: Mapped[int]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "financial"})
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    wake_at: Mapped[datetime | None]


class SubscriptionTrial(Base):
    """A trial that was used. Each organization gets one, and each card.

    `card` is a digest of the card's fingerprint; null until the card is entered on the provider's page.
    """

    __tablename__ = "subscription_trials"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    card: Mapped[str | None] = mapped_column(unique=True, info={"holds": "identifier"})
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscriptions.id"))
    began_at: Mapped[datetime]


class SubscriptionEventRow(Base):
    """A step of a subscription: who did what when, and the state after it. Immutable.

    `at` is business time, `recorded_at` the database's own.
    """

    __tablename__ = "subscription_events"
    __table_args__ = (UniqueConstraint("subscription_id", "command_id"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscriptions.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    status: Mapped[str]
    actor: Mapped[str]
    command_id: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, info={"holds": "financial"})
    at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class SubscriptionBill(Base):
    """A bill of the provider that was paid or is due on net terms; unique by the provider's id.

    Amounts are minor units of `currency`.

    Attributes:
        invoice_id: our invoice for it, the tax document.
        payment_id: the payment that mirrors it, where the provider names one.
        gross_minor: the amount received, or due, with tax; `amount_minor` is without tax.
        for_credits_minor: the part of `amount_minor` that its credits cost; the rest is for the plan itself.
        granted_minor: the part attributed to granted credits that were not clawed back; `accrued_minor` is the part
            recognised as revenue.
        returned_minor: the part attributed to credits that were clawed back.
        credited_minor: the sum of its credit notes, without tax.
        left_out: months of a year that granted less, because their money was disputed or refunded. The rest is granted
            once the bill is paid again.
        hold_id: the hold on the remaining credits while the payment is disputed.
        settled_at: when Bursar saw that it is paid; null while it is due on net terms.
        accrued_on: the last UTC day whose revenue is booked; initially the day before the first that earns revenue.
    """

    __tablename__ = "subscription_bills"
    __table_args__ = (
        CheckConstraint("amount_minor BETWEEN 0 AND gross_minor AND gross_minor > 0", name="amount"),
        CheckConstraint("for_credits_minor BETWEEN granted_minor AND amount_minor", name="for_credits"),
        CheckConstraint(
            "least(granted_minor, accrued_minor, returned_minor, credited_minor) >= 0 "
            "AND granted_minor + accrued_minor + credited_minor <= amount_minor",
            name="given",
        ),
        CheckConstraint("period_start < period_end", name="period"),
        Index("ix_subscription_bills_subscription_id", "subscription_id"),
        Index("ix_subscription_bills_org_id", "org_id"),
        Index(
            "ix_subscription_bills_deferred",
            "accrued_on",
            "provider",
            "bill_ref",
            postgresql_where=text("granted_minor + accrued_minor + credited_minor < amount_minor"),
        ),
    )

    provider: Mapped[str] = mapped_column(primary_key=True)
    bill_ref: Mapped[str] = mapped_column(primary_key=True)
    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscriptions.id"))
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"), unique=True)
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), unique=True)
    currency: Mapped[str]
    gross_minor: Mapped[int]
    amount_minor: Mapped[int]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    for_credits_minor: Mapped[int]
    granted_minor: Mapped[int] = mapped_column(server_default=text("0"))
    accrued_minor: Mapped[int] = mapped_column(server_default=text("0"))
    accrued_on: Mapped[date]
    settled_at: Mapped[datetime | None]
    returned_minor: Mapped[int] = mapped_column(server_default=text("0"))
    credited_minor: Mapped[int] = mapped_column(server_default=text("0"))
    hold_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    left_out: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, server_default=text("'[]'"), info={"holds": "financial"}
    )


class SubscriptionGrant(Base):
    """Credits that a subscription granted; unique by their key. Immutable.

    `paid_minor` is the part of the bill that is attributed to them, in the bill's currency.
    """

    __tablename__ = "subscription_grants"
    __table_args__ = (CheckConstraint("credits_minor > 0 AND paid_minor >= 0", name="amounts"),)

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscriptions.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    bill_ref: Mapped[str]
    lot_id: Mapped[str] = mapped_column(ForeignKey("credit_lots.id"), unique=True)
    credits_minor: Mapped[int]
    paid_minor: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    transfer_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), unique=True)
