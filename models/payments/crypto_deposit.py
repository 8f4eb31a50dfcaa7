"""Deposit addresses of payments in coins, counters of their indexes, and final receipts.

Only `services/payments/crypto_deposit.py` writes them, and no row is ever deleted: an index is never used again.
Amounts are minor units of the asset. Only the platform reads them; tenants see the payment.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class CryptoIndexRow(Base):
    """Counter of the used indexes of an account key. Locked while the next one is taken."""

    __tablename__ = "crypto_indexes"

    chain_key: Mapped[str] = mapped_column(primary_key=True)
    next_index: Mapped[int]


class CryptoDepositRow(Base):
    """Deposit address of a payment. Only `scanned_height`, `cancelled_at` and `version` change."""

    __tablename__ = "crypto_deposits"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("index >= 0 AND index < 2147483648", name="index"),
        UniqueConstraint("chain_key", "index"),
        Index("uq_crypto_deposits_place", "chain", "address", "memo", unique=True, postgresql_nulls_not_distinct=True),
        Index("ix_crypto_deposits_created_at", "created_at"),
    )

    payment_id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    chain: Mapped[str]
    asset: Mapped[str]
    chain_key: Mapped[str]
    index: Mapped[int]
    address: Mapped[str] = mapped_column(info={"holds": "identifier"})
    memo: Mapped[str | None]
    amount_minor: Mapped[int]
    scanned_height: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    version: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class CryptoReceiptRow(Base):
    """A deposit that became final. It may move to another block, and be reversed once; nothing else changes.

    `generation` counts how often the same output or log became final: more than once if a reorganised chain removed it
    and included it again. At most one generation is not reversed.
    """

    __tablename__ = "crypto_receipts"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount"),
        Index(
            "uq_crypto_receipts_standing", "chain", "asset", "tx", "index", unique=True,
            postgresql_where=text("reversed_at IS NULL"),
        ),
        Index("ix_crypto_receipts_payment_id", "payment_id"),
        Index("ix_crypto_receipts_final_at", "final_at"),
        Index("ix_crypto_receipts_reversed_at", "reversed_at", postgresql_where=text("reversed_at IS NOT NULL")),
    )  # fmt: skip

    chain: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(primary_key=True)
    tx: Mapped[str] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    payment_id: Mapped[str] = mapped_column(ForeignKey("crypto_deposits.payment_id"))
    amount_minor: Mapped[int]
    height: Mapped[int]
    block_hash: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    final_at: Mapped[datetime]
    reversed_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
