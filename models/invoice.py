"""Invoices, what payments have paid of them, and the numbers that they go by."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class InvoiceRow(Base):
    """What an organization is asked to pay. Amounts are minor units of `currency`.

    Operators issue and void it; what is paid of it is written by `activities/payment.py` alone, in the transaction
    that moves the money. Only `status`, `paid_minor` and what follows them can be updated, so what was issued is what
    is paid; rows are never deleted, so their numbers have no gaps.

    Attributes:
        number: what people call it; numbers follow each other without a gap.
        lines: `[{"description", "quantity", "unit_minor"}]`.
        transfer_id: of what is receivable; `void_transfer_id` of what took that back, and `void_command_id` of who
            asked for it.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        CheckConstraint("total_minor > 0 AND paid_minor BETWEEN 0 AND total_minor", name="amounts"),
        CheckConstraint(
            "CASE status WHEN 'open' THEN paid_minor < total_minor WHEN 'paid' THEN paid_minor = total_minor "
            "WHEN 'void' THEN paid_minor = 0 ELSE false END",
            name="status",
        ),
        CheckConstraint(
            "num_nonnulls(void_transfer_id, void_command_id) = CASE status WHEN 'void' THEN 2 ELSE 0 END", name="void"
        ),
        Index("ix_invoices_org_id_id", "org_id", "id"),
        Index("ix_invoices_status_id", "status", "id"),
        Index("ix_invoices_org_id_status_id", "org_id", "status", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    number: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str]
    currency: Mapped[str]
    total_minor: Mapped[int]
    paid_minor: Mapped[int]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    note: Mapped[str | None]
    issued_at: Mapped[datetime]
    due_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    transfer_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    void_transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    void_command_id: Mapped[str | None] = mapped_column(unique=True)


class InvoicePayment(Base):
    """What one payment has paid of an invoice, less what was taken back. Written with the payment's events."""

    __tablename__ = "invoice_payments"
    __table_args__ = (
        CheckConstraint("amount_minor >= 0", name="amount"),
        Index("ix_invoice_payments_payment_id", "payment_id"),
    )

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    org_id: Mapped[str]
    amount_minor: Mapped[int]
    updated_at: Mapped[datetime]


class NumberSequence(Base):
    """Numbers without gaps: the last one that was given. Its row is locked from then until the transaction ends."""

    __tablename__ = "number_sequences"

    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int]
