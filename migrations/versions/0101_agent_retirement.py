"""Agents are retired.

Revision ID: 0101_agent_retirement
Revises: 0100_events_with_external_ids
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0101_agent_retirement"
down_revision: str | None = "0100_events_with_external_ids"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("agents", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("agents", sa.Column("retired_by", sa.Text(), nullable=True))
    op.create_check_constraint("retired", "agents", "(retired_at IS NULL) = (retired_by IS NULL)")
    run("repositories/sql/agent_retirement.sql")


def downgrade() -> None:
    op.execute("DROP FUNCTION agent_retired_at(text)")
    op.drop_constraint(op.f("ck_agents_retired"), "agents")
    op.drop_column("agents", "retired_by")
    op.drop_column("agents", "retired_at")
