"""Places that coins are paid to, and what arrived there.

Revision ID: 0005_crypto_deposits
Revises: 0004_provider_payments
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0005_crypto_deposits"
down_revision: str | None = "0004_provider_payments"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "crypto_deposits",
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("chain_key", sa.Text(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("scanned_height", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_crypto_deposits_amount")),
        sa.CheckConstraint("index >= 0 AND index < 2147483648", name=op.f("ck_crypto_deposits_index")),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_crypto_deposits")),
        sa.UniqueConstraint("chain_key", "index", name=op.f("uq_crypto_deposits_chain_key_index")),
    )
    op.create_index("ix_crypto_deposits_created_at", "crypto_deposits", ["created_at"], unique=False)
    op.create_index(
        "uq_crypto_deposits_place",
        "crypto_deposits",
        ["chain", "address", "memo"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "crypto_indexes",
        sa.Column("chain_key", sa.Text(), nullable=False),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain_key", name=op.f("pk_crypto_indexes")),
    )
    op.create_table(
        "crypto_receipts",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("tx", sa.Text(), nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("final_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_crypto_receipts_amount")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["crypto_deposits.payment_id"], name=op.f("fk_crypto_receipts_payment_id_crypto_deposits")
        ),
        sa.PrimaryKeyConstraint("chain", "asset", "tx", "index", "generation", name=op.f("pk_crypto_receipts")),
    )
    op.create_index("ix_crypto_receipts_final_at", "crypto_receipts", ["final_at"], unique=False)
    op.create_index("ix_crypto_receipts_payment_id", "crypto_receipts", ["payment_id"], unique=False)
    op.create_index(
        "ix_crypto_receipts_reversed_at",
        "crypto_receipts",
        ["reversed_at"],
        unique=False,
        postgresql_where=sa.text("reversed_at IS NOT NULL"),
    )
    op.create_index(
        "uq_crypto_receipts_standing",
        "crypto_receipts",
        ["chain", "asset", "tx", "index"],
        unique=True,
        postgresql_where=sa.text("reversed_at IS NULL"),
    )
    run("repositories/sql/crypto.sql")


def downgrade() -> None:
    for table in (
        "crypto_receipts",
        "crypto_indexes",
        "crypto_deposits",
    ):
        op.drop_table(table)
