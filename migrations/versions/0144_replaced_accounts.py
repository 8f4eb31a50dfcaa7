"""An account for payouts that is gone at its provider is replaced.

Revision ID: 0144_replaced_accounts
Revises: 0143_frozen_conversions
"""

from alembic import op

revision: str = "0144_replaced_accounts"
down_revision: str | None = "0143_frozen_conversions"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("GRANT UPDATE (ref, created_by) ON creator_accounts TO bursar_platform")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (ref, created_by) ON creator_accounts FROM bursar_platform")
