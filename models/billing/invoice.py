"""Invoices, what payments have paid of them, and the numbers that they go by."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, func, text, true
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: What needs no more payment of an invoice.
_SETTLED = "paid_minor + prepaid_minor + rounded_minor + credited_minor + written_off_minor"


class InvoiceRow(Base):
    """What an organization is asked to pay. Amounts are minor units of `currency`.

    A draft is changed by `invoice_edit` and becomes an invoice by `invoice_finalise`, functions of the
    database. From then on only what is paid, settled or ended of it changes, so what was finalised is what is paid:
    payments write `paid_minor` in the transaction that moves the money (`activities/payments/payment.py`). Rows are
    never deleted, so their numbers have no gaps.

    Attributes:
        number: what people call it, given by `invoice_number_page` or when it is issued; none before.
        series: which sequence the number is of.
        lines: `[{"description", "quantity", "unit_minor", …}]`, see `InvoiceLine`; finalised, each has its
            `net_minor`, and its `tax` by code, with `category` and `rate_e6`.
        discounts: `[{"description", "amount_minor" | "share_e4"}]`; finalised, each has what it
            took off, `taken_minor`.
        taxes: `[{"code", "category", "rate_e6", "taxable_minor", "tax_minor"}]`.
        party: who was billed, as it was when the invoice was finalised.
        subtotal_minor: without tax. Of a draft it and `total_minor` are the lines' sum.
        prepaid_minor: what purchased credits pay of the total, less what credit notes gave back of them, and
            `prepaid_credits_minor` these credits; `granted_minor` what granted ones took off before tax, and
            `taxed_minor` those that were taxed when they were sold.
        rounded_minor: what is left off the rest of the total, because no provider can charge it, less what credit
            notes took back of it.
        credited_minor: what credit notes took back.
        written_off_minor: what was given up.
        issued_at: when it was finalised; of a draft, when it was made. `due_at` is as long after it as there is to pay.
        discarded_at: since when a draft is none any more; it never becomes an invoice.
        is_proven: false where the tax was charged without two pieces of evidence for the country.
        paused_for: why it is neither charged nor dunned until an operator decides, see `PausedFor`.
        transfer_id: of what is receivable, none where nothing is; `void_transfer_id` of what took that back, and
            `void_command_id` of who asked for it; `write_off_…` the same for what was given up.
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
    """What is taken back of an invoice, written once by an operator; see `domain/billing/credit_note.py`.

    Attributes:
        amount_minor: with tax: `net_minor` and `tax_minor`.
        parts: `[{"account", "tax", "amount_minor"}]`, what was taken back from which account of the platform; with
            `category` and `rate_e6` where several taxes of the invoice have that code.
        prepaid_minor: how much of the amount went back as credits, and `credits_minor` these credits.
        rounded_minor: how much of it nobody had to pay, because it was rounded off the invoice.
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
    """Numbers without gaps but those of restores: the last one that was given or passed over.

    Its row is locked from then until the transaction ends.
    """

    __tablename__ = "number_sequences"

    name: Mapped[str] = mapped_column(primary_key=True, info={"holds": "technical"})
    last: Mapped[int]


class NumberGap(Base):
    """Numbers of a series that are never given, because they may have been before the books were restored. Immutable.

    Written by the owner of the database alone, by `manage restore` and `manage skip-numbers`.
    """

    __tablename__ = "number_gaps"
    __table_args__ = (CheckConstraint("first >= 1 AND last >= first", name="numbers"),)

    name: Mapped[str] = mapped_column(primary_key=True, info={"holds": "technical"})
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
