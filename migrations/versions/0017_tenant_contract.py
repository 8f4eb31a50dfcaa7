"""A function that reads a contract as an organization sees it.

Revision ID: 0017_tenant_contract
Revises: 0016_spend_alerts
"""

from alembic import op

from migrations.scripts import run

revision: str = "0017_tenant_contract"
down_revision: str | None = "0016_spend_alerts"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/tenant_contract.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION tenant_contract(text, text)")
