"""Tables of spends, in the schema `ledger`. Only the SQL functions in `ledger/sql/spend*.sql` write them.

They change under the lock of the organization's credits, which every spend takes. Rows of `spend_changes`, `refusals`
and `rates` are immutable; triggers enforce that for every role. Amounts are integers in minor units.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.books.ledger import SCHEMA
from models.common.base import Base


class SpendCounter(Base):
    """The amount spent in one window of a spend control, or one pool of it, in minor units of the control's asset.

    Created by the first spend in the window and never reset. `amount` and `uses` are the limits at its creation; the
    limits that apply are the control's. The amount may exceed the limit: limits can be lowered, and forced spends are
    counted without being checked.

    Attributes:
        pool: `operating`; of a budget's window with pools also `reserve`, `emergency`, and `allowance`: draws from a
            reserve without approval.
        carried: the carry-over from the previous window, set when it was created.
        moved: manual moves into this pool, less those out of it.
    """

    __tablename__ = "counters"
    __table_args__ = (
        UniqueConstraint("control_id", "window", "pool", "starts_at"),
        Index("ix_counters_ends_at", "ends_at"),
        CheckConstraint("held >= 0", name="counted"),
        CheckConstraint("pool IN ('operating', 'reserve', 'emergency', 'allowance')", name="pool"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    org_id: Mapped[str]
    control_id: Mapped[uuid.UUID]
    window: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    pool: Mapped[str] = mapped_column(server_default=text("'operating'"))
    amount: Mapped[int | None]
    uses: Mapped[int | None]
    carried: Mapped[int] = mapped_column(server_default=text("0"))
    moved: Mapped[int] = mapped_column(server_default=text("0"))
    #: The open part of reservations and escrows.
    held: Mapped[int] = mapped_column(server_default=text("0"))
    #: Charged, captured or paid out by escrows, including amounts refunded since.
    spent: Mapped[int] = mapped_column(server_default=text("0"))
    refunded: Mapped[int] = mapped_column(server_default=text("0"))
    #: Booked without a check, because it had already happened.
    forced: Mapped[int] = mapped_column(server_default=text("0"))
    uses_spent: Mapped[int] = mapped_column(server_default=text("0"))


class EscrowCount(Base):
    """An escrow's amount in the limits of its payer. Written by `ledger.count_escrow` and `count_escrow_moved`.

    Attributes:
        id: orders it among the spends by time.
        agent_id, department_id, project_id, key_id, principal: who funded it, and the attribution.
        amount: the funded amount, in minor units of credits.
        spent: the part that was paid out, including the commission.
        returned: the part that was refunded.
        counted_in: the counters that include it.
        counted: the whole amount in the asset of each counter.
        changed_at: when it last changed.
    """

    __tablename__ = "escrow_counts"
    __table_args__ = (
        CheckConstraint("spent >= 0 AND returned >= 0 AND spent + returned <= amount", name="moved"),
        Index("ix_escrow_counts_changed_at", "changed_at"),
        Index("ix_escrow_counts_org_id", "org_id", "id"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "80"}},
    )

    escrow_id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str]
    id: Mapped[uuid.UUID] = mapped_column(server_default=func.uuidv7())
    agent_id: Mapped[str | None]
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    key_id: Mapped[str | None]
    principal: Mapped[str | None]
    amount: Mapped[int]
    spent: Mapped[int] = mapped_column(server_default=text("0"))
    returned: Mapped[int] = mapped_column(server_default=text("0"))
    counted_in: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    counted: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    at: Mapped[datetime]
    changed_at: Mapped[datetime]

    @property
    def status(self) -> str:
        """The equivalent status of a spend, by which lists filter."""
        if self.spent + self.returned < self.amount:
            return "reserved"
        return "captured" if self.spent else "released"


class PurchaseCount(Base):
    """An external purchase's amount in spend controls. Only `ledger/sql/purchase_counts.sql` writes it.

    Attributes:
        number: 0 is the order itself; others are its renewals and additional charges.
        id: orders it among the spends by time.
        agent_id, department_id, project_id, key_id, principal: the buyer, and the attribution.
        asset: the currency of the payment.
        amount: the approved amount, in minor units of `asset`.
        pool: the pool that it draws from budgets with pools.
        forced: the purchase had already happened.
        spent: the paid part of the amount; `returned` is the part that will not be paid.
        refunded: the refunded part of `spent`.
        counted_in: the counters that include it.
        counted: the whole amount in the asset of each counter.
        changed_at: when it last changed.
    """

    __tablename__ = "purchase_counts"
    __table_args__ = (
        CheckConstraint(
            "amount > 0 AND spent >= 0 AND returned >= 0 AND spent + returned <= amount"
            " AND refunded BETWEEN 0 AND spent AND (NOT forced OR spent = amount)",
            name="moved",
        ),
        Index("ix_purchase_counts_changed_at", "changed_at"),
        Index("ix_purchase_counts_org_id", "org_id", "id"),
        Index("ix_purchase_counts_org_id_at", "org_id", "at"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "80"}},
    )

    order_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    org_id: Mapped[str]
    id: Mapped[uuid.UUID] = mapped_column(server_default=func.uuidv7())
    agent_id: Mapped[str | None]
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    key_id: Mapped[str | None]
    principal: Mapped[str | None]
    asset: Mapped[str]
    amount: Mapped[int]
    pool: Mapped[str]
    forced: Mapped[bool]
    spent: Mapped[int] = mapped_column(server_default=text("0"))
    returned: Mapped[int] = mapped_column(server_default=text("0"))
    refunded: Mapped[int] = mapped_column(server_default=text("0"))
    counted_in: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    counted: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    at: Mapped[datetime]
    changed_at: Mapped[datetime]

    @property
    def status(self) -> str:
        """Its status as a spend would have it; lists filter by the same."""
        if self.spent + self.returned < self.amount:
            return "reserved"
        if self.spent and self.refunded == self.spent:
            return "refunded"
        return "captured" if self.spent else "released"


class PoolMove(Base):
    """A manual move from one pool of a window to another. Written by `ledger.move_pool`; immutable.

    Attributes:
        from_counter, to_counter: the counters of the two pools.
        moved_by: the principal.
        reason: as stated by the principal.
    """

    __tablename__ = "pool_moves"
    __table_args__ = (
        UniqueConstraint("command_id"),
        CheckConstraint("amount > 0 AND from_counter <> to_counter", name="amount"),
        {"schema": SCHEMA},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    org_id: Mapped[str]
    control_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ledger.controls.id"))
    from_counter: Mapped[int]
    to_counter: Mapped[int]
    from_pool: Mapped[str]
    to_pool: Mapped[str]
    amount: Mapped[int]
    moved_by: Mapped[str]
    reason: Mapped[str]
    command_id: Mapped[str]
    at: Mapped[datetime]


class Spend(Base):
    """A charge or reservation of credits: its attribution, action and present state.

    `counted_in` lists the counters that include it, and `counted` the amount in each. `available` are the
    organization's available credits right after it. `expires_at` is the original end of a reservation, and `held_until`
    the end after extensions. `hold_id` is its present hold, or the latest one.
    """

    __tablename__ = "spends"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        # No more than this, because it is parsed again for every insert; `verify` proves the rest.
        CheckConstraint("captured + released <= amount AND refunded <= captured", name="status"),
        Index("ix_spends_hold_id", "hold_id", postgresql_where=text("status = 'reserved'")),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "80"}},
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    idempotency_key: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[str]
    agent_id: Mapped[str | None]
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    run_id: Mapped[str | None]
    key_id: Mapped[str | None]
    principal: Mapped[str | None]
    action: Mapped[str]
    quantity: Mapped[int] = mapped_column(info={"holds": "technical"})
    asset: Mapped[str]
    amount: Mapped[int]
    available: Mapped[int]
    hold_id: Mapped[uuid.UUID | None]
    transfer_id: Mapped[uuid.UUID | None]
    captured: Mapped[int] = mapped_column(server_default=text("0"))
    released: Mapped[int] = mapped_column(server_default=text("0"))
    refunded: Mapped[int] = mapped_column(server_default=text("0"))
    forced: Mapped[int] = mapped_column(server_default=text("0"))
    counted_in: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    counted: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB, info={"holds": "free_text"})


class SpendChange(Base):
    """A capture, release, extension or refund of a spend, by its own key, with what remains after it. Immutable."""

    __tablename__ = "spend_changes"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        CheckConstraint("kind IN ('capture', 'release', 'extend', 'refund')", name="kind"),
        CheckConstraint("(transfer_id IS NOT NULL) = (kind IN ('capture', 'refund') AND amount > 0)", name="transfer"),
        Index("ix_spend_changes_spend_id", "spend_id", "id"),
        Index("ix_spend_changes_refunds", "org_id", "id", postgresql_where=text("kind = 'refund'")),
        {"schema": SCHEMA},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    org_id: Mapped[str]
    spend_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    idempotency_key: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    amount: Mapped[int]
    transfer_id: Mapped[uuid.UUID | None]
    status: Mapped[str]
    captured: Mapped[int]
    released: Mapped[int]
    refunded: Mapped[int]
    held: Mapped[int]
    available: Mapped[int]
    held_until: Mapped[datetime | None]
    at: Mapped[datetime]


class SpendRefusal(Base):
    """A refused spend: the control, the window and the reason. Its key always gets this refusal. Immutable.

    Without a control, the organization did not have enough credits. `amount` is in minor units of `spend_asset`.
    """

    __tablename__ = "refusals"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        Index("ix_refusals_org_id", "org_id", "control_id", "id"),
        Index("ix_refusals_org_id_id", "org_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    org_id: Mapped[str]
    idempotency_key: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(info={"holds": "technical"})
    control_id: Mapped[uuid.UUID | None]
    subject_kind: Mapped[str | None]
    subject_id: Mapped[str | None]
    asset: Mapped[str | None]
    window: Mapped[str | None]
    window_starts_at: Mapped[datetime | None]
    limit_amount: Mapped[int | None]
    remaining: Mapped[int | None]
    resets_at: Mapped[datetime | None]
    amount: Mapped[int]
    spend_asset: Mapped[str] = mapped_column(server_default=text("'CREDIT'"))
    available: Mapped[int]
    agent_id: Mapped[str | None]
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    run_id: Mapped[str | None]
    key_id: Mapped[str | None]
    principal: Mapped[str | None]
    action: Mapped[str]
    pool: Mapped[str | None]
    at: Mapped[datetime]


class SpendRefusalCount(Base):
    """The number of refusals by a control for one reason in a window, or on a day if the control has no window.

    It counts every refusal, also those for which no `refusals` row was written.
    """

    __tablename__ = "refusal_counts"
    __table_args__ = (
        UniqueConstraint("org_id", "control_id", "window", "starts_at", "reason", postgresql_nulls_not_distinct=True),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    org_id: Mapped[str]
    control_id: Mapped[uuid.UUID | None]
    window: Mapped[str | None]
    starts_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(info={"holds": "technical"})
    number: Mapped[int]


class SpendRate(Base):
    """An exchange rate: `base_minor` of one asset costs `quote_minor` of another until `ends_at`. Immutable.

    `source` is the host that it was read from, or `operator` for operators and settings.
    """

    __tablename__ = "rates"
    __table_args__ = (
        CheckConstraint("base_minor > 0 AND quote_minor >= 0 AND ends_at > starts_at", name="rate"),
        Index("ix_rates_set", "base", "quote", "starts_at", postgresql_where=text("source = 'operator'")),
        {"schema": SCHEMA},
    )

    base: Mapped[str] = mapped_column(primary_key=True)
    quote: Mapped[str] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    base_minor: Mapped[int]
    quote_minor: Mapped[int]
    ends_at: Mapped[datetime | None]
    source: Mapped[str] = mapped_column(primary_key=True)
