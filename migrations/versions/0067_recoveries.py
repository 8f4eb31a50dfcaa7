"""What creators give back of payments that were taken back.

Revision ID: 0067_recoveries
Revises: 0066_discarded_drafts
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0067_recoveries"
down_revision: str | None = "0066_discarded_drafts"
branch_labels: str | None = None
depends_on: str | None = None


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _time(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "recoveries",
        *_texts("id", "payment_id", "cause", "org_id", "asset"),
        *_numbers("amount_minor"),
        _time("disputed_at"),
        _time("created_at"),
        _time("closed_at", nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_recoveries_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_recoveries_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recoveries")),
    )
    op.create_index("uq_recoveries_payment_id_cause", "recoveries", ["payment_id", "cause"], unique=True)
    op.create_index("ix_recoveries_open", "recoveries", ["id"], postgresql_where=sa.text("closed_at IS NULL"))
    op.create_table(
        "recovery_shares",
        *_texts("recovery_id", "source", "agent_id", "org_id"),
        *_numbers("taken_minor", "own_minor", "owed_minor"),
        sa.Column("transfer_id", postgresql.UUID(as_uuid=True), nullable=False),
        _time("at"),
        sa.CheckConstraint(
            "own_minor <= taken_minor AND taken_minor + owed_minor > 0", name=op.f("ck_recovery_shares_amounts")
        ),
        sa.ForeignKeyConstraint(
            ["recovery_id"], ["recoveries.id"], name=op.f("fk_recovery_shares_recovery_id_recoveries")
        ),
        sa.PrimaryKeyConstraint("recovery_id", "source", name=op.f("pk_recovery_shares")),
    )
    op.create_index("ix_recovery_shares_source", "recovery_shares", ["source"])
    op.create_table(
        "transfer_reversals",
        *_texts("id", "recovery_id", "source", "payout_id", "org_id", "agent_id", "asset", "currency"),
        *_numbers("amount_minor", "goods_minor"),
        *_texts("status"),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("reversal_ref", "failure")),
        *_numbers("tries"),
        _time("next_at", nullable=True),
        sa.Column("transfer_id", postgresql.UUID(as_uuid=True), nullable=True),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint("amount_minor > 0 AND goods_minor > 0", name=op.f("ck_transfer_reversals_amounts")),
        sa.ForeignKeyConstraint(
            ["recovery_id"], ["recoveries.id"], name=op.f("fk_transfer_reversals_recovery_id_recoveries")
        ),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_transfer_reversals_payout_id_payouts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_reversals")),
    )
    op.create_index(
        "ix_transfer_reversals_next_at",
        "transfer_reversals",
        ["next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("ix_transfer_reversals_payout_id", "transfer_reversals", ["payout_id"])
    run("repositories/sql/recoveries.sql")


def downgrade() -> None:
    for table in ("transfer_reversals", "recovery_shares", "recoveries"):
        op.drop_table(table)
