"""What the books come to by day and line of the chart of accounts; see `ledger/sql/accounting.sql`."""

import uuid
from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, Index, Numeric, PrimaryKeyConstraint, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.books.ledger import SCHEMA
from models.common.base import Base


class AccountingDay(Base):
    """What went out of the accounts of one line on one day (UTC), and what came in, in minor units of the asset.

    Only the books write it. It adds up from entries, by business time; reports read it instead of them.
    """

    __tablename__ = "accounting_days"
    __table_args__ = (
        CheckConstraint("least(debits, credits) >= 0", name="counted"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    line: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True, info={"holds": "financial"})
    asset: Mapped[str] = mapped_column(primary_key=True)
    debits: Mapped[Decimal] = mapped_column(Numeric)
    credits: Mapped[Decimal] = mapped_column(Numeric)


class EarningDay(Base):
    """What came into one account of an agent on one day (UTC), and what was paid out of it, in minor units.

    Only the books write it, when the place of the days above moves. `paid_out` is negative where more came back than
    left.
    """

    __tablename__ = "earning_days"
    __table_args__ = (
        CheckConstraint("earned >= 0", name="counted"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    account_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, info={"holds": "financial"})
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    earned: Mapped[int]
    paid_out: Mapped[int]


class RevenueDay(Base):
    """What an organization brought in revenue and cost in expenses on one day (UTC), in minor units.

    Only the books write it, when the place of the days or of revenue moves. `org_id` is empty for what belongs to none;
    `line` is one of the chart; expenses are negative.
    """

    __tablename__ = "revenue_days"
    __table_args__ = (
        PrimaryKeyConstraint("day", "org_id", "line", "asset"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    line: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]


class CostDay(Base):
    """The money paid for credits that came into escrows or an agent's earnings on one day (UTC), and left them.

    Only the books write it, when the place of revenue moves. In minor units of the currency that was paid. `org_id` and
    `agent_id` are those of the agent, and empty for escrows, which are one line. Payouts that came back have not left.
    """

    __tablename__ = "cost_days"
    __table_args__ = (Index("ix_cost_days_day", "day"), {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}})

    org_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    line: Mapped[str] = mapped_column(primary_key=True)
    agent_id: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(primary_key=True)
    came: Mapped[int]
    went: Mapped[int]


class AccountingCursor(Base):
    """Up to which transfer days are added up; one row, which the batch locks and moves on."""

    __tablename__ = "accounting_place"
    __table_args__ = (CheckConstraint("id = 1", name="id"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(
        SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"), info={"holds": "technical"}
    )
    summed: Mapped[uuid.UUID]
