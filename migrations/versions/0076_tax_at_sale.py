"""Credits can be taxed when they are sold: lots know it, and each movement of such a sale has a tax document.

Revision ID: 0076_tax_at_sale
Revises: 0075_agreed_prices
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0076_tax_at_sale"
down_revision: str | None = "0075_agreed_prices"
branch_labels: str | None = None
depends_on: str | None = None

_AMOUNTS = (
    "least(paid_minor, subtotal_minor, tax_minor, prepaid_minor, granted_minor, credited_minor, written_off_minor, "
    "prepaid_credits_minor, granted_credits_minor{more}) >= 0 AND total_minor = subtotal_minor + tax_minor "
    "AND paid_minor + prepaid_minor + credited_minor + written_off_minor <= total_minor"
)


def upgrade() -> None:
    for name in ("taxed_minor", "taxed_credits_minor"):
        op.add_column("invoices", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    op.drop_constraint(op.f("ck_invoices_amounts"), "invoices")
    op.create_check_constraint(
        op.f("ck_invoices_amounts"), "invoices", _AMOUNTS.format(more=", taxed_minor, taxed_credits_minor")
    )
    op.create_table(
        "tax_receipts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("movement", "number", "series", "currency")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("gross_minor", "net_minor", "tax_minor")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tax_code", "category")),
        sa.Column("rate_e6", sa.BigInteger(), nullable=False),
        sa.Column("party", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "gross_minor <> 0 AND gross_minor = net_minor + tax_minor", name=op.f("ck_tax_receipts_amounts")
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_tax_receipts_org_id_organizations")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_tax_receipts_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_receipts")),
        sa.UniqueConstraint("number", name=op.f("uq_tax_receipts_number")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_tax_receipts_transfer_id")),
        sa.UniqueConstraint("payment_id", "movement", name="uq_tax_receipts_movement"),
    )
    op.create_index("ix_tax_receipts_org_id_id", "tax_receipts", ["org_id", "id"])
    run("ledger/sql/lots.sql")
    for name in ("billing", "billing_runs", "tax_receipts"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    """Leave the column of lots and the functions: the release before calls them as it did."""
    op.drop_table("tax_receipts")
    op.drop_constraint(op.f("ck_invoices_amounts"), "invoices")
    op.create_check_constraint(op.f("ck_invoices_amounts"), "invoices", _AMOUNTS.format(more=""))
    for name in ("taxed_credits_minor", "taxed_minor"):
        op.drop_column("invoices", name)
