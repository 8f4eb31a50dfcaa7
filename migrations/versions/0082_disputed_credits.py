"""Credits of a subscription's bill are held while its payment is disputed: holds pin lots that are named.

Revision ID: 0082_disputed_credits
Revises: 0081_returns_by_kind
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0082_disputed_credits"
down_revision: str | None = "0081_returns_by_kind"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("subscription_bills", sa.Column("hold_id", sa.UUID(), nullable=True))
    op.execute("GRANT UPDATE (hold_id) ON subscription_bills TO bursar_platform")
    run("ledger/sql/lots.sql")


def downgrade() -> None:
    """Leave the function: the release before calls it as it did."""
    op.drop_column("subscription_bills", "hold_id")
