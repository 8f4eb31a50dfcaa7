"""Webhook endpoints, their timeline, and their deliveries.

`services/messages/webhook_endpoint.py` writes what tenants request; `activities/messages/webhook_endpoint.py` writes
everything else.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from models.common.base import Base


class WebhookEndpointRow(Base):
    """A webhook endpoint. `state` is complete; the other columns serve queries.

    Attributes:
        types: the subscribed event types; `*` alone means every type.
        secret, private_key: the signing keys, sealed; null once the endpoint is deleted.
        previous_secret, previous_private_key: the keys before the latest rotation, sealed; they sign in addition until
            `previous_until`.
        older_keys: the keys before those, each with its own `until`.
        read_in, read_id: its position in the outbox.
        lease: the id of the drain (the activity that sends its deliveries) that owns it. Writes of other drains are
            refused.
        idle: whether no drain is running, so that its workflow must be signalled about new events.
        seen_at: when its drain last wrote.
        waits_since: when it began to wait for its turn among the organization's endpoints; null if it does not wait.
        wakes_at: when the next drain starts without a signal; null without pending deliveries.
        slow_until, slowed, failing_since: the state of its rate limiting, see `domain.messages.webhook.delivery`.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_org_id_id", "org_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    command_id: Mapped[str] = mapped_column(unique=True)
    url: Mapped[str]
    ordering: Mapped[str]
    status: Mapped[str]
    read_id: Mapped[str]
    created_by: Mapped[str]
    description: Mapped[str | None]
    public_key: Mapped[str | None]
    lease: Mapped[str | None]
    secret: Mapped[str | None]
    private_key: Mapped[str | None]
    previous_secret: Mapped[str | None]
    previous_private_key: Mapped[str | None]
    types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[dict[str, Any]] = mapped_column(JSONB)
    idle: Mapped[bool]
    version: Mapped[int]
    read_in: Mapped[int] = mapped_column(BigInteger)
    slowed: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    previous_until: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    wakes_at: Mapped[datetime | None]
    slow_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    waits_since: Mapped[datetime | None]
    older_keys: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))


class WebhookEndpointEventRow(Base):
    """An event of an endpoint's timeline, with actor, time and state after it. Immutable."""

    __tablename__ = "webhook_endpoint_events"
    __table_args__ = (Index("uq_webhook_endpoint_events_command_id", "endpoint_id", "command_id", unique=True),)

    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id"), primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    actor: Mapped[str]
    command_id: Mapped[str]
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class WebhookDeliveryRow(Base):
    """Delivery of an event to an endpoint. Written by the platform's role.

    `event_id` is not a foreign key, which would lock the event's row for each endpoint; events are never deleted.

    Attributes:
        tries: the number of attempts since it last became pending.
        answer: the beginning of the receiver's latest response body; null after 30 days.
        replays: the number of times it was made pending again.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("uq_webhook_deliveries_event", "endpoint_id", "event_id", unique=True),
        Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        Index(
            "ix_webhook_deliveries_pending",
            "endpoint_id",
            "subject",
            "subject_seq",
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_webhook_deliveries_answered", "tried_at", postgresql_where=text("answer IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoints.id"))
    org_id: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    subject: Mapped[str]
    status: Mapped[str]
    error: Mapped[str | None]
    answer: Mapped[str | None]
    subject_seq: Mapped[int]
    tries: Mapped[int]
    replays: Mapped[int]
    status_code: Mapped[int | None]
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
