"""What actions cost in credits, version by version.

Revision ID: 0010_action_costs
Revises: 0009_spend_controls
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0010_action_costs"
down_revision: str | None = "0009_spend_controls"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "action_costs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("cost_minor >= 0", name=op.f("ck_action_costs_cost")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_action_costs_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action_costs")),
        sa.UniqueConstraint("command_id", name=op.f("uq_action_costs_command_id")),
        sa.UniqueConstraint(
            "org_id",
            "action",
            "version",
            name=op.f("uq_action_costs_org_id_action_version"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    run("repositories/sql/action_costs.sql")


def downgrade() -> None:
    op.drop_table("action_costs")
