"""Drafts of invoices can be discarded.

Revision ID: 0066_discarded_drafts
Revises: 0065_invoices_at_once
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0066_discarded_drafts"
down_revision: str | None = "0065_invoices_at_once"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_invoices_discarded"), "invoices", "discarded_at IS NULL OR status = 'draft'"
    )
    run("repositories/sql/billing.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION invoice_discard")
    op.drop_constraint(op.f("ck_invoices_discarded"), "invoices")
    op.drop_column("invoices", "discarded_at")
