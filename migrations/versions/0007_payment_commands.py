"""The intents of payments: what was asked for under which command.

Revision ID: 0007_payment_commands
Revises: 0006_reconciliation
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision = "0007_payment_commands"
down_revision = "0006_reconciliation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payment_commands",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_payment_commands_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("command_id", name=op.f("pk_payment_commands")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_payment_commands_payment_id")),
    )
    run("repositories/sql/payment_commands.sql")


def downgrade() -> None:
    op.drop_table("payment_commands")
