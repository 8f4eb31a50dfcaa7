"""The inbox of the webhooks that providers send."""

from datetime import datetime
from typing import Any

from sqlalchemy import Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base


class ProviderEventRow(Base):
    """A verified webhook, stored once, before the response. Written by the API; the status by the worker.

    Attributes:
        status: `received`, `forwarded` to a payment's run, `handled`, `ignored` (without effect), `unmatched` (about an
            unknown object).
        payload: the event without secrets and card numbers; null once deleted.
        handled_at: when its effect was booked, set in the same transaction; null until then.
    """

    __tablename__ = "provider_events"
    __table_args__ = (
        Index("uq_provider_events_provider_event_id", "provider", "event_id", unique=True),
        Index("ix_provider_events_status_id", "status", "id"),
        Index("ix_provider_events_unhandled", "id", postgresql_where=text("handled_at IS NULL")),
        Index("ix_provider_events_payload", "handled_at", postgresql_where=text("payload IS NOT NULL")),
        Index("ix_provider_events_payment_id", "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    provider: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    status: Mapped[str]
    payment_id: Mapped[str | None]
    refs: Mapped[list[str]] = mapped_column(ARRAY(Text))
    livemode: Mapped[bool]
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    handled_at: Mapped[datetime | None]
