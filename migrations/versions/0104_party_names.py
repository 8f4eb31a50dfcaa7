"""The parties of a contract see each other's names.

Revision ID: 0104_party_names
Revises: 0102_scores_after_changes
"""

from alembic import op

from migrations.scripts import run

revision: str = "0104_party_names"
down_revision: str | None = "0102_scores_after_changes"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    run("repositories/sql/party_names.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION tenant_party_names(text, text[])")
