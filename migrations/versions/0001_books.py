"""The books: roles, accounts, balances, transfers, entries, holds and the functions that move money.

Revision ID: 0001_books
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations import scripts

revision: str = "0001_books"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    scripts.run("ledger/sql/roles.sql")
    op.execute("CREATE SCHEMA ledger")
    op.execute("CREATE SEQUENCE ledger.account_numbers")
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=True),
        sa.Column("stripes", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "opened_in", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')", name=op.f("ck_accounts_kind")
        ),
        sa.CheckConstraint("floor IS NULL OR stripes = 1", name=op.f("ck_accounts_floor_unstriped")),
        sa.CheckConstraint("stripes BETWEEN 1 AND 256 AND stripes = (id & 255) + 1", name=op.f("ck_accounts_stripes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("id", "asset", name=op.f("uq_accounts_id_asset")),
        sa.UniqueConstraint("path", "asset", name=op.f("uq_accounts_path_asset")),
        schema="ledger",
    )
    op.create_index(
        "ix_accounts_org_id",
        "accounts",
        ["org_id"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("org_id IS NOT NULL"),
    )
    op.create_table(
        "entries",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("stripe", sa.SmallInteger(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "version", "stripe", name=op.f("pk_entries")),
        schema="ledger",
    )
    op.create_index(
        "ix_entries_org_id",
        "entries",
        ["org_id", "transfer_id", "account_id", "version"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("org_id IS NOT NULL"),
    )
    op.create_index("ix_entries_transfer_id", "entries", ["transfer_id"], unique=False, schema="ledger")
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_transfers_idempotency_key")),
        schema="ledger",
    )
    op.create_index(
        "ix_transfers_reference",
        "transfers",
        ["reference", "id"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("reference IS NOT NULL"),
    )
    op.create_table(
        "balances",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stripe", sa.SmallInteger(), nullable=False),
        sa.Column("posted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pending_out", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=True),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.CheckConstraint("posted - pending_out >= floor AND pending_out >= 0", name=op.f("ck_balances_floor")),
        sa.ForeignKeyConstraint(
            ["account_id", "asset"],
            ["ledger.accounts.id", "ledger.accounts.asset"],
            name=op.f("fk_balances_account_id_asset_accounts"),
        ),
        sa.PrimaryKeyConstraint("account_id", "stripe", name=op.f("pk_balances")),
        schema="ledger",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("ended_transfer_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("ended_key", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name=op.f("ck_holds_ended")),
        sa.CheckConstraint(
            "CASE status WHEN 'posted' THEN captured BETWEEN 1 AND amount AND ended_transfer_id IS NOT NULL ELSE captured = 0 AND ended_transfer_id IS NULL END",
            name=op.f("ck_holds_captured"),
        ),
        sa.CheckConstraint("status IN ('pending', 'posted', 'voided', 'expired')", name=op.f("ck_holds_status")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_holds_amount")),
        sa.ForeignKeyConstraint(
            ["ended_transfer_id"], ["ledger.transfers.id"], name=op.f("fk_holds_ended_transfer_id_transfers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("ended_key", name=op.f("uq_holds_ended_key")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_holds_idempotency_key")),
        schema="ledger",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_holds_account_id", "holds", ["account_id"], unique=False, schema="ledger")
    op.create_index(
        "ix_holds_expires_at",
        "holds",
        ["expires_at", "id"],
        unique=False,
        schema="ledger",
        postgresql_where=sa.text("status = 'pending'"),
    )
    for name in ("accounts", "guards", "post", "batch", "holds", "read", "access"):
        scripts.run(f"ledger/sql/{name}.sql")


def downgrade() -> None:
    op.execute("DROP SCHEMA ledger CASCADE")
    op.execute("DROP FUNCTION tenant_balance(text, text), bursar_org()")
