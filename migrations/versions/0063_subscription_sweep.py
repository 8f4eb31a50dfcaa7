"""From when on each subscription needs a run, so that one that lost its own gets another.

Revision ID: 0063_subscription_sweep
Revises: 0062_accrual_days
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0063_subscription_sweep"
down_revision: str | None = "0062_accrual_days"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """
        UPDATE subscriptions SET wake_at = CASE
            WHEN state ->> 'order' IS NOT NULL OR state -> 'period' ->> 'end' IS NULL THEN updated_at
            ELSE (state -> 'period' ->> 'end')::timestamptz
        END WHERE status <> 'ended' OR state ->> 'order' IS NOT NULL
        """
    )
    op.create_index(
        "ix_subscriptions_wake_at", "subscriptions", ["wake_at"], postgresql_where=sa.text("wake_at IS NOT NULL")
    )
    op.execute("GRANT UPDATE (wake_at) ON subscriptions TO bursar_platform")


def downgrade() -> None:
    op.drop_index("ix_subscriptions_wake_at", "subscriptions")
    op.drop_column("subscriptions", "wake_at")
