"""What organizations spent by day, action, agent, department and model, for days that are over.

Revision ID: 0032_spend_days
Revises: 0031_pricing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0032_spend_days"
down_revision: str | None = "0031_pricing"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "spend_rollups",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("spends", sa.BigInteger(), nullable=False),
        sa.Column("open_spends", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "day", name=op.f("pk_spend_rollups")),
    )
    op.create_table(
        "spend_days",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("action", "agent_id", "department_id", "model")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("spends", "quantity", "captured")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_days")),
    )
    op.create_index("ix_spend_days_org_id_day", "spend_days", ["org_id", "day"], unique=False)
    op.create_index(
        "ix_spend_changes_refunds",
        "spend_changes",
        ["org_id", "id"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("kind = 'refund'"),
    )
    run("repositories/sql/spend_days.sql")


def downgrade() -> None:
    op.drop_index("ix_spend_changes_refunds", table_name="spend_changes", schema="ledger")
    op.drop_table("spend_days")
    op.drop_table("spend_rollups")
