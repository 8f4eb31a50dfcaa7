"""The parties of a contract see each other's names.

Revision ID: 0104_party_names
Revises: 0107_organization_status
"""

from alembic import op

from migrations.scripts import run

revision: str = "0104_party_names"
down_revision: str | None = "0107_organization_status"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/party_names.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION tenant_party_names(text, text[])")
