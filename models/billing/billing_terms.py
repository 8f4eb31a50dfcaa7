"""Versions of the billing terms agreed with organizations."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class BillingTermsRow(Base):
    """A version of an organization's billing terms. Written by operators; rows never change.

    Attributes:
        version: counts from 1; the newest that has begun is in force.
        starts_at: when it begins to apply to received usage.
        from_month: the first day of the first month that is invoiced by it.
        commitment_minor: the minimum charge for a month's usage, in minor units of `currency`.
        discounts: `[{"from_minor", "discount_bps"}]`, ascending.
        unpaid_limit_minor: the maximum of unbilled and unpaid usage; null for the platform's limit.
        plan_prices: `[{"plan", "interval", "amount_minor", "currency", "price_id"}]`.
    """

    __tablename__ = "billing_terms"
    __table_args__ = (
        CheckConstraint("mode IN ('prepaid', 'arrears')", name="mode"),
        CheckConstraint("commitment_minor >= 0 AND net_days >= 0 AND unpaid_limit_minor >= 0", name="amounts"),
        CheckConstraint("collection_method IN ('charge_automatically', 'send_invoice')", name="collection_method"),
        UniqueConstraint("command_id"),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    starts_at: Mapped[datetime]
    from_month: Mapped[date]
    mode: Mapped[str] = mapped_column(info={"holds": "financial"})
    currency: Mapped[str]
    time_zone: Mapped[str]
    commitment_minor: Mapped[int]
    commitment_from: Mapped[date | None] = mapped_column(info={"holds": "financial"})
    discounts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    net_days: Mapped[int]
    reason: Mapped[str | None]
    created_by: Mapped[str]
    command_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    plan_prices: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    collection_method: Mapped[str] = mapped_column(server_default="charge_automatically")
    unpaid_limit_minor: Mapped[int | None]
