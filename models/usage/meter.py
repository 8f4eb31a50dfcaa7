"""Meters, and their daily counts."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Numeric, Text, UniqueConstraint, false, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class MeterRow(Base):
    """A meter of an organization, or of the platform for all organizations.

    Attributes:
        number: the number by which events and daily counts refer to it.
        org_id: null for a meter of the platform, which counts in every organization.
        name: unique among the open meters of its organization, or of the platform.
        property: the path of the value in `data`, with dots between names; null for `count`.
        dimensions: attributes of events, or paths in `data`, to group by besides the day.
        price: of its quantity, as `domain.usage.charge_model` reads it; null for a meter without a price.
        currency: of the price.
        charged_at: when charging began; null if it is not charged.
        closed_at: when counting ended.
        is_default: whether it charges only for collected calls that no other meter charges for.
    """

    __tablename__ = "meters"
    __table_args__ = (
        CheckConstraint("aggregation IN ('sum', 'count', 'max', 'unique', 'latest')", name="aggregation"),
        CheckConstraint("(property IS NULL) = (aggregation = 'count')", name="property"),
        CheckConstraint("(price IS NULL) = (currency IS NULL)", name="price"),
        UniqueConstraint("number"),
        UniqueConstraint("command_id"),
        Index(
            "uq_meters_org_id_name",
            "org_id",
            "name",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_meters_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Identity(always=True), info={"holds": "identifier"})
    org_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str]
    event_type: Mapped[str]
    aggregation: Mapped[str]
    property: Mapped[str | None]
    dimensions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    price: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    currency: Mapped[str | None]
    created_by: Mapped[str]
    command_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    charged_at: Mapped[datetime | None]
    is_default: Mapped[bool] = mapped_column(server_default=false())


class MeterDay(Base):
    """Count of a meter for an organization on a UTC day, by a value of a dimension.

    Written by the statement that writes the events.

    Attributes:
        dimension: `all`, or one of the meter's.
        quantity: the aggregate of the day; of `unique` the number of members.
        latest_at: the time of its latest event, `latest_id`.
    """

    __tablename__ = "meter_days"

    meter: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    events: Mapped[int]
    quantity: Mapped[Decimal] = mapped_column(Numeric)
    latest_at: Mapped[datetime]
    latest_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))


class MeterMember(Base):
    """A member that a `unique` meter counted on a day; each counts once. Rows never change.

    Attributes:
        member: 128 bits of a hash of the value.
    """

    __tablename__ = "meter_members"

    meter: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), primary_key=True)
