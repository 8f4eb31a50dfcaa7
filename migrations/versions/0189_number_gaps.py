"""Numbers of documents that a restore has passed over, because they may have been given after the restored moment.

Revision ID: 0189_number_gaps
Revises: 0187_addresses_of_owners
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0189_number_gaps"
down_revision: str | None = "0187_addresses_of_owners"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "number_gaps",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", "first", name=op.f("pk_number_gaps")),
        sa.CheckConstraint("first >= 1 AND last >= first", name=op.f("ck_number_gaps_numbers")),
    )
    run("repositories/sql/number_gaps.sql")


def downgrade() -> None:
    op.drop_table("number_gaps")
