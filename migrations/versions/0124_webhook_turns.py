"""Since when a webhook endpoint waits for its turn among those of its organization.

Revision ID: 0124_webhook_turns
Revises: 0123_recovery_shortfalls
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0124_webhook_turns"
down_revision: str | None = "0123_recovery_shortfalls"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("webhook_endpoints", sa.Column("waits_since", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("webhook_endpoints", "waits_since")
