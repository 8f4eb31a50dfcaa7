"""How far usage was pulled from its sources.

Revision ID: 0019_usage_sources
Revises: 0018_meters
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0019_usage_sources"
down_revision: str | None = "0018_meters"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "usage_sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reached", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_usage_sources")),
    )
    run("repositories/sql/usage_sources.sql")


def downgrade() -> None:
    op.drop_table("usage_sources")
