"""Statements about usage events: recorded once, together with their daily sums. Writing needs the platform's role.

What is read of them later is in `repositories.usage.usage_report`.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.credits.spend.scope import Attribution, ScopeObjects
from domain.usage.meter import ALL
from domain.usage.token_usage import TOKEN_UNITS
from ledger.invariants import Invariant
from models.billing.project import Project
from models.credits.department import Department
from models.marketplace.agent import Agent
from models.usage.usage import COST_DIFFERS, UsageEventRow, UsageSource

#: The dimensions of daily sums, besides the total: columns of the events, and the mode and model of calls.
DIMENSIONS = ("model", "agent_id", "department_id", "project_id", "action", "model_mode")

_COLUMNS = (
    "occurred_at timestamptz, digest uuid, received_at timestamptz, source text, event_id text, type text, "
    "subject text, action text, agent_id text, department_id text, project_id text, run_id text, step_id text, "
    "parent_id text, provider text, model text, spend_id text, sent_by text, key_id text, data jsonb, usage jsonb, "
    "currency text, cost_pico numeric, creator_pico numeric, platform_pico numeric, rated_by text, price_ref text, "
    "creator_org_id text, estimated text[], meters bigint[], bill_month date, bill bigint"
)
#: The columns of an event that its sender and the rating fill, in the order of the table.
NAMES = ", ".join(column.split()[0] for column in _COLUMNS.split(", "))
#: The columns that are the same for all events of a request, and are sent once.
_ALIKE = ("received_at", "sent_by", "key_id")
_OWN_COLUMNS = ", ".join(column for column in _COLUMNS.split(", ") if column.split()[0] not in _ALIKE)
_VALUED = ", ".join(f"('{name}', {name})" for name in DIMENSIONS)
#: The counts of tokens in the usage of a call.
TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
_PICO = ("cost_pico", "creator_pico", "platform_pico")
#: What is added up of what one call has: its other tokens, the tokens of answers whose time is known, and that time.
_OF_CALLS = ("other_tokens", "timed_tokens", "duration_ms", "estimated_events")
#: What is added up of events.
COUNTED = ("events", *TOKENS, *_OF_CALLS, *_PICO)
_OTHER = " + ".join(f"coalesce((usage->>'{name}')::bigint, 0)" for name in sorted(TOKEN_UNITS - set(TOKENS)))
_ANSWERED = "coalesce((usage->>'output_tokens')::bigint, 0) + coalesce((usage->>'reasoning_tokens')::bigint, 0)"
#: How long a call took, as its sender says, or else Bedrock; NULL where nobody says.
_DURATION = (
    """substring(coalesce(data->>'duration_ms', data#>>'{answer,metrics,latencyMs}') FROM '^[1-9][0-9]{0,8}$')"""
)
#: Whether a call reasoned (`TokenUsage.mode`).
MODE = """CASE WHEN usage ? 'is_thinking' OR coalesce((usage->>'reasoning_tokens')::bigint, 0) > 0
    THEN 'thinking' ELSE 'normal' END"""
#: What is computed of an event: the tokens of its call, their time, and the mode with the model.
COMPUTED = ", ".join(
    (
        *(f"coalesce((usage->>'{name}')::bigint, 0) AS {name}" for name in TOKENS),
        f"{_OTHER} AS other_tokens",
        f"CASE WHEN {_DURATION} IS NULL THEN 0 ELSE {_ANSWERED} END AS timed_tokens",
        f"CASE WHEN usage IS NULL THEN 0 ELSE coalesce({_DURATION}::bigint, 0) END AS duration_ms",
        "(estimated IS NOT NULL)::int AS estimated_events",
        f"CASE WHEN usage IS NOT NULL AND model IS NOT NULL THEN {MODE} || ':' || model END AS model_mode",
    )
)
#: What events add up to.
_SUMS = ", ".join(
    (
        "count(*) AS events",
        *(f"sum({name}) AS {name}" for name in (*TOKENS, *_OF_CALLS)),
        *(f"coalesce(sum({name}), 0) AS {name}" for name in _PICO),
    )
)
_SUMS_OF_SUMS = _SUMS.replace("count(*)", "sum(events)::bigint")
#: The daily sums, computed from all events.
DAYS_OF_EVENTS = f"""
    SELECT org_id, dimension, day, coalesce(value, '') AS value, coalesce(currency, '') AS currency, {_SUMS}
    FROM (SELECT *, (occurred_at AT TIME ZONE 'UTC')::date AS day, {COMPUTED} FROM public.usage_events) events
    CROSS JOIN LATERAL (VALUES ('{ALL}', ''), {_VALUED}) AS kept (dimension, value)
    GROUP BY 1, 2, 3, 4, 5
"""
_ADDED = ", ".join(f"{name} = usage_days.{name} + excluded.{name}" for name in COUNTED)

# One statement, so that it is atomic. Rows that concurrent requests may share are written in a fixed order of tables,
# and within a table in the order of keys, so requests wait for each other without deadlocks.
_RECORD = f"""
    WITH sent AS MATERIALIZED (
        SELECT * FROM json_to_recordset($2::json) AS sent (
            content bigint, refused boolean, charged_meters bigint[], charged_quantities numeric[], charged_month date,
            billed_sources text[], billed_refs text[], billed_quantities numeric[], billed_pico numeric[],
            use_id text, use_purchase text, use_agent text, use_payee text, use_meter text, use_quantity bigint,
            use_unit_minor bigint, use_bps bigint, due_at timestamptz, {_OWN_COLUMNS}
        )
    ), fresh AS (
        INSERT INTO usage_digests (digest, content)
        SELECT digest, content FROM sent WHERE NOT refused ORDER BY digest
        ON CONFLICT DO NOTHING RETURNING digest
    ), accepted AS MATERIALIZED (
        SELECT sent.*, $4::timestamptz AS received_at, $5::text AS sent_by, $6::text AS key_id, uuidv7() AS id,
            (occurred_at AT TIME ZONE 'UTC')::date AS day, {COMPUTED}
        FROM sent JOIN fresh USING (digest)
    ), written AS (
        INSERT INTO usage_events (org_id, id, {NAMES})
        SELECT $1, id, {NAMES.replace(" meters", " coalesce(meters, '{}')")} FROM accepted
    ), agreed AS (
        INSERT INTO marketplace_agreed_uses (id, org_id, purchase_id, agent_id, payee_org_id, meter, quantity,
            unit_minor, creator_bps, agreed_at)
        SELECT use_id, $1, use_purchase, use_agent, use_payee, use_meter, use_quantity, use_unit_minor, use_bps,
            received_at
        FROM accepted WHERE use_id IS NOT NULL
    ), charged AS (
        INSERT INTO usage_charges (org_id, event, occurred_at, month, meters, quantities, use_id, due_at)
        SELECT $1, id, occurred_at, charged_month, charged_meters, charged_quantities, use_id,
            coalesce(due_at, received_at)
        FROM accepted
        WHERE charged_meters IS NOT NULL
    ), billed AS (
        INSERT INTO usage_bill_sums AS kept (org_id, month, number, source, ref, events, quantity, pico)
        SELECT $1, bill_month, bill, part.source, part.ref, count(*), sum(part.quantity), sum(part.pico)
        FROM accepted CROSS JOIN LATERAL unnest(billed_sources, billed_refs, billed_quantities, billed_pico)
            AS part (source, ref, quantity, pico)
        WHERE bill IS NOT NULL
        GROUP BY 2, 3, 4, 5 ORDER BY 2, 3, 4, part.ref COLLATE "C"
        ON CONFLICT (org_id, month, number, source, ref) DO UPDATE SET
            events = kept.events + excluded.events, quantity = kept.quantity + excluded.quantity,
            pico = kept.pico + excluded.pico
    ), readings AS MATERIALIZED (
        SELECT read.*, accepted.occurred_at, accepted.id, accepted.day
        FROM json_to_recordset($3::json) AS read (
            digest uuid, meter bigint, aggregation text, dimension text, value text, quantity numeric, member uuid
        ) JOIN accepted USING (digest)
    ), members AS (
        INSERT INTO meter_members (meter, org_id, dimension, day, value, member)
        SELECT DISTINCT meter, $1, dimension, day, value, member FROM readings WHERE member IS NOT NULL
        ORDER BY meter, dimension, day, value, member
        ON CONFLICT DO NOTHING RETURNING meter, dimension, day, value
    ), new_members AS (
        SELECT meter, dimension, day, value, count(*) AS members FROM members GROUP BY meter, dimension, day, value
    ), metered AS (
        INSERT INTO meter_days AS kept (meter, org_id, dimension, day, value, events, quantity, latest_at, latest_id)
        SELECT meter, $1, dimension, day, value, count(*),
            CASE aggregation
                WHEN 'max' THEN max(quantity)
                WHEN 'latest' THEN (array_agg(quantity ORDER BY occurred_at DESC, id DESC))[1]
                WHEN 'unique' THEN coalesce(max(members), 0)
                ELSE sum(quantity)
            END,
            max(occurred_at), (array_agg(id ORDER BY occurred_at DESC, id DESC))[1]
        FROM readings LEFT JOIN new_members USING (meter, dimension, day, value)
        GROUP BY meter, aggregation, dimension, day, value ORDER BY meter, dimension, day, value
        ON CONFLICT (meter, org_id, dimension, day, value) DO UPDATE SET
            events = kept.events + excluded.events,
            quantity = CASE (SELECT aggregation FROM meters WHERE number = kept.meter)
                WHEN 'max' THEN greatest(kept.quantity, excluded.quantity)
                WHEN 'latest' THEN CASE
                    WHEN (excluded.latest_at, excluded.latest_id) > (kept.latest_at, kept.latest_id)
                    THEN excluded.quantity ELSE kept.quantity END
                ELSE kept.quantity + excluded.quantity
            END,
            latest_at = greatest(kept.latest_at, excluded.latest_at),
            latest_id = CASE WHEN (excluded.latest_at, excluded.latest_id) > (kept.latest_at, kept.latest_id)
                THEN excluded.latest_id ELSE kept.latest_id END
    ), alike AS (
        SELECT day, currency, {", ".join(DIMENSIONS)}, {_SUMS} FROM accepted
        GROUP BY day, currency, {", ".join(DIMENSIONS)}
    ), added AS MATERIALIZED (
        SELECT dimension, day, coalesce(value, '') AS value, coalesce(currency, '') AS currency, {_SUMS_OF_SUMS}
        FROM alike CROSS JOIN LATERAL (VALUES ('{ALL}', ''), {_VALUED}) AS kept (dimension, value)
        GROUP BY 1, 2, 3, 4
    ), days AS (
        INSERT INTO usage_days (org_id, dimension, day, value, currency, {", ".join(COUNTED)})
        SELECT $1, dimension, day, value, currency, {", ".join(COUNTED)} FROM added
        ORDER BY dimension, day, value COLLATE "C", currency
        ON CONFLICT (org_id, dimension, day, value, currency) DO UPDATE SET {_ADDED}
    )
    SELECT sent.digest, accepted.id, CASE WHEN accepted.id IS NULL THEN (
        SELECT known.content FROM usage_digests known WHERE known.digest = sent.digest
    ) END AS known
    FROM sent LEFT JOIN accepted USING (digest)
"""
#: Marks a number within the JSON. It contains NUL, which no received text does.
_NUMBER = re.compile(r'"\\u0000([^"]+)"')
_KNOWN = "SELECT digest, content FROM usage_digests WHERE digest = ANY($1::uuid[])"


class RecordedEvent(NamedTuple):
    """The outcome of an event.

    Attributes:
        id: the event's new id, if it was written; else None.
        known: the content hash of an earlier event with the same digest; None if there was none.
    """

    id: UUID | None
    known: int | None


async def record(
    connection: asyncpg.Connection,
    org_id: str,
    rows: Sequence[Mapping[str, object]],
    readings: Sequence[Mapping[str, object]] = (),
    *,
    received_at: datetime,
    sent_by: str,
    key_id: str | None = None,
) -> dict[UUID, RecordedEvent]:
    """Write new events that are not refused, and update the daily sums, in one statement.

    Args:
        connection: with the platform's role, in a transaction.
        org_id: the organization.
        rows: the non-null columns of `usage_events`, with `content` and `refused`; each digest once. Events to be
            charged have `charged_meters`, `charged_quantities` and `charged_month`; for the use of an agent these are
            empty, and the agreed terms are in `use_…`. Events on bills have `bill_month`, `bill`, and the amounts to
            add to its sums: `billed_sources`, `billed_refs`, `billed_quantities`, `billed_pico`.
        readings: the readings of meters, a row for each dimension: `digest`, `meter`, `aggregation`, `dimension`,
            `value`, `quantity`, `member`.
        received_at: the time of the request.
        sent_by: the sender.
        key_id: the sender's API key.
    """
    documents = _document(rows), _document(readings)
    answers = await connection.fetch(_RECORD, org_id, *documents, received_at, sent_by, key_id)
    found = {row["digest"]: RecordedEvent(row["id"], row["known"]) for row in answers}
    # Events that a concurrent request has accepted. The statement waited for it, but does not see its rows.
    unseen = [digest for digest, recorded in found.items() if recorded.id is None and recorded.known is None]
    if unseen:
        found |= {
            digest: RecordedEvent(None, content)
            for digest, content in (await known_contents(connection, unseen)).items()
        }
    return found


async def known_contents(connection: asyncpg.Connection, digests: Sequence[UUID]) -> dict[UUID, int]:
    """Return the content hashes of events that were accepted before, by digest."""
    return {row["digest"]: row["content"] for row in await connection.fetch(_KNOWN, digests)}


def _document(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as JSON, with each `Decimal` as a number with all its digits."""
    if not any(_has_decimal(row.get("data")) for row in rows):
        # Seven times as fast. It writes a Decimal as a string, which the columns accept as well.
        return to_json(rows).decode()
    return _NUMBER.sub(
        r"\1", json.dumps(rows, default=lambda value: f"\x00{value}" if isinstance(value, Decimal) else str(value))
    )


def _has_decimal(value: object) -> bool:
    # Loops and exact types, for speed: it visits every member of every event.
    members = value.values() if type(value) is dict else value if type(value) is list else (value,)
    for each in members:
        kind = type(each)
        if kind is Decimal or ((kind is dict or kind is list) and _has_decimal(each)):
            return True
    return False


async def open_months(connection: asyncpg.Connection, since: datetime, until: datetime) -> int:
    """Create the partition of every month between two times; return how many are new."""
    made: int = await connection.fetchval("SELECT open_usage_months($1, $2)", since, until)
    return made


async def events_with_start(
    session: AsyncSession, org_id: str, asked: Collection[tuple[UUID, datetime]]
) -> frozenset[tuple[UUID, datetime]]:
    row = UsageEventRow
    # Filtered by time first, which is part of the primary key; there is no index by digest.
    query = select(row.digest, row.occurred_at).where(
        row.org_id == org_id, row.occurred_at.in_({at for _, at in asked}), row.digest.in_({each for each, _ in asked})
    )
    return frozenset(asked) & {(digest, at) for digest, at in await session.execute(query)}


async def agents(session: AsyncSession, ids: Collection[str]) -> dict[str, Agent]:
    if not ids:
        return {}
    return {agent.id: agent for agent in await session.scalars(select(Agent).where(Agent.id.in_(ids)))}


async def known_names(
    session: AsyncSession, org_id: str, own: Collection[Agent], departments: Collection[str], projects: Collection[str]
) -> ScopeObjects:
    """Return the organization's agents, departments and projects that events name, for `domain.credits.spend.scope`.

    Args:
        session: of the platform.
        org_id: the organization.
        own: the organization's agents among those named.
        departments: the named ones, and the key's own.
        projects: the named ones.
    """
    attributions = {
        agent.id: Attribution(department_id=agent.department_id, project_id=agent.project_id) for agent in own
    }
    wanted = {*departments, *(each.department_id for each in attributions.values())} - {None}
    paths: dict[str, Sequence[str]] = {}
    if wanted:
        query = select(Department.id, Department.path).where(
            Department.id.in_(wanted), Department.org_id == org_id, Department.closed_at.is_(None)
        )
        paths = {row.id: row.path for row in await session.execute(query)}
    found: frozenset[str] = frozenset()
    if projects:
        of_org = select(Project.id).where(Project.org_id == org_id, Project.id.in_(projects))
        found = frozenset(await session.scalars(of_org))
    return ScopeObjects(agents=attributions, departments=paths, projects=found)


async def cursor(session: AsyncSession, source: str) -> datetime | None:
    """Return up to when usage was pulled from a source; None before the first time."""
    query = select(UsageSource.reached).where(UsageSource.name == source)
    return (await session.scalars(query)).one_or_none()


async def move_cursor(session: AsyncSession, source: str, *, since: datetime, until: datetime) -> None:
    """Record that usage was pulled from one time to another, if that leaves no gap after the previous pull."""
    source_row = UsageSource
    moved = insert(source_row).values(name=source, reached=until)
    await session.execute(
        moved.on_conflict_do_update(
            index_elements=["name"],
            set_={"reached": moved.excluded.reached},
            where=(source_row.reached >= since) & (source_row.reached < moved.excluded.reached),
        )
    )


class CostDifference(NamedTuple):
    """Calls of a spend log that cost another amount here than at the proxy, and the first of them; in dollars.

    Attributes:
        here: what they cost here in sum, `there` at the proxy, and `off` the sum of their differences.
    """

    calls: int
    here: Decimal
    there: Decimal
    off: Decimal
    event_id: str
    call_type: str | None
    model: str | None
    first_here: Decimal
    first_there: Decimal


_DIFFERING = text(f"""
    SELECT count(*) OVER (), trim_scale(sum(here) OVER ()), trim_scale(sum(there) OVER ()),
        trim_scale(sum(abs(here - there)) OVER ()), event_id, call_type, model, trim_scale(here), trim_scale(there)
    FROM (
        SELECT id, event_id, model, data #>> '{{litellm,call_type}}' AS call_type,
            coalesce(cost_pico, 0) * 0.000000000001 AS here, round((data #> '{{litellm,spend}}')::numeric, 12) AS there
        FROM usage_events WHERE {COST_DIFFERS} AND received_at >= :since AND received_at < :until
    ) AS calls ORDER BY id LIMIT 1
""")


async def cost_difference(session: AsyncSession, since: datetime, until: datetime) -> CostDifference | None:
    """Return the calls recorded in a window whose cost differs from the proxy's own; None if there are none."""
    found = (await session.execute(_DIFFERING, {"since": since, "until": until})).one_or_none()
    return None if found is None else CostDifference(*found)


#: Whether the month of a day was not detached.
IS_THERE = """EXISTS (
    SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'public.usage_events'::regclass AND relname = to_char(day, '"usage_events_"YYYY_MM')
)"""
#: What `verify` proves about days and events.
INVARIANTS = (
    Invariant(
        name="usage by day equals the events of the day",
        table="public.usage_days",
        unit="days",
        violations=f"""
        SELECT org_id || ' ' || day || ' ' || dimension || ' ' || value || ': kept ' || coalesce(kept::text, 'nothing')
            || ', events ' || coalesce(added::text, 'nothing')
        FROM (
            SELECT org_id, dimension, day, value, currency, ROW({", ".join(COUNTED)}) AS kept FROM public.usage_days
            WHERE {IS_THERE}
        ) kept
        FULL JOIN (
            SELECT org_id, dimension, day, value, currency, ROW({", ".join(COUNTED)}) AS added
            FROM ({DAYS_OF_EVENTS}) added
        ) added USING (org_id, dimension, day, value, currency)
        WHERE kept IS DISTINCT FROM added
        """,
    ),
    Invariant(
        name="every usage event has its digest",
        table="public.usage_events",
        unit="events",
        violations="""
        SELECT org_id || ' ' || id FROM public.usage_events e
        WHERE NOT EXISTS (SELECT FROM public.usage_digests d WHERE d.digest = e.digest)
        """,
    ),
)
