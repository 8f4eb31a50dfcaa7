"""Tables of the books, in the schema `ledger`. Only the SQL functions in `ledger/sql` write them, as their owner.

Rows of `transfers` and `entries` are immutable, rows of `holds` change once, rows of `accounts` change in their minimum
balance only; triggers enforce that for every role. Amounts are integers in minor units, signed from the account's side:
positive is into the account. Lots are in `models/books/ledger_lot.py`, spends in `models/credits/spend.py`.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

SCHEMA = "ledger"


class LedgerAccount(Base):
    """An account of one asset; its identity for people is (path, asset). Written by `ledger.open_account`.

    The id is 12 bits of bucket, 43 of number and 8 of stripes. The bucket is the organization's, the highest is the
    platform's own: balances and entries can be partitioned by ranges of ids, and the order of ids is the order of
    locks. The lowest byte is the number of stripes less one, so that a posting finds its stripe without reading this
    table.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("path", "asset"),
        CheckConstraint("kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')", name="kind"),
        UniqueConstraint("id", "asset"),
        CheckConstraint("stripes BETWEEN 1 AND 256 AND stripes = (id & 255) + 1", name="stripes"),
        CheckConstraint("floor IS NULL OR stripes = 1", name="floor_unstriped"),
        Index("ix_accounts_org_id", "org_id", postgresql_where=text("org_id IS NOT NULL")),
        # Without those that are as many as an organization ever had escrows.
        Index("ix_accounts_standing", "org_id", postgresql_where=text("path NOT LIKE 'escrow/%'")),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(info={"holds": "identifier"})
    asset: Mapped[str]
    org_id: Mapped[str | None]
    kind: Mapped[str]
    floor: Mapped[int | None]
    stripes: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    #: The transaction that opened it: another transaction that sees the row knows that it is committed.
    opened_in: Mapped[int] = mapped_column(server_default=text("pg_current_xact_id()::text::bigint"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    #: Whether it carries lots, see `models.books.ledger_lot`, and whether they cannot be spent after their expiry.
    lots: Mapped[bool] = mapped_column(server_default=text("false"))
    lots_lapse: Mapped[bool] = mapped_column(server_default=text("false"))


class LedgerBalance(Base):
    """Balance of an account or a stripe of it: the hot row. Equals the sum of its entries at every commit."""

    __tablename__ = "balances"
    __table_args__ = (
        ForeignKeyConstraint(["account_id", "asset"], ["ledger.accounts.id", "ledger.accounts.asset"]),
        # Short, because it is parsed for every update; a trigger checks that no hold is negative. NULL is no minimum.
        CheckConstraint("posted - pending_out >= floor", name="floor"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    account_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stripe: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    posted: Mapped[int] = mapped_column(server_default=text("0"))
    pending_out: Mapped[int] = mapped_column(server_default=text("0"))
    version: Mapped[int] = mapped_column(server_default=text("0"))
    floor: Mapped[int | None]
    asset: Mapped[str]
    #: Copied from the account, so that a posting writes its entries without reading the account.
    org_id: Mapped[str | None]
    #: Copied from the account: whether a posting has to move lots.
    lots: Mapped[bool] = mapped_column(server_default=text("false"))


class LedgerTransfer(Base):
    """A movement: a balanced set of entries under one idempotency key. Immutable.

    Every organization with an entry in the transfer sees its row, so `reference` and `metadata` contain nothing private
    to one side.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        Index("ix_transfers_reference", "reference", "id", postgresql_where=text("reference IS NOT NULL")),
        # Transfers are stored in the order of their time, except for a few late ones, so a BRIN index finds a day at no
        # cost for postings.
        Index(
            "ix_transfers_effective_at",
            "effective_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": True},
        ),
        {"schema": SCHEMA},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    effective_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    hold_id: Mapped[uuid.UUID | None]
    idempotency_key: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str] = mapped_column(info={"holds": "financial"})
    reference: Mapped[str | None]
    org_id: Mapped[str | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)


class LedgerEntry(Base):
    """A side of a transfer, with the account's balance and version after it, and its organization. Immutable.

    A trigger, not foreign keys, ties an entry to its transfer, its account and the account's asset: these are never
    deleted or renamed, so one check suffices, and a hot account's row takes no share locks.
    """

    __tablename__ = "entries"
    __table_args__ = (
        Index("ix_entries_transfer_id", "transfer_id"),
        # The history of an organization, in order. Excludes the platform's own accounts.
        Index(
            "ix_entries_org_id",
            "org_id",
            "transfer_id",
            "account_id",
            "version",
            postgresql_where=text("org_id IS NOT NULL"),
        ),
        {"schema": SCHEMA},
    )

    account_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    amount: Mapped[int]
    balance_after: Mapped[int]
    effective_at: Mapped[datetime]
    transfer_id: Mapped[uuid.UUID]
    stripe: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    asset: Mapped[str]
    org_id: Mapped[str | None]


class LedgerHold(Base):
    """Amount reserved on an account until it is captured, voided or expired; a trigger ensures that it ends once."""

    __tablename__ = "holds"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        UniqueConstraint("ended_key"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("status IN ('pending', 'posted', 'voided', 'expired')", name="status"),
        CheckConstraint(
            "CASE status WHEN 'posted' THEN captured BETWEEN 1 AND amount AND ended_transfer_id IS NOT NULL"
            " ELSE captured = 0 AND ended_transfer_id IS NULL END",
            name="captured",
        ),
        CheckConstraint("(status = 'pending') = (ended_at IS NULL)", name="ended"),
        Index("ix_holds_account_id", "account_id"),
        Index("ix_holds_expires_at", "expires_at", "id", postgresql_where=text("status = 'pending'")),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    account_id: Mapped[int]
    amount: Mapped[int]
    captured: Mapped[int] = mapped_column(server_default=text("0"))
    held_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_transfer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ledger.transfers.id"))
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    idempotency_key: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    ended_key: Mapped[str | None]
    reference: Mapped[str | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
