"""Invoices, their payments and their numbers.

Revision ID: 0007_receivables
Revises: 0006_reconciliations
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0007_receivables"
down_revision: str | None = "0006_reconciliations"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "number_sequences",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_number_sequences")),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("void_transfer_id", sa.UUID(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("void_command_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "CASE status WHEN 'open' THEN paid_minor < total_minor WHEN 'paid' THEN paid_minor = total_minor WHEN 'void' THEN paid_minor = 0 ELSE false END",
            name=op.f("ck_invoices_status"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(void_transfer_id, void_command_id) = CASE status WHEN 'void' THEN 2 ELSE 0 END",
            name=op.f("ck_invoices_void"),
        ),
        sa.CheckConstraint(
            "total_minor > 0 AND paid_minor BETWEEN 0 AND total_minor", name=op.f("ck_invoices_amounts")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_invoices_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("command_id", name=op.f("uq_invoices_command_id")),
        sa.UniqueConstraint("number", name=op.f("uq_invoices_number")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_invoices_transfer_id")),
        sa.UniqueConstraint("void_command_id", name=op.f("uq_invoices_void_command_id")),
        sa.UniqueConstraint("void_transfer_id", name=op.f("uq_invoices_void_transfer_id")),
    )
    op.create_index("ix_invoices_org_id_id", "invoices", ["org_id", "id"], unique=False)
    op.create_index("ix_invoices_org_id_status_id", "invoices", ["org_id", "status", "id"], unique=False)
    op.create_index("ix_invoices_status_id", "invoices", ["status", "id"], unique=False)
    op.create_table(
        "invoice_payments",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_invoice_payments_amount")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_payments_invoice_id_invoices")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_invoice_payments_payment_id_payments")),
        sa.PrimaryKeyConstraint("invoice_id", "payment_id", name=op.f("pk_invoice_payments")),
    )
    op.create_index("ix_invoice_payments_payment_id", "invoice_payments", ["payment_id"], unique=False)
    run("repositories/sql/invoices.sql")


def downgrade() -> None:
    for table in (
        "invoice_payments",
        "invoices",
        "number_sequences",
    ):
        op.drop_table(table)
