"""Runs of monthly invoices, the invoiced periods of organizations, and one-time items."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class BillingRunRow(Base):
    """The run of a month. Written by operators, who start it, and by the worker.

    Attributes:
        month: the first day.
        ready_at: the end of the wait for late usage.
        invoiced: how many organizations have an invoice; `empty` had nothing to pay, and `failed` could not be
            invoiced. Written when the run ends.
        finished_at: when every organization was processed; null while the run continues.
    """

    __tablename__ = "billing_runs"

    month: Mapped[date] = mapped_column(primary_key=True)
    ready_at: Mapped[datetime]
    started_by: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    invoiced: Mapped[int]
    empty: Mapped[int]
    failed: Mapped[int]


class BilledPeriod(Base):
    """The invoiced month of an organization. Its key ensures that a month is invoiced once.

    Written in the transaction of the invoice. Amounts are minor units of `currency`. Only failed rows change.

    Attributes:
        starts_at: of the period, which ends before `ends_at`.
        status: `invoiced`; `empty`: nothing to pay, so no invoice; or `failed`.
        charges_minor: the usage before the discount; `usage_minor` is after it.
        shortfall_minor: the minimum commitment less the usage.
        failure: the error code of a failed row.
    """

    __tablename__ = "billed_periods"
    __table_args__ = (
        CheckConstraint("status IN ('invoiced', 'empty', 'failed')", name="status"),
        CheckConstraint("(failure IS NOT NULL) = (status = 'failed')", name="failure"),
        CheckConstraint("invoice_id IS NULL OR status = 'invoiced'", name="invoice"),
        Index("ix_billed_periods_month_status", "month", "status", "org_id"),
        Index("uq_billed_periods_invoice_id", "invoice_id", unique=True),
    )

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    status: Mapped[str]
    terms_version: Mapped[int]
    currency: Mapped[str]
    charges_minor: Mapped[int]
    usage_minor: Mapped[int]
    shortfall_minor: Mapped[int]
    total_minor: Mapped[int]
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id", deferrable=True, initially="DEFERRED"))
    failure: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    done_at: Mapped[datetime]


class InvoiceItemRow(Base):
    """A one-time item of the organization's next monthly invoice. Written by operators.

    Attributes:
        unit_minor: its unit price in minor units of `currency`.
        invoice_id: the invoice with the item; null until then.
        removed_at: when it was removed.
    """

    __tablename__ = "invoice_items"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND unit_minor > 0", name="amounts"),
        CheckConstraint("num_nonnulls(invoice_id, removed_at) < 2", name="ended"),
        Index(
            "ix_invoice_items_open", "org_id", "id", postgresql_where=text("invoice_id IS NULL AND removed_at IS NULL")
        ),
        Index("ix_invoice_items_org_id_id", "org_id", "id"),
        Index("ix_invoice_items_invoice_id", "invoice_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    currency: Mapped[str]
    description: Mapped[str]
    quantity: Mapped[int]
    unit_minor: Mapped[int]
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"))
    removed_at: Mapped[datetime | None]
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
