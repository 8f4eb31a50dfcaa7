"""Daily totals of the books; see `ledger/sql/accounting.sql`."""

import uuid
from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, Index, Numeric, PrimaryKeyConstraint, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.books.ledger import SCHEMA
from models.common.base import Base


class AccountingDay(Base):
    """Debits and credits of a line of the chart of accounts on a day (UTC), in minor units of the asset.

    Only the books write it: the sums of entries by effective time, which reports read instead of the entries.
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
    """Earnings and payouts of an agent's account on a day (UTC), in minor units.

    Only the books write it, together with `AccountingDay`. `paid_out` is negative if more payouts were returned than
    made.
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
    """Revenue and expenses of the platform from an organization on a day (UTC), in minor units.

    Only the books write it, together with `AccountingDay` or when revenue is recognised. `org_id` is empty for amounts
    of no organization; `line` is of the chart of accounts; expenses are negative.
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
    """The price of credits that entered and left escrows or an agent's earnings on a day (UTC).

    Only the books write it, when revenue is recognised. In minor units of the price's currency. `org_id` and `agent_id`
    are empty for escrows, which are one line. Returned payouts do not count as leaving.
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
    """Cursor of the daily totals: the last summed transfer. One row, which the batch locks and advances."""

    __tablename__ = "accounting_place"
    __table_args__ = (CheckConstraint("id = 1", name="id"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(
        SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"), info={"holds": "technical"}
    )
    summed: Mapped[uuid.UUID]
