"""Webhooks are signed with every key that their endpoint had within a day.

Revision ID: 0139_older_keys
Revises: 0138_net_recalls
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0139_older_keys"
down_revision: str | None = "0138_net_recalls"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("webhook_endpoints", sa.Column("older_keys", JSONB, nullable=False, server_default=sa.text("'[]'")))


def downgrade() -> None:
    """Forget them: the release before signs with the newest two."""
    op.drop_column("webhook_endpoints", "older_keys")
