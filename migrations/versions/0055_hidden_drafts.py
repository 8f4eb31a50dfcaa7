"""Drafts of invoices are hidden from the organizations that they are for.

Revision ID: 0055_hidden_drafts
Revises: 0054_subscriptions
"""

from alembic import op

from migrations.scripts import run

revision: str = "0055_hidden_drafts"
down_revision: str | None = "0054_subscriptions"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/billing.sql")


def downgrade() -> None:
    op.execute("DROP POLICY tenant_reads ON invoices")
    op.execute("CREATE POLICY tenant_reads ON invoices FOR SELECT TO bursar_api USING (org_id = bursar_org())")
