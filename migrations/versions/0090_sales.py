"""A sale for credits is charged and shared by one statement.

Revision ID: 0090_sales
Revises: 0089_net_terms
"""

from alembic import op

from migrations.scripts import run

revision: str = "0090_sales"
down_revision: str | None = "0089_net_terms"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("ledger/sql/sales.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger.sell, ledger.share_sale, ledger.has_owed")
