"""What each command to a payment asked for.

Revision ID: 0024_payment_contents
Revises: 0023_signatories
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision = "0024_payment_contents"
down_revision = "0023_signatories"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payment_command_contents",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_payment_command_contents")),
    )
    run("repositories/sql/payment_command_contents.sql")


def downgrade() -> None:
    op.drop_table("payment_command_contents")
