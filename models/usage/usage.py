"""Usage events, their digests, and their daily sums."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, BIGINT, JSONB, UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from models.common.base import Base

#: 10⁻¹² of a unit of money.
PICO = Numeric(38, 0)
#: Sums of tokens; an event may have 10¹².
TOKENS = Numeric(38, 0)
ID = PG_UUID(as_uuid=True)


class UsageDigest(Base):
    """Permanent digest of an accepted event. Written by the platform's role with the event; rows never change.

    Attributes:
        digest: 128 bits of a hash of organization, source and id.
        content: 64 bits of a hash of the event's content.
    """

    __tablename__ = "usage_digests"

    digest: Mapped[UUID] = mapped_column(ID, primary_key=True)
    content: Mapped[int]


class UsagePaidCall(Base):
    """Assignment of a spend to the call of a spend log that it paid for. Written by the platform's role; immutable.

    Attributes:
        digest: of the call's event, see `UsageDigest`; the event itself may have been refused.
    """

    __tablename__ = "usage_paid_calls"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    spend_id: Mapped[UUID] = mapped_column(ID, primary_key=True)
    digest: Mapped[UUID] = mapped_column(ID)


#: The condition that the cost of a LiteLLM call differs from the proxy's own `spend` by more than 10 %, in dollars.
COST_DIFFERS = """source = 'platform:litellm' AND CASE jsonb_typeof(data #> '{litellm,spend}') WHEN 'number' THEN
    abs(coalesce(cost_pico, 0) - (data #> '{litellm,spend}')::numeric * 1000000000000)
    > 0.1 * greatest(cost_pico, (data #> '{litellm,spend}')::numeric * 1000000000000) END"""


class UsageEventRow(Base):
    """An accepted event. Written once by the platform's role; partitioned by the month of `occurred_at`.

    Attributes:
        digest: of `usage_digests`.
        recorded_in: the transaction that wrote it, which orders the feed, see `repositories/usage/usage_feed.py`.
        sent_by: the principal that reported it.
        usage: of its model call, by unit; null without one.
        cost_pico: its own cost at the price of its time; null for an event without one.
        rated_by: `agent` or `model`, the source of the price.
        price_ref: the reference of the price.
        creator_org_id: the organization of the agent, if the agent has a price.
        estimated: the units priced by a substitute; null if there are none.
        meters: the numbers of the meters that counted it.
        bill_month: the month of its bill, whose number is `bill`; null without one.
    """

    __tablename__ = "usage_events"
    __table_args__ = (
        Index("ix_usage_events_recorded_in_id", "recorded_in", "id"),
        Index("ix_usage_events_cost_differs", "received_at", postgresql_where=text(COST_DIFFERS)),
        Index("ix_usage_events_org_id_run_id", "org_id", "run_id", postgresql_where=text("run_id IS NOT NULL")),
        {"postgresql_partition_by": "RANGE (occurred_at)"},
    )

    org_id: Mapped[str] = mapped_column(primary_key=True)
    occurred_at: Mapped[datetime] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(ID, primary_key=True)
    digest: Mapped[UUID] = mapped_column(ID)
    recorded_in: Mapped[int] = mapped_column(server_default=text("pg_current_xact_id()::text::bigint"))
    received_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(info={"holds": "free_text"})
    event_id: Mapped[str]
    type: Mapped[str]
    subject: Mapped[str | None] = mapped_column(info={"holds": "free_text"})
    action: Mapped[str] = mapped_column(info={"holds": "free_text"})
    agent_id: Mapped[str | None]
    department_id: Mapped[str | None]
    project_id: Mapped[str | None]
    run_id: Mapped[str | None]
    step_id: Mapped[str | None]
    parent_id: Mapped[str | None]
    provider: Mapped[str | None]
    model: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    spend_id: Mapped[str | None]
    sent_by: Mapped[str]
    key_id: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    currency: Mapped[str | None]
    cost_pico: Mapped[Decimal | None] = mapped_column(PICO)
    creator_pico: Mapped[Decimal | None] = mapped_column(PICO)
    platform_pico: Mapped[Decimal | None] = mapped_column(PICO)
    rated_by: Mapped[str | None] = mapped_column(info={"holds": "technical"})
    price_ref: Mapped[str | None]
    creator_org_id: Mapped[str | None]
    estimated: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    meters: Mapped[list[int]] = mapped_column(ARRAY(BIGINT))
    bill_month: Mapped[date | None]
    bill: Mapped[int | None]


class UsageDay(Base):
    """Sums of events of a UTC day, by a value of a dimension. Written by the statement that writes the events.

    Attributes:
        dimension: `all`, or the attribute of `value`; each event counts once in every dimension.
        value: empty for events without the attribute; for `model_mode` such as `thinking:gpt-5`.
        currency: of the cost; empty for unrated events.
        other_tokens: tokens that the other columns do not count: cache writes, audio, images, video.
        timed_tokens: output and reasoning tokens of calls with a duration, `duration_ms` in sum.
        estimated_events: events with a unit priced by a substitute.
    """

    __tablename__ = "usage_days"
    __table_args__ = (Index("ix_usage_days_agent", "value", "day", postgresql_where=text("dimension = 'agent_id'")),)

    org_id: Mapped[str] = mapped_column(primary_key=True)
    dimension: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    events: Mapped[int]
    input_tokens: Mapped[Decimal] = mapped_column(TOKENS)
    output_tokens: Mapped[Decimal] = mapped_column(TOKENS)
    cached_tokens: Mapped[Decimal] = mapped_column(TOKENS)
    reasoning_tokens: Mapped[Decimal] = mapped_column(TOKENS)
    other_tokens: Mapped[Decimal] = mapped_column(TOKENS)
    timed_tokens: Mapped[Decimal] = mapped_column(TOKENS)
    duration_ms: Mapped[Decimal] = mapped_column(TOKENS)
    estimated_events: Mapped[int]
    cost_pico: Mapped[Decimal] = mapped_column(PICO)
    creator_pico: Mapped[Decimal] = mapped_column(PICO)
    platform_pico: Mapped[Decimal] = mapped_column(PICO)


class UsageSource(Base):
    """Cursor of a source that usage is pulled from. Written by the worker only.

    Attributes:
        reached: everything that began before this time is recorded or refused.
    """

    __tablename__ = "usage_sources"

    name: Mapped[str] = mapped_column(primary_key=True, info={"holds": "technical"})
    reached: Mapped[datetime]
