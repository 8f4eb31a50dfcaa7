"""Billing terms, and bills of usage in arrears.

Revision ID: 0048_usage_bills
Revises: 0047_mails
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0048_usage_bills"
down_revision: str | None = "0047_mails"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "billing_terms",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_month", sa.Date(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("commitment_minor", sa.BigInteger(), nullable=False),
        sa.Column("commitment_from", sa.Date(), nullable=True),
        sa.Column("discounts", postgresql.JSONB(), nullable=False),
        sa.Column("net_days", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("mode IN ('prepaid', 'arrears')", name=op.f("ck_billing_terms_mode")),
        sa.CheckConstraint("commitment_minor >= 0 AND net_days >= 0", name=op.f("ck_billing_terms_amounts")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_billing_terms_org_id_organizations")),
        sa.PrimaryKeyConstraint("org_id", "version", name=op.f("pk_billing_terms")),
        sa.UniqueConstraint("command_id", name=op.f("uq_billing_terms_command_id")),
    )
    op.create_table(
        "usage_bills",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("minor_pico", sa.Numeric(38, 0), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("billed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discount_bps", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(billed_at, discount_bps) IN (0, 2) AND (billed_at IS NULL OR sealed_at IS NOT NULL) AND (invoice_id IS NULL OR billed_at IS NOT NULL)",
            name=op.f("ck_usage_bills_billed"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_usage_bills_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("org_id", "month", "number", name=op.f("pk_usage_bills")),
    )
    op.create_index(
        "uq_usage_bills_open",
        "usage_bills",
        ["org_id", "month", "currency"],
        unique=True,
        postgresql_where=sa.text("sealed_at IS NULL"),
    )
    op.create_index(
        "ix_usage_bills_unbilled", "usage_bills", ["org_id", "month"], postgresql_where=sa.text("billed_at IS NULL")
    )
    op.create_index("ix_usage_bills_invoice_id", "usage_bills", ["invoice_id"], unique=False)
    op.create_table(
        "usage_bill_sums",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("pico", sa.Numeric(38, 0), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "month", "number", "source", "ref", name=op.f("pk_usage_bill_sums")),
    )
    op.add_column("usage_events", sa.Column("bill_month", sa.Date(), nullable=True))
    op.add_column("usage_events", sa.Column("bill", sa.BigInteger(), nullable=True))
    run("repositories/sql/usage_bills.sql")


def downgrade() -> None:
    op.drop_column("usage_events", "bill")
    op.drop_column("usage_events", "bill_month")
    for table in ("usage_bill_sums", "usage_bills", "billing_terms"):
        op.drop_table(table)
