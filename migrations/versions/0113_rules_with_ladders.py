"""Alert rules say who is called when nobody answers; workers share the pace at which Slack is posted to.

Revision ID: 0113_rules_with_ladders
Revises: 0109_paid_calls
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0113_rules_with_ladders"
down_revision: str | None = "0109_paid_calls"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("alert_rules", sa.Column("ladder", postgresql.ARRAY(sa.Text()), nullable=True))
    op.create_check_constraint(op.f("ck_alert_rules_ladder"), "alert_rules", "cardinality(ladder) > 0")
    op.create_table(
        "slack_turns",
        sa.Column("hook", sa.Text(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hook", name=op.f("pk_slack_turns")),
    )
    run("repositories/sql/slack_turns.sql")


def downgrade() -> None:
    op.drop_table("slack_turns")
    op.drop_column("alert_rules", "ladder")
