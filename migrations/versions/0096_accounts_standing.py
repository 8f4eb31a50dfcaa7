"""An organization's accounts are found without those of the escrows that it ever had.

Revision ID: 0096_accounts_standing
Revises: 0095_mail_suppressions
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0096_accounts_standing"
down_revision: str | None = "0095_mail_suppressions"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_index(
        "ix_accounts_standing",
        "accounts",
        ["org_id"],
        schema="ledger",
        postgresql_where=sa.text("path NOT LIKE 'escrow/%'"),
    )


def downgrade() -> None:
    op.drop_index("ix_accounts_standing", "accounts", schema="ledger")
