"""Tables of spends, in the schema `ledger`. Only the SQL functions in `ledger/sql/spend*.sql` write them.

They change under the row of the organization's credits, which every spend holds. Rows of `spend_changes`, `refusals`
and `rates` are immutable; triggers hold that against everybody. Amounts are integers in minor units.
"""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Identity, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.books.ledger import SCHEMA
from models.common.base import Base


class SpendCounter(Base):
    """The amount spent in one window of a spend control, in minor units of the control's asset.

    Created by the first spend in the window and never reset. `amount` and `uses` are the limits at its creation; the
    limits that apply are the control's. The amount may exceed the limit: limits can be lowered, and forced spends are
    counted without being checked.
    """

    __tablename__ = "counters"
    __table_args__ = (
        UniqueConstraint("control_id", "window", "starts_at"),
        Index("ix_counters_ends_at", "ends_at"),
        CheckConstraint("held >= 0", name="counted"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": "50"}},
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    org_id: Mapped[str]
    control_id: Mapped[uuid.UUID]
    window: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    amount: Mapped[int | None]
    uses: Mapped[int | None]
    #: Of reservations and escrows that are open.
    held: Mapped[int] = mapped_column(server_default=text("0"))
    #: Charged, captured or paid out by escrows, what was refunded since included.
    spent: Mapped[int] = mapped_column(server_default=text("0"))
    refunded: Mapped[int] = mapped_column(server_default=text("0"))
    #: Booked because it had happened already.
    forced: Mapped[int] = mapped_column(server_default=text("0"))
    uses_spent: Mapped[int] = mapped_column(server_default=text("0"))


class EscrowCount(Base):
    """What one escrow counts in the limits of its payer. Written by `ledger.count_escrow` and `count_escrow_moved`.

    Attributes:
        id: its place among the spends, by time.
        agent_id, department_id, project_id, key_id, principal: who funded it, and for what.
        amount: what it was funded with, in minor units of credits.
        spent: of that, what was paid out, the commission included.
        returned: of that, what was refunded.
        counted_in: the counters that include it.
        counted: the whole amount as it counts in each.
        changed_at: when it moved last.
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
        """Its status as a spend would have it; lists filter by the same."""
        if self.spent + self.returned < self.amount:
            return "reserved"
        return "captured" if self.spent else "released"


class Spend(Base):
    """One charge or reservation: who spent what for which action, and its present state.

    `counted_in` lists the counters that include it, and `counted` the amount in each. `available` is what the
    organization could spend right after it. `expires_at` is the original end of a reservation, and `held_until` the
    end after extensions. `hold_id` is its present hold, or the latest one.
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
    quantity: Mapped[int]
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
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)


class SpendChange(Base):
    """One capture, release, extension or refund of a spend, by its own key, with what remains after it. Immutable."""

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
    """A refused spend: the control, the window and the reason. Its key gets this answer for good. Immutable.

    If there is no control, the organization did not have enough credits.
    """

    __tablename__ = "refusals"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        Index("ix_refusals_org_id", "org_id", "control_id", "id"),
        Index("ix_refusals_org_id_id", "org_id", "id", postgresql_where=text("agent_id IS NOT NULL")),
        {"schema": SCHEMA},
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.uuidv7())
    org_id: Mapped[str]
    idempotency_key: Mapped[str]
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str]
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
    available: Mapped[int]
    agent_id: Mapped[str | None]
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    run_id: Mapped[str | None]
    key_id: Mapped[str | None]
    principal: Mapped[str | None]
    action: Mapped[str]
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
    reason: Mapped[str]
    number: Mapped[int]


class SpendRate(Base):
    """An exchange rate: `base_minor` of one asset costs `quote_minor` of another until `ends_at`. Immutable."""

    __tablename__ = "rates"
    __table_args__ = (
        CheckConstraint("base_minor > 0 AND quote_minor >= 0 AND ends_at > starts_at", name="rate"),
        {"schema": SCHEMA},
    )

    base: Mapped[str] = mapped_column(primary_key=True)
    quote: Mapped[str] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    base_minor: Mapped[int]
    quote_minor: Mapped[int]
    ends_at: Mapped[datetime | None]
