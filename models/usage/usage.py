"""Usage events, what they were accepted by, and what adds up from them by day."""

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
#: Sums of tokens, of which one event may have 10¹².
TOKENS = Numeric(38, 0)
ID = PG_UUID(as_uuid=True)


class UsageDigest(Base):
    """What an accepted event is known by for good. Written by the platform's role with the event; rows never change.

    Attributes:
        digest: 128 bits of a hash of organization, source and id.
        content: 64 bits of a hash of what the event said.
    """

    __tablename__ = "usage_digests"

    digest: Mapped[UUID] = mapped_column(ID, primary_key=True)
    content: Mapped[int]


class UsagePaidCall(Base):
    """That a spend has paid for a call of a spend log, and for no other. Written by the platform's role; never changes.

    Attributes:
        digest: what the call's event is known by, see `UsageDigest`; the event itself may still have been refused.
    """

    __tablename__ = "usage_paid_calls"

    org_id: Mapped[str] = mapped_column(primary_key=True)
    spend_id: Mapped[UUID] = mapped_column(ID, primary_key=True)
    digest: Mapped[UUID] = mapped_column(ID)


#: A call of LiteLLM's spend log whose cost is more than a tenth off the proxy's own `spend`, both in dollars.
COST_DIFFERS = """source = 'platform:litellm' AND CASE jsonb_typeof(data #> '{litellm,spend}') WHEN 'number' THEN
    abs(coalesce(cost_pico, 0) - (data #> '{litellm,spend}')::numeric * 1000000000000)
    > 0.1 * greatest(cost_pico, (data #> '{litellm,spend}')::numeric * 1000000000000) END"""


class UsageEventRow(Base):
    """One accepted event. Written once by the platform's role; partitioned by the month of `occurred_at`.

    Attributes:
        digest: of `usage_digests`.
        recorded_in: the transaction that wrote it; what follows the events reads by it, see
            `repositories/usage/usage_feed.py`.
        sent_by: the principal that reported it.
        usage: tokens by kind, of the call of a model; null where there was none.
        cost_pico: what it cost, by the price of its time; null for an event that is not rated by itself.
        rated_by: `agent` or `model`: whose price it was.
        price_ref: which price.
        creator_org_id: whose agent it was, where the agent has a price.
        estimated: the units of the call that a substitute's price applies to; null if there are none.
        meters: the meters that counted it, by number.
        bill_month: the month of the bill that it is on, whose number is `bill`; null where it is on none.
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
    """What events of one day in UTC add up to, for one value of one dimension. Kept by the statement of the events.

    Attributes:
        dimension: `all`, or the attribute that `value` is of; each event counts once in every dimension.
        value: empty for events without the attribute; of `model_mode` it is such as `thinking:gpt-5`.
        currency: of the cost; empty for events that were not rated.
        other_tokens: tokens of calls that the other columns do not count: cache writes, audio, images, video.
        timed_tokens: output and reasoning of the calls of which `duration_ms` is the time.
        estimated_events: those with a unit that a substitute's price applies to.
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
    """How far usage was pulled from a source. Written by the worker only.

    Attributes:
        reached: everything that began before it is recorded, or was refused.
    """

    __tablename__ = "usage_sources"

    name: Mapped[str] = mapped_column(primary_key=True, info={"holds": "technical"})
    reached: Mapped[datetime]
