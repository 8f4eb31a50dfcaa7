"""Charges of several organizations in one statement.

Revision ID: 0051_charges_together
Revises: 0050_accounting
"""

from alembic import op

from migrations.scripts import run

revision: str = "0051_charges_together"
down_revision: str | None = "0050_accounting"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/spend_together.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger.charge_together")
