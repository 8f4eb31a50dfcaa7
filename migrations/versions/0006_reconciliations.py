"""Reconciliation: runs, statements, differences and their corrections.

Revision ID: 0006_reconciliations
Revises: 0005_crypto_deposits
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0006_reconciliations"
down_revision: str | None = "0005_crypto_deposits"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("compared", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.BigInteger(), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_runs")),
        sa.UniqueConstraint("command_id", name=op.f("uq_reconciliation_runs_command_id")),
    )
    op.create_index(
        "ix_reconciliation_runs_provider_started_at_id",
        "reconciliation_runs",
        ["provider", "started_at", "id"],
        unique=False,
    )
    op.create_index("ix_reconciliation_runs_provider_until", "reconciliation_runs", ["provider", "until"], unique=False)
    op.create_index("ix_reconciliation_runs_started_at_id", "reconciliation_runs", ["started_at", "id"], unique=False)
    op.create_table(
        "reconciliation_differences",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("movement", postgresql.JSONB(), nullable=False),
        sa.Column("booked", postgresql.JSONB(), nullable=False),
        sa.Column("listed", postgresql.JSONB(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("times_opened", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transfer_id", sa.UUID(), nullable=True),
        sa.Column("command_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'open') = (resolution IS NULL)", name=op.f("ck_reconciliation_differences_resolution")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_runs.id"],
            name=op.f("fk_reconciliation_differences_run_id_reconciliation_runs"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_differences")),
    )
    op.create_index(
        "ix_reconciliation_differences_provider_status_id",
        "reconciliation_differences",
        ["provider", "status", "id"],
        unique=False,
    )
    op.create_index(
        "ix_reconciliation_differences_status_id", "reconciliation_differences", ["status", "id"], unique=False
    )
    op.create_index(
        "uq_reconciliation_differences_provider_key_kind",
        "reconciliation_differences",
        ["provider", "key", "kind"],
        unique=True,
    )
    op.create_table(
        "reconciliation_lines",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("movement", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reconciliation_runs.id"], name=op.f("fk_reconciliation_lines_run_id_reconciliation_runs")
        ),
        sa.PrimaryKeyConstraint("run_id", "key", name=op.f("pk_reconciliation_lines")),
    )
    op.create_table(
        "reconciliation_corrections",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("movement_key", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("difference_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["difference_id"], ["reconciliation_differences.id"], name="fk_reconciliation_corrections_difference"
        ),
        sa.ForeignKeyConstraint(
            ["provider", "movement_key"],
            ["payment_movements.provider", "payment_movements.key"],
            name="fk_reconciliation_corrections_movement",
        ),
        sa.PrimaryKeyConstraint("provider", "movement_key", name=op.f("pk_reconciliation_corrections")),
    )
    op.create_index(
        "ix_reconciliation_corrections_provider_key", "reconciliation_corrections", ["provider", "key"], unique=False
    )
    run("repositories/sql/reconciliation.sql")


def downgrade() -> None:
    for table in (
        "reconciliation_corrections",
        "reconciliation_lines",
        "reconciliation_differences",
        "reconciliation_runs",
    ):
        op.drop_table(table)
