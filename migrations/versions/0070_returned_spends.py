"""What a purchase gives back goes back into the limits into which it counted.

Revision ID: 0070_returned_spends
Revises: 0069_approvals
"""

from alembic import op

from migrations.scripts import run

revision: str = "0070_returned_spends"
down_revision: str | None = "0069_approvals"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for name in ("spend_changes", "spend_tenants"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger.returned_by")
