"""Runs of monthly invoices, the periods that they invoiced, and items that are invoiced once.

Revision ID: 0057_billing_runs
Revises: 0056_lighter_events
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0057_billing_runs"
down_revision: str | None = "0056_lighter_events"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "billing_runs",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("invoiced", "empty", "failed")),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_billing_runs")),
    )
    amounts = ("charges_minor", "usage_minor", "shortfall_minor", "total_minor")
    op.create_table(
        "billed_periods",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("terms_version", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in amounts),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('invoiced', 'empty', 'failed')", name=op.f("ck_billed_periods_status")),
        sa.CheckConstraint("(failure IS NOT NULL) = (status = 'failed')", name=op.f("ck_billed_periods_failure")),
        sa.CheckConstraint("invoice_id IS NULL OR status = 'invoiced'", name=op.f("ck_billed_periods_invoice")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_billed_periods_org_id_organizations")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_billed_periods_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("org_id", "month", name=op.f("pk_billed_periods")),
    )
    op.create_index("ix_billed_periods_month_status", "billed_periods", ["month", "status", "org_id"], unique=False)
    op.create_index("uq_billed_periods_invoice_id", "billed_periods", ["invoice_id"], unique=True)
    op.create_table(
        "invoice_items",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit_minor", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("quantity > 0 AND unit_minor > 0", name=op.f("ck_invoice_items_amounts")),
        sa.CheckConstraint("num_nonnulls(invoice_id, removed_at) < 2", name=op.f("ck_invoice_items_ended")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_invoice_items_org_id_organizations")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_items_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_items")),
        sa.UniqueConstraint("command_id", name=op.f("uq_invoice_items_command_id")),
    )
    op.create_index(
        "ix_invoice_items_open",
        "invoice_items",
        ["org_id", "id"],
        postgresql_where=sa.text("invoice_id IS NULL AND removed_at IS NULL"),
    )
    op.create_index("ix_invoice_items_org_id_id", "invoice_items", ["org_id", "id"], unique=False)
    op.create_index("ix_invoice_items_invoice_id", "invoice_items", ["invoice_id"], unique=False)
    run("repositories/sql/billing_runs.sql")


def downgrade() -> None:
    for table in ("invoice_items", "billed_periods", "billing_runs"):
        op.drop_table(table)
