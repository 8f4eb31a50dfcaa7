"""What the command behind an event of an escrow asked for.

Revision ID: 0017_escrow_contents
Revises: 0016_claims
"""

import sqlalchemy as sa
from alembic import op

revision = "0017_escrow_contents"
down_revision = "0016_claims"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("escrow_events", sa.Column("content_hash", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("escrow_events", "content_hash")
