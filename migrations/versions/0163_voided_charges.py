"""An operator can void the charge of a usage event that waits and that nothing else ends; usage is found by its agent.

The index of days by agent was made for a dimension that no day has.

Revision ID: 0163_voided_charges
Revises: 0161_reputation_follows
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0163_voided_charges"
down_revision: str | None = "0161_reputation_follows"
branch_labels: str | None = None
depends_on: str | None = None

_RULE = "voided_at IS NULL OR num_nonnulls(spend_id, waits_for) = 0"


def upgrade() -> None:
    op.add_column("usage_charges", sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True))
    # No row has the new column, so none is read for it.
    op.create_check_constraint("voided", "usage_charges", _RULE, postgresql_not_valid=True)
    run("repositories/sql/usage_charges.sql")
    _index("agent_id")


def downgrade() -> None:
    op.execute("DROP TRIGGER stays_void ON usage_charges")
    op.drop_column("usage_charges", "voided_at")
    _index("agent")


def _index(dimension: str) -> None:
    op.drop_index("ix_usage_days_agent", "usage_days")
    op.create_index(
        "ix_usage_days_agent", "usage_days", ["value", "day"], postgresql_where=sa.text(f"dimension = '{dimension}'")
    )
