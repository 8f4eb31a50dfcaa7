"""Invoices, their credit notes and payments, and their numbers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, func, text, true
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: The paid and otherwise settled amount of an invoice.
_SETTLED = "paid_minor + prepaid_minor + rounded_minor + credited_minor + written_off_minor"


class InvoiceRow(Base):
    """An invoice or a draft. Amounts are minor units of `currency`.

    The database functions `invoice_edit` and `invoice_finalise` change and finalise a draft. A finalised invoice only
    changes its paid and settled amounts and its status: payments write `paid_minor` in the transaction that moves the
    money (`activities/payments/payment.py`). Rows are never deleted, so numbers have no gaps.

    Attributes:
        number: the display number, given by `invoice_number_page` or on issue; null before.
        series: the sequence of the number.
        lines: `[{"description", "quantity", "unit_minor", …}]`, see `InvoiceLine`; finalised, each has its
            `net_minor`, and its `tax` by code, with `category` and `rate_e6`.
        discounts: `[{"description", "amount_minor" | "share_e4"}]`; finalised, each has its deduction, `taken_minor`.
        taxes: `[{"code", "category", "rate_e6", "taxable_minor", "tax_minor"}]`.
        party: the buyer at the time of finalisation.
        subtotal_minor: the total without tax. For a draft, it and `total_minor` are the sum of the lines.
        prepaid_minor: the amount paid with purchased credits (`prepaid_credits_minor`), less credit notes;
            `granted_minor` and `taxed_minor` are deducted before tax: granted credits, and credits that were taxed
            when they were sold.
        rounded_minor: the amount that no provider can charge, less credit notes.
        credited_minor: the sum of credit notes.
        written_off_minor: the amount given up as a loss.
        issued_at: when it was finalised; for a draft, when it was created. `due_at` is later by the time to pay.
        discarded_at: when a draft was discarded; it never becomes an invoice.
        is_proven: false if the tax was charged without two pieces of evidence for the country.
        paused_for: why it is neither charged nor dunned until an operator decides, see `PausedFor`.
        transfer_id: the transfer that booked the receivable; null if it is zero. `void_transfer_id` reversed it, for
            the command `void_command_id`; `write_off_…` are the same for a write-off.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        CheckConstraint(
            "least(paid_minor, subtotal_minor, tax_minor, prepaid_minor, granted_minor, credited_minor, "
            "written_off_minor, prepaid_credits_minor, granted_credits_minor, taxed_minor, taxed_credits_minor, "
            "rounded_minor) >= 0 "
            "AND total_minor = subtotal_minor + tax_minor "
            f"AND {_SETTLED} <= total_minor",
            name="amounts",
        ),
        CheckConstraint(
            "CASE status WHEN 'draft' THEN num_nonnulls(number, transfer_id, finalise_command_id) = 0 "
            "WHEN 'void' THEN paid_minor = 0 AND finalise_command_id IS NOT NULL "
            "ELSE finalise_command_id IS NOT NULL AND CASE status "
            f"WHEN 'open' THEN {_SETTLED} < total_minor "
            f"WHEN 'paid' THEN {_SETTLED} = total_minor "
            f"WHEN 'uncollectible' THEN {_SETTLED} = total_minor "
            "AND written_off_minor > 0 ELSE false END END",
            name="status",
        ),
        CheckConstraint(
            "num_nonnulls(void_transfer_id, void_command_id) = CASE status WHEN 'void' THEN 2 ELSE 0 END", name="void"
        ),
        CheckConstraint(
            "paused_for IS NULL OR paused_for IN ('refund', 'chargeback') AND status = 'open'", name="paused_for"
        ),
        CheckConstraint("discarded_at IS NULL OR status = 'draft'", name="discarded"),
        Index("ix_invoices_org_id_id", "org_id", "id"),
        Index("ix_invoices_status_id", "status", "id"),
        Index("ix_invoices_org_id_status_id", "org_id", "status", "id"),
        Index(
            "ix_invoices_unnumbered",
            "series",
            "issued_at",
            "id",
            postgresql_where=text("number IS NULL AND status <> 'draft'"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    number: Mapped[str | None] = mapped_column(unique=True)
    status: Mapped[str]
    currency: Mapped[str]
    total_minor: Mapped[int]
    paid_minor: Mapped[int]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, info={"holds": "free_text"})
    note: Mapped[str | None]
    issued_at: Mapped[datetime]
    due_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    void_transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    void_command_id: Mapped[str | None] = mapped_column(unique=True)
    subtotal_minor: Mapped[int] = mapped_column(server_default="0")
    tax_minor: Mapped[int] = mapped_column(server_default="0")
    prepaid_minor: Mapped[int] = mapped_column(server_default="0")
    prepaid_credits_minor: Mapped[int] = mapped_column(server_default="0")
    granted_minor: Mapped[int] = mapped_column(server_default="0")
    granted_credits_minor: Mapped[int] = mapped_column(server_default="0")
    credited_minor: Mapped[int] = mapped_column(server_default="0")
    written_off_minor: Mapped[int] = mapped_column(server_default="0")
    discounts: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, server_default=text("'[]'::jsonb"), info={"holds": "free_text"}
    )
    taxes: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    series: Mapped[str] = mapped_column(server_default="invoice")
    party: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    includes_tax: Mapped[bool] = mapped_column(server_default=false())
    applies_credits: Mapped[bool] = mapped_column(server_default=false())
    is_proven: Mapped[bool] = mapped_column(server_default=true())
    paused_for: Mapped[str | None]
    finalise_command_id: Mapped[str | None] = mapped_column(unique=True)
    write_off_command_id: Mapped[str | None] = mapped_column(unique=True)
    write_off_transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    discarded_at: Mapped[datetime | None]
    taxed_minor: Mapped[int] = mapped_column(server_default="0")
    taxed_credits_minor: Mapped[int] = mapped_column(server_default="0")
    rounded_minor: Mapped[int] = mapped_column(server_default="0")


class CreditNoteRow(Base):
    """A credit note of an invoice, written by an operator; immutable. See `domain/billing/credit_note.py`.

    Attributes:
        amount_minor: with tax: `net_minor` and `tax_minor`.
        parts: `[{"account", "tax", "amount_minor"}]`, the amounts reversed on the platform's accounts; with
            `category` and `rate_e6` if several taxes of the invoice have that code.
        prepaid_minor: the part returned as credits, which are `credits_minor`.
        rounded_minor: the part that was rounded off the invoice.
    """

    __tablename__ = "credit_notes"
    __table_args__ = (
        CheckConstraint(
            "amount_minor > 0 AND amount_minor = net_minor + tax_minor "
            "AND least(net_minor, tax_minor, prepaid_minor, credits_minor, rounded_minor) >= 0 "
            "AND prepaid_minor + rounded_minor <= amount_minor",
            name="amounts",
        ),
        Index("ix_credit_notes_invoice_id_id", "invoice_id", "id"),
        Index("ix_credit_notes_org_id_id", "org_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"))
    number: Mapped[str] = mapped_column(unique=True)
    series: Mapped[str]
    currency: Mapped[str]
    amount_minor: Mapped[int]
    net_minor: Mapped[int]
    tax_minor: Mapped[int]
    prepaid_minor: Mapped[int]
    credits_minor: Mapped[int]
    parts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    reason: Mapped[str]
    issued_at: Mapped[datetime]
    transfer_id: Mapped[UUID] = mapped_column(PG_UUID(as_uuid=True), unique=True)
    created_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    rounded_minor: Mapped[int] = mapped_column(server_default="0")


class InvoicePayment(Base):
    """The amount that one payment has paid of an invoice, less refunds. Written with the payment's events."""

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
    """A sequence without gaps except after restores: the last number that was given or skipped.

    Taking a number locks its row until the transaction ends.
    """

    __tablename__ = "number_sequences"

    name: Mapped[str] = mapped_column(primary_key=True, info={"holds": "technical"})
    last: Mapped[int]


class NumberGap(Base):
    """Skipped numbers of a series, which may have been given before the books were restored. Immutable.

    Written by `manage restore` and `manage skip-numbers` as the owner of the database.
    """

    __tablename__ = "number_gaps"
    __table_args__ = (CheckConstraint("first >= 1 AND last >= first", name="numbers"),)

    name: Mapped[str] = mapped_column(primary_key=True, info={"holds": "technical"})
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
