"""Escrows whose money went back, agents whose scores wait to be made again, and lots by the payment they came from.

Revision ID: 0041_recalled_evidence
Revises: 0040_earnings
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0041_recalled_evidence"
down_revision: str | None = "0040_earnings"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "reputation_recalls",
        sa.Column("escrow_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column(
            "recalled_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("escrow_id", "payment_id", name=op.f("pk_reputation_recalls")),
    )
    op.create_index("ix_reputation_recalls_payment_id", "reputation_recalls", ["payment_id"])
    op.add_column("reputation_agents", sa.Column("stale_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_reputation_agents_stale",
        "reputation_agents",
        ["agent_id"],
        postgresql_where=sa.text("stale_at IS NOT NULL"),
    )
    op.create_index(
        "ix_lots_payment_id",
        "lots",
        ["payment_id"],
        schema="ledger",
        postgresql_where=sa.text("payment_id IS NOT NULL AND parent_id IS NOT NULL"),
    )
    # The first takes back what the others grant.
    for name in ("reputation", "reputation_nights", "reputation_seasoned", "reputation_boards", "reputation_recalls"):
        run(f"repositories/sql/{name}.sql")


def downgrade() -> None:
    op.execute(
        "DROP FUNCTION reputation_refresh, reputation_give_again, reputation_recalled, reputation_recall,"
        " reputation_funded, reputation_open"
    )
    op.drop_index("ix_lots_payment_id", "lots", schema="ledger")
    op.drop_index("ix_reputation_agents_stale", "reputation_agents")
    op.drop_column("reputation_agents", "stale_at")
    op.drop_table("reputation_recalls")
