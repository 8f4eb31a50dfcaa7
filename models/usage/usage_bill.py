"""Bills of usage in arrears: what events of a month add up to until they are on an invoice."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base
from models.usage.usage import PICO


class UsageBill(Base):
    """What events of one month add up to until they are invoiced. Events name it by month and number.

    Written by the platform's role. Events are added while it is open; a run seals it, and what comes in later opens
    the next number of the month. Sealed, only its invoice is added, once.

    Attributes:
        month: the first day of the month in which its events happened, in the organization's time zone.
        number: counts the bills of a month from 1.
        sealed_at: since when no event is added to it.
        invoice_id: the invoice that its usage is on; null while it is not, and for a bill that came to nothing.
        billed_at: when it was collected.
        discount_bps: by how much its usage was made cheaper, in basis points.
        markup_e6: what was charged beyond the cost of calls of models, in 10^-6 of it; it comes before the discount.
        minor_pico: how many pico a minor unit of the currency is.
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
    """What the events of a bill add up to under one price. Kept by the statement that writes the events.

    Attributes:
        source: `model`, `agent` or `meter`: whose price.
        ref: the model's name, the agent's id, or the meter's number.
        quantity: what a meter counted; zero for the others.
        charged: what credits had paid of the meter's month when the bill was sealed, which is not priced again.
        pico: what it costs; of a meter it is written when the bill is collected.
        line: the number of the invoice's line that it is part of, from 0; null where it came to nothing.
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
    """That an event was taken off its open bill again by an operator. Written by the platform's role; never changes.

    The audit trail says who and why.
    """

    __tablename__ = "usage_voids"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    event: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), primary_key=True)
    voided_at: Mapped[datetime]
