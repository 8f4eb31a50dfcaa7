"""When the API was away, so that deadlines give the time back.

Revision ID: 0207_when_the_api_was_away
Revises: 0206_passed_credits
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0207_when_the_api_was_away"
down_revision: str | None = "0206_passed_credits"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "api_presence",
        sa.Column("id", sa.SmallInteger(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("away_from", sa.DateTime(timezone=True)),
        sa.Column("away_until", sa.DateTime(timezone=True)),
        sa.CheckConstraint("id = 1", name=op.f("ck_api_presence_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_presence")),
    )
    run("repositories/sql/api_presence.sql")


def downgrade() -> None:
    op.drop_table("api_presence")
