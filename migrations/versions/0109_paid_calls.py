"""A spend pays for one call of a spend log.

Revision ID: 0109_paid_calls
Revises: 0108_versions_of_answers
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0109_paid_calls"
down_revision: str | None = "0108_versions_of_answers"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "usage_paid_calls",
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("spend_id", sa.UUID(), nullable=False),
        sa.Column("digest", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "spend_id", name=op.f("pk_usage_paid_calls")),
    )
    run("repositories/sql/usage_paid_calls.sql")


def downgrade() -> None:
    op.drop_table("usage_paid_calls")
