"""Notes of commands to escrows, with the time at which they reached us.

Revision ID: 0010_escrow_notices
Revises: 0009_projects
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision = "0010_escrow_notices"
down_revision = "0009_projects"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "escrow_notices",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("escrow_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("command", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("noted_at", TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("deadline_at", TIME, nullable=False),
        sa.Column("settled_at", TIME, nullable=True),
        sa.CheckConstraint("name IN ('dispute', 'deliver', 'approve')", name=op.f("ck_escrow_notices_name")),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_escrow_notices")),
    )
    op.create_index(
        "ix_escrow_notices_escrow_id", "escrow_notices", ["escrow_id"], postgresql_where=sa.text("settled_at IS NULL")
    )
    op.create_index(
        "ix_escrow_notices_settled_at",
        "escrow_notices",
        ["settled_at"],
        postgresql_where=sa.text("settled_at IS NOT NULL"),
    )
    run("repositories/sql/escrow_notices.sql")


def downgrade() -> None:
    op.drop_table("escrow_notices")
