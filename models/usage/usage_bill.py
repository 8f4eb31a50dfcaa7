"""Bills of usage in arrears: sums of events of a month until they are invoiced."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base
from models.usage.usage import PICO


class UsageBill(Base):
    """A bill of a month's usage events, which refer to it by month and number. Written by the platform's role.

    Events are added while it is open; a run seals it, and later events open the next number of the month. After
    sealing, only its invoice is added, once.

    Attributes:
        month: the first day of its events' month, in the organization's time zone.
        number: counts the bills of a month from 1.
        sealed_at: when it was sealed.
        invoice_id: its invoice; null before, and for a bill of zero.
        billed_at: when it was collected.
        discount_bps: the discount on its usage, in basis points.
        markup_e6: the markup on the cost of model calls, in 10^-6 of it, before the discount.
        minor_pico: the pico in a minor unit of the currency.
    """

    __tablename__ = "usage_bills"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(billed_at, discount_bps, markup_e6) IN (0, 3) "
            "AND (billed_at IS NULL OR sealed_at IS NOT NULL) "
            "AND (invoice_id IS NULL OR billed_at IS NOT NULL)",
            name="billed",
        ),
        Index(
            "uq_usage_bills_open",
            "org_id",
            "month",
            "currency",
            unique=True,
            postgresql_where=text("sealed_at IS NULL"),
        ),
        Index("ix_usage_bills_unbilled", "org_id", "month", postgresql_where=text("billed_at IS NULL")),
        Index("ix_usage_bills_invoice_id", "invoice_id"),
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, info={"holds": "identifier"})
    currency: Mapped[str]
    minor_pico: Mapped[Decimal] = mapped_column(PICO)
    opened_at: Mapped[datetime]
    sealed_at: Mapped[datetime | None]
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"))
    billed_at: Mapped[datetime | None]
    discount_bps: Mapped[int | None]
    markup_e6: Mapped[int | None]


class UsageBillSum(Base):
    """Sum of a bill's events by price. Written by the statement that writes the events.

    Attributes:
        source: `model`, `agent` or `meter`, the source of the price.
        ref: the model's name, the agent's id, or the meter's number.
        quantity: of a meter; zero for the others.
        charged: the meter's quantity of the month that credits had paid when the bill was sealed.
        pico: the cost; of a meter it is written when the bill is collected.
        line: the number of its invoice line, from 0; null if it is zero.
    """

    __tablename__ = "usage_bill_sums"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, info={"holds": "identifier"})
    source: Mapped[str] = mapped_column(primary_key=True, info={"holds": "identifier"})
    ref: Mapped[str] = mapped_column(primary_key=True)
    events: Mapped[int]
    quantity: Mapped[Decimal] = mapped_column(Numeric)
    pico: Mapped[Decimal] = mapped_column(PICO)
    line: Mapped[int | None]
    charged: Mapped[Decimal] = mapped_column(Numeric, server_default=text("0"))


class UsageVoid(Base):
    """Removal of an event from its open bill by an operator. Written by the platform's role; immutable.

    The audit trail has the operator and the reason.
    """

    __tablename__ = "usage_voids"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    event: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), primary_key=True)
    voided_at: Mapped[datetime]
