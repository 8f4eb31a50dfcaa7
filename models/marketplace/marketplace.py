"""Offers of agents on the marketplace, their purchases, and their uses."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

_LISTED = text("status = 'listed'")


class MarketplaceOffer(Base):
    """Offer of an agent. Written by the platform's role; every tenant sees listed offers.

    Attributes:
        price_minor: in minor units of `currency`; both are null for a free or usage-priced agent.
        usage_prices: of a usage-priced agent, the unit price of each meter, in minor units of credits.
        included_uses: the number of uses that a one-time price includes; null for any number.
        creator_bps: the creator's share of a sale in basis points; null unless an operator has set one.
        category: a copy of the agent's category, kept up to date.
        words: the words of name and summary, for searches.
        version: the number of changes, counted by a trigger.
        command_id: the idempotency key of the latest change.
    """

    __tablename__ = "marketplace_offers"
    __table_args__ = (
        CheckConstraint("model IN ('free', 'one_time', 'monthly', 'usage')", name="model"),
        CheckConstraint("status IN ('listed', 'retired')", name="status"),
        CheckConstraint(
            "num_nonnulls(price_minor, currency) = CASE WHEN model IN ('free', 'usage') THEN 0 ELSE 2 END "
            "AND price_minor > 0",
            name="price",
        ),
        CheckConstraint("(usage_prices IS NOT NULL) = (model = 'usage')", name="usage_prices"),
        CheckConstraint("included_uses IS NULL OR included_uses > 0 AND model = 'one_time'", name="included_uses"),
        CheckConstraint("creator_bps BETWEEN 0 AND 10000", name="creator_bps"),
        Index("ix_marketplace_offers_listed", "agent_id", postgresql_where=_LISTED),
        Index("ix_marketplace_offers_model", "model", "agent_id", postgresql_where=_LISTED),
        Index("ix_marketplace_offers_category", "category", "agent_id", postgresql_where=_LISTED),
        Index("ix_marketplace_offers_price", "currency", "price_minor", "agent_id", postgresql_where=_LISTED),
        Index("ix_marketplace_offers_words", "words", postgresql_using="gin", postgresql_where=_LISTED),
    )

    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    model: Mapped[str]
    price_minor: Mapped[int | None]
    currency: Mapped[str | None]
    creator_bps: Mapped[int | None]
    summary: Mapped[str]
    category: Mapped[str | None]
    words: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
    created_at: Mapped[datetime]
    usage_prices: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
    included_uses: Mapped[int | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    command_id: Mapped[str | None]


class MarketplacePurchase(Base):
    """Purchase of an agent by an organization. Written by the platform's role in the transaction of the sale.

    Attributes:
        payee_org_id: the seller.
        price_minor: the price paid, in minor units of `currency`; both are null if it was free.
        tax_minor: the part of the price that is tax; the rest is shared.
        usage_prices: the buyer's unit price of each meter, in minor units of credits; null for other models.
        creator_bps: the creator's share of this sale in basis points.
        creator_minor, commission_minor: the creator's and the platform's share of the price.
        granted_minor: the part of the creator's share that was paid with granted credits.
        taken_minor: the part of the price that was refunded or charged back.
        included_uses: the number of uses that a one-time price includes; null for any number.
        used_minor: the part of the price that was used when a refund was requested, and is not refunded.
        used_by: the used part for each refund of the payment, by the refund's id; that of the completed refund counts.
        payment_id: the payment that paid it; null if it was free, or paid with credits by the spend `spend_id`.
        transfer_id: the transfer that shared the price.
        command_id: the idempotency key of the purchase; `refund_command_id` is that of the refund of a purchase that
            was free or paid with credits.
        anchor_at: the start of the first month of a monthly purchase; `period` is the number of this month.
        ends_at: the end of this month.
        renews_at: the next attempt to pay for the next month; null if it is not renewed.
        tries: the number of attempts to renew it.
        renewed: whether the next month was bought; this one stays active until it is over.
        renewed_from: the purchase of the month before.
    """

    __tablename__ = "marketplace_purchases"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'suspended', 'refunded', 'ended')", name="status"),
        CheckConstraint(
            "num_nonnulls(price_minor, currency, transfer_id) IN (0, 3) AND num_nonnulls(payment_id, spend_id) = "
            "CASE WHEN price_minor IS NULL THEN 0 ELSE 1 END",
            name="paid",
        ),
        CheckConstraint(
            "creator_minor + commission_minor + tax_minor = coalesce(price_minor, 0) "
            "AND least(creator_minor, commission_minor, tax_minor) >= 0 AND granted_minor BETWEEN 0 AND creator_minor "
            "AND least(taken_minor, used_minor) >= 0 AND greatest(taken_minor, used_minor) <= coalesce(price_minor, 0)",
            name="shares",
        ),
        CheckConstraint("(refunded_at IS NOT NULL) = (status = 'refunded')", name="refunded"),
        CheckConstraint(
            "num_nonnulls(anchor_at, period, ends_at) = CASE model WHEN 'monthly' THEN 3 ELSE 0 END "
            "AND (renews_at IS NULL OR status = 'active' AND model = 'monthly') AND tries >= 0",
            name="period",
        ),
        CheckConstraint("(usage_prices IS NOT NULL) = (model = 'usage')", name="usage_prices"),
        Index("ix_marketplace_purchases_renews_at", "renews_at", postgresql_where=text("renews_at IS NOT NULL")),
        Index(
            "ix_marketplace_purchases_ends_at",
            "ends_at",
            postgresql_where=text("status = 'active' AND renews_at IS NULL AND ends_at IS NOT NULL"),
        ),
        Index(
            "uq_marketplace_purchases_owned",
            "org_id",
            "agent_id",
            unique=True,
            postgresql_where=text("status NOT IN ('refunded', 'ended') AND NOT renewed"),
        ),
        Index("ix_marketplace_purchases_org_id_id", "org_id", "id"),
        Index(
            "ix_marketplace_purchases_org_id_bought_at",
            *("org_id", "bought_at"),
            postgresql_where=text("payment_id IS NOT NULL"),
        ),
        Index("ix_marketplace_purchases_org_id_agent_id", "org_id", "agent_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    payee_org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    model: Mapped[str]
    price_minor: Mapped[int | None]
    currency: Mapped[str | None]
    creator_bps: Mapped[int]
    creator_minor: Mapped[int]
    commission_minor: Mapped[int]
    granted_minor: Mapped[int]
    taken_minor: Mapped[int]
    payment_id: Mapped[str | None] = mapped_column(unique=True)
    spend_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    status: Mapped[str]
    bought_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    bought_at: Mapped[datetime]
    refunded_at: Mapped[datetime | None]
    refunded_by: Mapped[str | None]
    anchor_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    renews_at: Mapped[datetime | None]
    period: Mapped[int | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    renewed: Mapped[bool] = mapped_column(server_default=text("false"))
    renewed_from: Mapped[str | None] = mapped_column(ForeignKey("marketplace_purchases.id"), unique=True)
    usage_prices: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
    included_uses: Mapped[int | None]
    used_minor: Mapped[int] = mapped_column(server_default=text("0"))
    tax_minor: Mapped[int] = mapped_column(server_default=text("0"))
    used_by: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"), info={"holds": "financial"})
    refund_command_id: Mapped[str | None]


class MarketplaceAgreedUse(Base):
    """Unpaid use of an agent: reserved, or reported by a usage event.

    Written by the platform's role with the reservation or the event. Its payment writes a `MarketplaceUse` with the
    same id; for a reservation, with the captured quantity.

    Attributes:
        purchase_id: the purchase that entitles the organization to the agent.
        payee_org_id: the seller.
        meter: the meter; `quantity` units of it cost `unit_minor` each, in minor units of credits.
        creator_bps: the creator's share at that time, in basis points.
        spend_id: the reservation; null for a use reported by an event, whose charge names the use.
        tries: the number of refused charges for a reported use.
    """

    __tablename__ = "marketplace_agreed_uses"
    __table_args__ = (
        CheckConstraint(
            "least(quantity, unit_minor) > 0 AND creator_bps BETWEEN 0 AND 10000 AND tries >= 0", name="terms"
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    purchase_id: Mapped[str] = mapped_column(ForeignKey("marketplace_purchases.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    payee_org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    meter: Mapped[str]
    quantity: Mapped[int]
    unit_minor: Mapped[int]
    creator_bps: Mapped[int]
    spend_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    agreed_at: Mapped[datetime]


class MarketplaceUse(Base):
    """Use of a usage-priced agent. Written by the platform's role in the transaction of its charge.

    Attributes:
        purchase_id: the purchase that entitles the organization to the agent.
        payee_org_id: the seller.
        meter: the meter; `quantity` units of it cost `unit_minor` each, in minor units of credits.
        price_minor: the total price; `creator_minor` and `commission_minor` are the shares of creator and platform.
        creator_bps: the creator's share at that time, in basis points.
        granted_minor: the part of the creator's share that was paid with granted credits.
        taken_minor: the part of the price that was refunded or charged back.
        spend_id: the spend that paid the price; `transfer_id` is the transfer that shared it.
    """

    __tablename__ = "marketplace_uses"
    __table_args__ = (
        CheckConstraint("least(quantity, unit_minor) > 0 AND price_minor = quantity * unit_minor", name="price"),
        CheckConstraint(
            "creator_minor + commission_minor = price_minor AND least(creator_minor, commission_minor) >= 0 "
            "AND granted_minor BETWEEN 0 AND creator_minor",
            name="shares",
        ),
        CheckConstraint("taken_minor = CASE WHEN refunded_at IS NULL THEN 0 ELSE price_minor END", name="refunded"),
        Index("ix_marketplace_uses_org_id_used_at", "org_id", "used_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    purchase_id: Mapped[str] = mapped_column(ForeignKey("marketplace_purchases.id"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    payee_org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    meter: Mapped[str]
    quantity: Mapped[int]
    unit_minor: Mapped[int]
    price_minor: Mapped[int]
    creator_bps: Mapped[int]
    creator_minor: Mapped[int]
    commission_minor: Mapped[int]
    granted_minor: Mapped[int]
    taken_minor: Mapped[int]
    spend_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    transfer_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
    used_at: Mapped[datetime]
    refunded_at: Mapped[datetime | None]
    refunded_by: Mapped[str | None]
