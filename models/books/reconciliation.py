"""Reconciliation: its runs, the lines of statements, discrepancies, and corrections.

Only the platform reads and writes these: the worker, `manage reconcile`, and operators over the API.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ReconciliationRun(Base):
    """Comparison of a provider's statement with the books for a window of time.

    Attributes:
        status: `running`, `done`, or `failed`: the statement could not be read, or has a gap.
        compared: the number of compared keys; `differences` is the number of open discrepancies.
        report: lines by currency and kind, and the clearing account; see `repositories/books/reconciliation.py`.
        failure: why it failed, or what a finished run could not read; for people.
    """

    __tablename__ = "reconciliation_runs"
    __table_args__ = (
        Index("ix_reconciliation_runs_provider_until", "provider", "until"),
        Index("ix_reconciliation_runs_started_at_id", "started_at", "id"),
        Index("ix_reconciliation_runs_provider_started_at_id", "provider", "started_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    status: Mapped[str]
    requested_by: Mapped[str]
    command_id: Mapped[str] = mapped_column(unique=True)
    compared: Mapped[int]
    differences: Mapped[int]
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB, info={"holds": "financial"})
    failure: Mapped[str | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ReconciliationLine(Base):
    """A line of the provider's statement, while a run compares it; deleted when the run is done."""

    __tablename__ = "reconciliation_lines"

    run_id: Mapped[str] = mapped_column(ForeignKey("reconciliation_runs.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    movement: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ReconciliationDiscrepancy(Base):
    """Discrepancy of a key between the provider and the books; one row for each kind, however often it is found.

    Attributes:
        kind: `missing_here`, `missing_there`, `amount_differs` or `fee_missing`.
        status: `open` or `resolved`.
        movement: the movement as the provider reports it, or as it is booked; `booked` and `listed` are both sides.
        run_id: the run that saw it last.
        times_opened: how many times it was opened: again if it recurs after it was resolved.
        resolution: `matched` automatically, `superseded` by a discrepancy of another kind, `booked`, `accepted`.
        transfer_id: of the correction.
        command_id: of the resolution.
    """

    __tablename__ = "reconciliation_differences"
    __table_args__ = (
        Index("uq_reconciliation_differences_provider_key_kind", "provider", "key", "kind", unique=True),
        Index("ix_reconciliation_differences_status_id", "status", "id"),
        Index("ix_reconciliation_differences_provider_status_id", "provider", "status", "id"),
        CheckConstraint("(status = 'open') = (resolution IS NULL)", name="resolution"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    key: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str]
    movement: Mapped[dict[str, Any]] = mapped_column(JSONB)
    booked: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    listed: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    payment_id: Mapped[str | None]
    run_id: Mapped[str] = mapped_column(ForeignKey("reconciliation_runs.id"))
    times_opened: Mapped[int]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    resolution: Mapped[str | None]
    note: Mapped[str | None]
    resolved_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    transfer_id: Mapped[UUID | None] = mapped_column(PG_UUID(as_uuid=True))
    command_id: Mapped[str | None]


class ReconciliationCorrection(Base):
    """Link from a correcting movement to the key that it corrects. Immutable."""

    __tablename__ = "reconciliation_corrections"
    __table_args__ = (
        Index("ix_reconciliation_corrections_provider_key", "provider", "key"),
        ForeignKeyConstraint(
            ["provider", "movement_key"],
            ["payment_movements.provider", "payment_movements.key"],
            name="fk_reconciliation_corrections_movement",
        ),
        # Named explicitly, like the one above: the default names are too long for PostgreSQL.
        ForeignKeyConstraint(
            ["difference_id"], ["reconciliation_differences.id"], name="fk_reconciliation_corrections_difference"
        ),
    )

    provider: Mapped[str] = mapped_column(primary_key=True)
    movement_key: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    difference_id: Mapped[str]
