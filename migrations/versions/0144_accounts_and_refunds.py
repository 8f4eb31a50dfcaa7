"""An account for payouts that is gone is replaced, and what was used of a purchase is noted for one refund.

Revision ID: 0144_accounts_and_refunds
Revises: 0143_frozen_conversions
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0144_accounts_and_refunds"
down_revision: str | None = "0143_frozen_conversions"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.execute("GRANT UPDATE (ref, created_by) ON creator_accounts TO bursar_platform")
    op.add_column("marketplace_purchases", sa.Column("used_by", JSONB, nullable=False, server_default=sa.text("'{}'")))
    op.execute("GRANT UPDATE (used_by) ON marketplace_purchases TO bursar_platform")


def downgrade() -> None:
    op.drop_column("marketplace_purchases", "used_by")
    op.execute("REVOKE UPDATE (ref, created_by) ON creator_accounts FROM bursar_platform")
