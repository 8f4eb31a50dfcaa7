"""Daily use of credits by organization, in the schema `ledger`."""

from datetime import date
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from models.books.ledger import SCHEMA
from models.common.base import Base


class CreditDay(Base):
    """An organization's use of credits on a day (UTC), in minor units of credits. Only the books write it.

    It sums up spends, their changes, and expired lots; statistics read it instead of these.

    Attributes:
        used: charged, captured and forced credits, by the day of the charge or capture.
        refunded: refunds made on the day, of any uses.
        expired: expired credits.
        spends: the number of charges and reservations.
        granted_cost: the part of costs that granted credits have paid, in minor units of the credit's currency, with
            decimals; refunds do not lower it.
    """

    __tablename__ = "credit_days"
    __table_args__ = (
        CheckConstraint("least(used, refunded, expired, spends) >= 0", name="counted"),
        Index("ix_credit_days_day", "day"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    used: Mapped[int] = mapped_column(server_default=text("0"))
    refunded: Mapped[int] = mapped_column(server_default=text("0"))
    expired: Mapped[int] = mapped_column(server_default=text("0"))
    spends: Mapped[int] = mapped_column(server_default=text("0"))
    granted_cost: Mapped[Decimal] = mapped_column(Numeric, server_default=text("0"))
