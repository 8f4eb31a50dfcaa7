"""What organizations spent on days that are over, so that a summary reads days and not spends."""

from datetime import date
from uuid import UUID

from sqlalchemy import Identity, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SpendRollup(Base):
    """That the spends of an organization on a day in UTC are added up. Written by the platform's role.

    It holds as long as `ledger.credit_days` counts as many spends of the day. What has ended changes by refunds only.

    Attributes:
        spends: how many there were, those that were open included.
        open_spends: reservations that were open, which are not in the rows of `spend_days`.
        captured: what these rows add up to.
    """

    __tablename__ = "spend_rollups"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    spends: Mapped[int]
    open_spends: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)))
    captured: Mapped[int]


class SpendDay(Base):
    """What the ended spends of a day add up to, for one action, agent, department, project and model.

    Attributes:
        captured: charged or captured, what was refunded since included; minor units of credits.
        paid: what was paid for these credits, by currency in minor units; nobody paid for granted ones.
    """

    __tablename__ = "spend_days"
    __table_args__ = (Index("ix_spend_days_org_id_day", "org_id", "day"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    org_id: Mapped[str]
    day: Mapped[date]
    action: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    agent_id: Mapped[str | None]
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    model: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    spends: Mapped[int]
    quantity: Mapped[int]
    captured: Mapped[int]
    paid: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"), info={"holds": "financial"})


class SpendIdRange(Base):
    """Between which ids the spends of a day lie that name a value. Lists of few among many skip what lies between.

    Written with the day's rollup and as true as it: whatever the spends of the day name is here.

    Attributes:
        kind: `all` of them, or what `value` is: action, agent, department, project, run, or a control in which they
            count.
    """

    __tablename__ = "spend_places"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    first_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
    last_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
