"""How many calls a day an agent takes, and the index by which those of all organizations are found.

Revision ID: 0044_demand_of_calls
Revises: 0043_reputation_levels
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0044_demand_of_calls"
down_revision: str | None = "0043_reputation_levels"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("pricing_agents", sa.Column("calls_per_day", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_pricing_agents_calls"), "pricing_agents", "calls_per_day > 0")
    op.create_index(
        "ix_usage_days_agent", "usage_days", ["value", "day"], postgresql_where=sa.text("dimension = 'agent'")
    )
    run("repositories/sql/pricing.sql")


def downgrade() -> None:
    op.drop_index("ix_usage_days_agent", "usage_days")
    op.drop_column("pricing_agents", "calls_per_day")
