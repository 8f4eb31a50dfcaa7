"""Acts of operators that another operator has to approve.

Revision ID: 0069_approvals
Revises: 0068_payout_schedules
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0069_approvals"
down_revision: str | None = "0068_payout_schedules"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "action", "subject")),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("digest", "status", "requested_by")),
        sa.Column("requested_key", sa.Text(), nullable=True),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in ("requested_at", "expires_at")),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_by", sa.Text(), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(
        "uq_approvals_open",
        "approvals",
        ["action", "subject", "digest"],
        unique=True,
        postgresql_where=sa.text("status IN ('requested', 'approved')"),
    )
    op.create_index("ix_approvals_subject", "approvals", ["subject"])
    run("repositories/sql/approvals.sql")


def downgrade() -> None:
    op.drop_table("approvals")
