"""The escrow's read model and its timeline.

Only `activities/escrow/escrow.py` writes them, in the transaction that moves the money. The row of an escrow changes
with each event, whose number is its `version`; rows of the timeline never change.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class EscrowRow(Base):
    """An escrow as of its latest event. `state` is the complete `domain.escrow.state.Escrow`; columns serve queries.

    Amounts are minor units of `currency`. Visible to the paying organization (`org_id`), the paid one, and those of
    external signatories.
    """

    __tablename__ = "escrows"
    __table_args__ = (
        CheckConstraint(
            "released_minor >= 0 AND refunded_minor >= 0 AND commission_minor >= 0"
            " AND released_minor + refunded_minor + commission_minor <= funded_minor",
            name="amounts",
        ),
        CheckConstraint(
            "status NOT IN ('released', 'refunded', 'split', 'cancelled', 'expired')"
            " OR released_minor + refunded_minor + commission_minor = funded_minor",
            name="settled",
        ),
        Index("ix_escrows_status_id", "status", "id"),
        Index(
            "ix_escrows_agent_id_open",
            *("agent_id", "org_id"),
            postgresql_where=text("status IN ('funded', 'delivered', 'disputed')"),
        ),
        Index(
            "ix_escrows_org_id_paid",
            *("org_id", "updated_at", "created_at"),
            postgresql_where=text("released_minor + commission_minor > 0"),
        ),
        Index("ix_escrows_next_deadline_at", "next_deadline_at", postgresql_where=text("next_deadline_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    contract_id: Mapped[str] = mapped_column(ForeignKey("contracts.id"), unique=True)
    org_id: Mapped[str]
    payee_org_id: Mapped[str]
    signatory_org_ids: Mapped[list[str]] = mapped_column(ARRAY(Text))
    agent_id: Mapped[str]
    workflow_id: Mapped[str]
    status: Mapped[str]
    version: Mapped[int]
    currency: Mapped[str]
    amount_minor: Mapped[int]
    funded_minor: Mapped[int]
    released_minor: Mapped[int]
    refunded_minor: Mapped[int]
    commission_minor: Mapped[int]
    #: The part of `funded_minor` in granted credits.
    granted_minor: Mapped[int] = mapped_column(server_default=text("0"))
    next_deadline_at: Mapped[datetime | None]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class EscrowParty(Base):
    """An organization that pays, is paid or signs for an escrow, with the escrow's status.

    Written by triggers on escrows. Serves lists of an organization's escrows, in order and by status.
    """

    __tablename__ = "escrow_parties"
    __table_args__ = (Index("ix_escrow_parties_org_id_status_escrow_id", "org_id", "status", "escrow_id"),)

    org_id: Mapped[str] = mapped_column(primary_key=True)
    escrow_id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]


class EscrowEventRow(Base):
    """An event of an escrow: actor, time, the status after it, and its transfer. Immutable.

    `at` is the effective time, `recorded_at` the database's. `command_id` is unique within the escrow, so that a
    repeated command finds its event at any time. `content_hash` is the hash of the command, so that another one under
    its id is refused; null for deadlines and signals.
    """

    __tablename__ = "escrow_events"
    __table_args__ = (Index("uq_escrow_events_escrow_id_command_id", "escrow_id", "command_id", unique=True),)

    escrow_id: Mapped[str] = mapped_column(ForeignKey("escrows.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    status: Mapped[str]
    actor: Mapped[str]
    command_id: Mapped[str]
    content_hash: Mapped[str | None]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
