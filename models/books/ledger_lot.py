"""Lots of credits, in the schema `ledger`. Only the SQL functions in `ledger/sql` write them, as their owner."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, Identity, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.books.ledger import SCHEMA
from models.common.base import Base

_OPEN = text("is_open")
_LAPSING = text("is_open AND lapses AND expires_at IS NOT NULL")
_SWEPT = text("is_open AND lapses AND expires_at IS NOT NULL AND amount > 0")


class LedgerLot(Base):
    """Credits on one account that have one source, one expiry and one price. Their terms are immutable.

    What is left and held changes with the account's balance, under its lock: over the lots of an account `remaining`
    adds up to what is posted and `held` to what is set aside. `is_open` alone is in the indexes of what changes, so a
    lot that is used and not used up is updated in place.
    """

    __tablename__ = "lots"
    __table_args__ = (
        # Only this, because constraints are parsed again for every posting; `verify` proves the rest.
        CheckConstraint("held >= 0 AND remaining >= held AND amount >= remaining AND paid >= costed", name="amounts"),
        # The order in which they are spent.
        Index(
            "ix_lots_spending", "account_id", "priority", "expires_at", text("(paid > 0)"), "id", postgresql_where=_OPEN
        ),
        Index("ix_lots_expiring", "account_id", "expires_at", postgresql_where=_LAPSING),
        # For the sweep of all accounts, and by its own condition for nobody else: the planner would read everybody's
        # lots here for the first ones of one account.
        Index("ix_lots_due", "expires_at", postgresql_where=_SWEPT),
        Index("ix_lots_org_id", "org_id", "id"),
        # The lots that were issued for a payment.
        Index("ix_lots_payment_id", "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
        # Where credits of a subscription went, whether or not a payment has paid its bill.
        Index(
            "ix_lots_root_id",
            "root_id",
            postgresql_where=text("parent_id IS NOT NULL AND source IN ('subscription', 'refund')"),
        ),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account_id: Mapped[int]
    org_id: Mapped[str]
    source: Mapped[str] = mapped_column(info={"holds": "financial"})
    priority: Mapped[int] = mapped_column(SmallInteger)
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    #: Whether it is not spent any more when it is due; it is where its owner chooses what to spend it on.
    lapses: Mapped[bool]
    amount: Mapped[int]
    remaining: Mapped[int]
    held: Mapped[int] = mapped_column(server_default=text("0"))
    #: What was paid for `amount`, in minor units of `paid_asset`; 0 when it was granted.
    paid: Mapped[int]
    paid_asset: Mapped[str | None]
    #: How much of `paid` has gone with what left.
    costed: Mapped[int] = mapped_column(server_default=text("0"))
    payment_id: Mapped[str | None]
    #: The lot that it all began with, and the one that this came from; both may lie on other accounts.
    root_id: Mapped[uuid.UUID]
    parent_id: Mapped[uuid.UUID | None]
    #: The transfer that opened it.
    transfer_id: Mapped[uuid.UUID]
    is_open: Mapped[bool] = mapped_column(server_default=text("true"))
    #: How much longer it, and those that it came from, may be spent than was said at first.
    extended: Mapped[timedelta] = mapped_column(server_default=text("'00:00:00'"))
    #: Whether tax was charged when the credits were sold.
    taxed: Mapped[bool] = mapped_column(server_default=text("false"))


class LedgerLotUse(Base):
    """How much of a lot a posting of a transfer took. Immutable but for what came back of it.

    Attributes:
        outcome: `moved` into the lot `to_lot`; or out of all lots: `used`, `commission`, `expired`,
            `reversed`, `paid_out`.
        returned: what came back into the lot, with its part of the cost.
        passed: what went on as lots of another account, with its part of the cost.
    """

    __tablename__ = "lot_uses"
    __table_args__ = (
        # A list of lots says what expired of each; nothing else asks for the uses of a lot.
        Index("ix_lot_uses_expired", "lot_id", postgresql_where=text("outcome = 'expired'")),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "90"}},
    )

    transfer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    leg: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lot_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    amount: Mapped[int]
    cost: Mapped[int]
    to_lot: Mapped[uuid.UUID | None]
    outcome: Mapped[str] = mapped_column(info={"holds": "financial"})
    returned: Mapped[int] = mapped_column(server_default=text("0"))
    cost_returned: Mapped[int] = mapped_column(server_default=text("0"))
    passed: Mapped[int] = mapped_column(server_default=text("0"))
    cost_passed: Mapped[int] = mapped_column(server_default=text("0"))


class LedgerLotReturn(Base):
    """How much of what a posting of a transfer had taken of a lot came back with another transfer. Immutable.

    Attributes:
        used_by: the transfer that had taken it, with its `leg`.
        account_id: where it came to: the lot's own account, or another one, on which it opened a lot.
        cost: the part of the lot's cost that came back with it.
    """

    __tablename__ = "lot_returns"
    __table_args__ = (CheckConstraint("amount > 0 AND cost >= 0", name="amount"), {"schema": SCHEMA})

    transfer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    used_by: Mapped[uuid.UUID]
    leg: Mapped[int]
    lot_id: Mapped[uuid.UUID]
    account_id: Mapped[int]
    amount: Mapped[int]
    cost: Mapped[int]


class RevenueCursor(Base):
    """Up to which transfer the costs of lots are booked; one row, which the batch locks and moves on.

    Attributes:
        begun: part of the keys of what it books.
        booked: what was used by transfers up to this one is booked.
        settled: up to here no transfer can come any more.
        mark: becomes `settled` when every transaction below the number `mark_in` has ended.
    """

    __tablename__ = "revenue_place"
    __table_args__ = (CheckConstraint("id = 1", name="id"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(
        SmallInteger, primary_key=True, autoincrement=False, server_default=text("1"), info={"holds": "technical"}
    )
    begun: Mapped[uuid.UUID] = mapped_column(server_default=text("uuidv7()"), info={"holds": "technical"})
    booked: Mapped[uuid.UUID]
    settled: Mapped[uuid.UUID]
    mark: Mapped[uuid.UUID]
    mark_in: Mapped[int]


class LedgerHoldLot(Base):
    """How much of a lot a hold has pinned, as long as it is pending. Immutable."""

    __tablename__ = "hold_lots"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"), {"schema": SCHEMA})

    hold_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    lot_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    amount: Mapped[int]
