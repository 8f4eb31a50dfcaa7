"""Rollups of spends by past day, so that summaries read days instead of spends."""

from datetime import date
from uuid import UUID

from sqlalchemy import Identity, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class SpendRollup(Base):
    """Rollup of an organization's spends on a day in UTC. Written by the platform's role.

    It is valid while `ledger.credit_days` has the same number of spends. Ended spends change by refunds only.

    Attributes:
        spends: the number of spends, including open ones.
        open_spends: open reservations, which are not in the rows of `spend_days`.
        captured: the sum of these rows.
    """

    __tablename__ = "spend_rollups"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    spends: Mapped[int]
    open_spends: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)))
    captured: Mapped[int]


class SpendDay(Base):
    """Sum of a day's ended spends for one action, agent, department, project and model.

    Attributes:
        captured: charged or captured, including amounts refunded since; minor units of credits.
        paid: the price of these credits by currency, in minor units; granted ones have none.
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
    """Range of ids of a day's spends with a value, so that filtered lists skip the gaps between ranges.

    Written with the day's rollup, and valid as long as it is.

    Attributes:
        kind: `all` spends, or the kind of `value`: action, agent, department, project, run, or a control that counts
            them.
    """

    __tablename__ = "spend_places"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    first_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
    last_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True))
