"""The collection of an invoice by charges and dunning, and its timeline.

`services/billing/invoice_collection.py` creates it with the invoice, `activities/billing/invoice.py` writes its events.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class InvoiceCollectionRow(Base):
    """State of an invoice's collection. `state` is complete; the other columns are copies for queries.

    `wake_at` is the time from which it needs a workflow run; null if nothing is pending.
    """

    __tablename__ = "invoice_collections"
    __table_args__ = (
        CheckConstraint("method IN ('charge_automatically', 'send_invoice')", name="method"),
        CheckConstraint("(wake_at IS NULL) = (status IN ('paused', 'paid', 'void', 'uncollectible'))", name="wake_at"),
        Index("ix_invoice_collections_org_id_invoice_id", "org_id", "invoice_id"),
        Index("ix_invoice_collections_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
        Index(
            "ix_invoice_collections_open",
            "invoice_id",
            postgresql_where=text("status NOT IN ('paid', 'void', 'uncollectible')"),
        ),
    )

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoices.id"), primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    method: Mapped[str] = mapped_column(info={"holds": "technical"})
    status: Mapped[str]
    version: Mapped[int]
    wake_at: Mapped[datetime | None]
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class InvoiceCollectionEventRow(Base):
    """A step of a collection: who did what when, and the state after it. Immutable."""

    __tablename__ = "invoice_collection_events"
    __table_args__ = (
        Index("uq_invoice_collection_events_invoice_id_command_id", "invoice_id", "command_id", unique=True),
    )

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice_collections.invoice_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    status: Mapped[str]
    actor: Mapped[str]
    command_id: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
