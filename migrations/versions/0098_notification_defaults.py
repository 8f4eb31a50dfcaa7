"""Operators' own defaults for each type of notifications.

Revision ID: 0098_notification_defaults
Revises: 0097_object_metadata
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0098_notification_defaults"
down_revision: str | None = "0097_object_metadata"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "notification_defaults",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_notification_defaults"),
    )
    run("repositories/sql/notification_defaults.sql")


def downgrade() -> None:
    op.drop_table("notification_defaults")
