"""Sums of metrics, and their position in the outbox. Only SQL functions write them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Date, Index, Integer, Numeric, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class MetricSum(Base):
    """Sum of a measure of the outbox in a span of time, by asset and labels.

    Attributes:
        seconds: the length of the span: a day (UTC), or a quarter of an hour.
        asset: of amounts, in minor units; empty for counts and seconds.
        labels: the dimensions, such as `{"provider": "stripe"}`.
    """

    __tablename__ = "metric_sums"
    __table_args__ = (
        CheckConstraint("seconds IN (900, 86400)", name="seconds"),
        Index("ix_metric_sums_measure", "measure", "seconds", "starts_at"),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    measure: Mapped[str] = mapped_column(primary_key=True)
    seconds: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[dict[str, Any]] = mapped_column(JSONB, primary_key=True)
    value: Mapped[Decimal] = mapped_column(Numeric)


class ActivePerson(Base):
    """Person with a change on a day (UTC), by the audit log."""

    __tablename__ = "active_people"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    org_id: Mapped[str] = mapped_column(primary_key=True)
    principal: Mapped[str] = mapped_column(primary_key=True)


class MetricPlace(Base):
    """Position of the sums in the outbox, and the day before which the audit log is summed; one row."""

    __tablename__ = "metric_place"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(
        SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"), info={"holds": "technical"}
    )
    written_in: Mapped[int] = mapped_column(server_default=text("0"))
    event_id: Mapped[str] = mapped_column(server_default=text("''"), info={"holds": "technical"})
    people_before: Mapped[date] = mapped_column(Date, server_default=text("'1970-01-01'"))
