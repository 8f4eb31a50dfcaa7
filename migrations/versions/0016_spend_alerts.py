"""Alerts that are for their organization only, and finding the windows of spend controls that have not ended.

Revision ID: 0016_spend_alerts
Revises: 0015_model_prices
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0016_spend_alerts"
down_revision: str | None = "0015_model_prices"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("for_operators", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.drop_index("ix_alerts_open", "alerts")
    op.create_index(
        "ix_alerts_open",
        "alerts",
        ["id"],
        unique=False,
        postgresql_where=sa.text("acknowledged_at IS NULL AND for_operators"),
    )
    op.create_index("ix_counters_ends_at", "counters", ["ends_at"], unique=False, schema="ledger")


def downgrade() -> None:
    op.drop_index("ix_counters_ends_at", "counters", schema="ledger")
    op.drop_index("ix_alerts_open", "alerts")
    op.create_index(
        "ix_alerts_open", "alerts", ["id"], unique=False, postgresql_where=sa.text("acknowledged_at IS NULL")
    )
    op.drop_column("alerts", "for_operators")
