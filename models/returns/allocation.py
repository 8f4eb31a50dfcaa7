"""How the budget of a project is divided among its agents, and the allocations of its nights."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class AllocationSetting(Base):
    """How a project's money of a day is divided. Written by the platform's role; never deleted.

    Attributes:
        mode: a `domain.returns.allocation.AllocationMode`.
        currency: of the project's budget and those of its agents; amounts are its minor units.
        daily_minor: the money of a day, without what is reinvested.
        floor_e4: the least that an agent gets, in ten-thousandths of an equal share; `ceiling_e4` is the most.
        reinvest_bps: the share of confirmed profit that is reinvested, in ten-thousandths.
        reinvests_from: the first day whose profit counts.
        next_night: the date of the next night, which begins at `next_at`, in the zone of the project's budget.
    """

    __tablename__ = "allocation_settings"
    __table_args__ = (
        CheckConstraint("mode IN ('off', 'propose', 'auto')", name="mode"),
        CheckConstraint("(mode = 'off') = (next_at IS NULL)", name="next"),
        CheckConstraint(
            "daily_minor > 0 AND floor_e4 BETWEEN 0 AND 10000 AND ceiling_e4 >= 10000"
            " AND reinvest_bps BETWEEN 0 AND 10000",
            name="amounts",
        ),
        Index("ix_allocation_settings_org_id", "org_id"),
        Index("ix_allocation_settings_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    mode: Mapped[str]
    currency: Mapped[str]
    daily_minor: Mapped[int]
    floor_e4: Mapped[int] = mapped_column(Integer)
    ceiling_e4: Mapped[int] = mapped_column(Integer)
    reinvest_bps: Mapped[int] = mapped_column(Integer, info={"holds": "technical"})
    reinvests_from: Mapped[date]
    next_night: Mapped[date]
    next_at: Mapped[datetime | None]
    updated_by: Mapped[str]
    updated_at: Mapped[datetime]


class Allocation(Base):
    """What each agent of a project was to get for one day. Written by the platform's role; amounts never change.

    Attributes:
        night: the date of the day.
        total_minor: what was divided, of which `reinvested_minor` was profit.
        lines: `domain.returns.allocation.AllocationLine`, by the id of the agent.
        status: an `AllocationStatus`.
        answer_by: until when it can be accepted; null once it is not proposed any more.
        versions: the version of each budget when the day was divided, by the id of the project or agent that has one.
        left_out: currencies without a rate, whose amounts the figures of the agents leave out.
        priced_at: the price of one credit at which credits and money were converted, `{"amount", "currency"}`.
        is_raised: whether the project's budget of a day is still what this reinvestment raised it to.
        applied_by: the principal that accepted it, or the platform's own where the mode was `auto`.
    """

    __tablename__ = "allocations"
    __table_args__ = (
        CheckConstraint("reinvested_minor BETWEEN 0 AND total_minor", name="amounts"),
        CheckConstraint(
            "status IN ('proposed', 'applied', 'expired') AND (status = 'proposed') = (answer_by IS NOT NULL)"
            " AND (status = 'applied') = (applied_at IS NOT NULL) AND (applied_at IS NULL) = (applied_by IS NULL)",
            name="status",
        ),
        UniqueConstraint("project_id", "night"),
        Index("ix_allocations_org_id_id", "org_id", "id"),
        Index("ix_allocations_applied_at", "applied_at"),
        Index("ix_allocations_proposed", "org_id", "id", postgresql_where=text("status = 'proposed'")),
        Index("ix_allocations_raised", "project_id", postgresql_where=text("is_raised")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    night: Mapped[date]
    currency: Mapped[str]
    total_minor: Mapped[int]
    reinvested_minor: Mapped[int]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    versions: Mapped[dict[str, int]] = mapped_column(JSONB)
    left_out: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"), info={"holds": "technical"})
    priced_at: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    is_raised: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str]
    answer_by: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]
    applied_by: Mapped[str | None]
    created_at: Mapped[datetime]
