"""Keys of agents can have permissions beyond those of their role.

Revision ID: 0185_permissions_of_keys
Revises: 0182_postings_in_line
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0185_permissions_of_keys"
down_revision: str | None = "0182_postings_in_line"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column(
        "api_keys", sa.Column("permissions", sa.ARRAY(sa.Text), server_default=sa.text("'{}'"), nullable=False)
    )
    op.create_check_constraint(
        "permissions", "api_keys", "permissions = '{}' OR role = 'agent' AND permissions <@ '{read_billing}'"
    )
    run("repositories/sql/api_key_permissions.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION api_key_permissions(text)")
    op.drop_column("api_keys", "permissions")
