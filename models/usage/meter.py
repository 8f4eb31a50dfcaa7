"""Meters, and what they count by day."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Numeric, Text, UniqueConstraint, false, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class MeterRow(Base):
    """What is counted of events of one type. Made by an organization for itself, or by operators for every one.

    Attributes:
        number: what events and days name it by.
        org_id: null for a meter of the platform, which counts in every organization.
        name: unique among the open meters of its organization, or of the platform.
        property: where in `data` the value stands, with dots between names; null for `count`.
        dimensions: what it is kept by beside the day: attributes of events, or places in `data`.
        price: what its quantity costs, as `domain.usage.charge_model` reads it; null for a meter without a price.
        currency: of the price.
        charged_at: since when the organizations are charged for what it counts; null where they are not.
        closed_at: since when it counts nothing any more.
        is_default: whether the platform made it to charge for calls that it collects and no other meter charges for.
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
    """What a meter counted of one organization on one day in UTC, for one value of one dimension.

    Kept by the statement that writes the events.

    Attributes:
        dimension: `all`, or one of the meter's.
        quantity: the aggregate of the day; of `unique` how many there were.
        latest_at: when the last of its events happened, and `latest_id` which it is.
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
    """One thing that a `unique` meter counted on a day; each counts once there. Rows never change.

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
