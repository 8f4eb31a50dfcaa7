"""Operators pause what pays a suspended organization by time.

Revision ID: 0117_paused_exits
Revises: 0112_legal_entities
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0117_paused_exits"
down_revision: str | None = "0112_legal_entities"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("timed_exits", sa.Text(), server_default="continue", nullable=False))
    op.create_check_constraint("timed_exits", "organizations", "timed_exits IN ('continue', 'pause')")
    op.execute("GRANT UPDATE (timed_exits) ON organizations TO bursar_platform")


def downgrade() -> None:
    op.drop_column("organizations", "timed_exits")
