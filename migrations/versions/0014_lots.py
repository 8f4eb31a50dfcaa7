"""Lots of credits: what an account's credits cost, where they came from and when they end.

Revision ID: 0014_lots
Revises: 0013_charge_sets
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0014_lots"
down_revision: str | None = "0013_charge_sets"
branch_labels: str | None = None
depends_on: str | None = None

#: The functions of lots that the tables are the arguments of, or that nothing else needs.
_FUNCTIONS = (
    "slice_cost(bigint, bigint, bigint, bigint)",
    "open_lot(bigint, bigint, bigint, uuid, timestamptz, jsonb, timestamptz, uuid, uuid)",
    "arrive(ledger.lots, bigint, bigint, bigint, uuid, timestamptz, integer)",
    "bring_lots(uuid, bigint, bigint, timestamptz, jsonb)",
    "may_take(ledger.lots, jsonb, timestamptz)",
    "move_lots(uuid, integer, bigint, boolean, bigint, boolean, bigint, timestamptz, jsonb, uuid)",
    "move_leg_lots(uuid[], bigint[], bigint[], bigint[], timestamptz, jsonb, uuid)",
    "pin_lots(uuid, bigint, bigint, timestamptz, jsonb, text)",
    "unpin_lots(uuid[])",
    "expire_lots(timestamptz, integer)",
    "granted_part(bigint, bigint, timestamptz)",
)
#: Accounts that carry lots, and those of them where lots that are due are not spent any more.
_CARRIES = (
    "path ~ '^(org/[^/]+/(credits|payments/[^/]+)|escrow/[^/]+|agent/[^/]+/(earnings|own_work)/CREDIT)$'"
    " AND asset = 'CREDIT' AND org_id IS NOT NULL AND floor IS NOT NULL"
)
_LAPSES = "path ~ '^org/[^/]+/credits$'"


def upgrade() -> None:
    run("ledger/sql/accounts.sql")
    op.create_table(
        "lots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lapses", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("paid_asset", sa.Text(), nullable=True),
        sa.Column("costed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("root_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("is_open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint(
            "held >= 0 AND remaining >= held AND amount >= remaining AND amount > 0", name=op.f("ck_lots_amounts")
        ),
        sa.CheckConstraint(
            "costed >= 0 AND paid >= costed AND (paid = 0 OR paid_asset IS NOT NULL)", name=op.f("ck_lots_paid")
        ),
        sa.CheckConstraint("is_open = (remaining > 0)", name=op.f("ck_lots_is_open")),
        sa.CheckConstraint(
            "source IN ('purchase', 'promotion', 'signup', 'subscription', 'reward', 'refund', 'adjustment', 'debt')",
            name=op.f("ck_lots_source"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lots")),
        schema="ledger",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "ix_lots_spending",
        "lots",
        ["account_id", "priority", "expires_at", sa.text("(paid > 0)"), "id"],
        schema="ledger",
        postgresql_where=sa.text("is_open"),
    )
    for name, columns in (("ix_lots_expiring", ["account_id", "expires_at"]), ("ix_lots_due", ["expires_at"])):
        op.create_index(
            name,
            "lots",
            columns,
            schema="ledger",
            postgresql_where=sa.text("is_open AND lapses AND expires_at IS NOT NULL"),
        )
    op.create_index("ix_lots_org_id", "lots", ["org_id", "id"], schema="ledger")
    op.create_table(
        "lot_uses",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("leg", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("to_lot", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("returned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_returned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("passed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_passed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("amount > 0 AND cost >= 0", name=op.f("ck_lot_uses_amount")),
        sa.CheckConstraint(
            "returned BETWEEN 0 AND amount AND passed BETWEEN 0 AND amount"
            " AND cost_returned BETWEEN 0 AND cost AND cost_passed BETWEEN 0 AND cost",
            name=op.f("ck_lot_uses_returned"),
        ),
        sa.CheckConstraint("outcome IN ('moved', 'used', 'expired', 'reversed')", name=op.f("ck_lot_uses_outcome")),
        sa.CheckConstraint("(outcome = 'moved') = (to_lot IS NOT NULL)", name=op.f("ck_lot_uses_to_lot")),
        sa.PrimaryKeyConstraint("transfer_id", "leg", "lot_id", name=op.f("pk_lot_uses")),
        schema="ledger",
        postgresql_with={"fillfactor": "90"},
    )
    op.create_table(
        "hold_lots",
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_hold_lots_amount")),
        sa.PrimaryKeyConstraint("hold_id", "lot_id", name=op.f("pk_hold_lots")),
        schema="ledger",
    )
    for name in ("lots", "post", "batch", "holds", "spend", "spend_changes", "spend_batch", "spend_tenants"):
        run(f"ledger/sql/{name}.sql")
    # Which accounts carry lots never changes after this.
    _flag(_CARRIES, _LAPSES)
    run("ledger/sql/lots_backfill.sql")
    for name in ("guards", "access", "lots_access"):
        run(f"ledger/sql/{name}.sql")
    run("repositories/sql/balance.sql")


def downgrade() -> None:
    _flag("false", "false")
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION ledger.{function}")
    for table in ("hold_lots", "lot_uses", "lots"):
        op.drop_table(table, schema="ledger")


def _flag(carries: str, lapses: str) -> None:
    for table in ("accounts", "balances"):
        op.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER immutable")
    op.execute(f"UPDATE ledger.accounts SET lots = {carries}, lots_lapse = {lapses} WHERE lots OR {carries}")
    op.execute(
        "UPDATE ledger.balances b SET lots = a.lots FROM ledger.accounts a WHERE a.id = b.account_id AND b.lots <> a.lots"
    )
    for table in ("accounts", "balances"):
        op.execute(f"ALTER TABLE ledger.{table} ENABLE TRIGGER immutable")
