"""Bills of subscriptions know which months of a year were left out while their money was disputed.

Revision ID: 0111_months_left_out
Revises: 0116_platform_auditor
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0111_months_left_out"
down_revision: str | None = "0116_platform_auditor"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("subscription_bills", sa.Column("left_out", JSONB(), server_default="[]", nullable=False))
    op.execute("GRANT UPDATE (left_out) ON subscription_bills TO bursar_platform")


def downgrade() -> None:
    op.drop_column("subscription_bills", "left_out")
