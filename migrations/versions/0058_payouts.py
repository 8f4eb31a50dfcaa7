"""Payouts: earnings that leave in money, by the lots that they are.

Revision ID: 0058_payouts
Revises: 0057_billing_runs
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0058_payouts"
down_revision: str | None = "0057_billing_runs"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "payouts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("transfer_ref", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("wake_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payouts_amount")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_payouts_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
    )
    op.create_index("ix_payouts_org_id_id", "payouts", ["org_id", "id"])
    op.create_index("ix_payouts_wake_at", "payouts", ["wake_at"], postgresql_where=sa.text("wake_at IS NOT NULL"))
    op.create_index("uq_payouts_provider_transfer_ref", "payouts", ["provider", "transfer_ref"], unique=True)
    op.create_table(
        "payout_events",
        sa.Column("payout_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("transfer_id", postgresql.UUID(as_uuid=True), nullable=True),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_payout_events_payout_id_payouts")),
        sa.PrimaryKeyConstraint("payout_id", "number", name=op.f("pk_payout_events")),
    )
    op.create_index(
        "uq_payout_events_payout_id_command_id", "payout_events", ["payout_id", "command_id"], unique=True
    )
    run("repositories/sql/payouts.sql")
    for name in ("lots", "lots_access", "revenue"):
        run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    op.drop_table("payout_events")
    op.drop_table("payouts")
