"""The monthly statements of creators have numbers, and stay as they were stated.

Revision ID: 0080_creator_statements
Revises: 0079_terms_own_time_to_pay
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0080_creator_statements"
down_revision: str | None = "0079_terms_own_time_to_pay"
branch_labels: str | None = None
depends_on: str | None = None

_TABLE = "creator_statements"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "org_id")),
        sa.Column("month", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("currency", "number", "series")),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_code", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f(f"fk_{_TABLE}_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("number", name=op.f(f"uq_{_TABLE}_number")),
        sa.UniqueConstraint("org_id", "month", "currency", name=f"uq_{_TABLE}_month"),
    )
    run("repositories/sql/creator_statements.sql")


def downgrade() -> None:
    op.drop_table(_TABLE)
