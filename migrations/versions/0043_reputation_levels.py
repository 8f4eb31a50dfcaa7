"""Levels by reputation, and what they set in quotes and contracts.

Revision ID: 0043_reputation_levels
Revises: 0042_quick_scores
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0043_reputation_levels"
down_revision: str | None = "0042_quick_scores"
branch_labels: str | None = None
depends_on: str | None = None

_FROM = "commission_from IN ('usual', 'level', 'operator')"


def upgrade() -> None:
    op.create_table(
        "reputation_ladders",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("levels", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_reputation_ladders")),
        sa.UniqueConstraint("command_id", name=op.f("uq_reputation_ladders_command_id")),
    )
    for table in ("contracts", "pricing_quotes"):
        op.add_column(table, sa.Column("commission_from", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("level_version", sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column("level_name", sa.Text(), nullable=True))
        op.create_check_constraint(op.f(f"ck_{table}_commission_from"), table, _FROM)
        op.create_check_constraint(op.f(f"ck_{table}_level"), table, "(level_version IS NULL) = (level_name IS NULL)")
    op.add_column("contracts", sa.Column("priority", sa.SmallInteger(), nullable=True))
    run("repositories/sql/levels.sql")


def downgrade() -> None:
    op.drop_column("contracts", "priority")
    for table in ("contracts", "pricing_quotes"):
        for name in ("level_name", "level_version", "commission_from"):
            op.drop_column(table, name)
    op.drop_table("reputation_ladders")
