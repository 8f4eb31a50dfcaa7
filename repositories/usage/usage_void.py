"""Usage events in arrears that are taken off their bill before it is sealed. Writing needs the platform's role."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant
from models.usage.usage import UsageEventRow
from models.usage.usage_bill import UsageVoid

#: How long before it came in an event may have happened, at the very most; and how far ahead clocks of senders may be.
_LATE = timedelta(days=400)
_EARLY = timedelta(days=2)
#: Milliseconds since 1970 of the year 9000: an id that somebody made up may name a time that there is not.
_LATEST_MS = 221_845_392_000_000

# The bill is locked for sharing, as by who adds events: it is not sealed meanwhile.
_OPEN = """
    SELECT EXISTS (
        SELECT FROM usage_bills WHERE org_id = $1 AND month = $2 AND number = $3 AND sealed_at IS NULL FOR SHARE
    )
"""
_VOID = """
    INSERT INTO usage_voids (org_id, event, voided_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING event
"""
# What an event has added: see `domain.usage.arrears.billed_amounts`. A meter's price never changes, and one that is
# charged stays so. The sums are locked in the order in which events are added to them.
_TAKE = """
    WITH event AS (
        SELECT * FROM usage_events WHERE org_id = $1 AND id = $2 AND occurred_at = $3
    ), charging AS (
        SELECT m.number, m.price, CASE WHEN m.aggregation = 'count' THEN 1
            ELSE coalesce((e.data #>> string_to_array(m.property, '.'))::numeric, 0) END AS quantity
        FROM event e JOIN meters m ON m.number = ANY (e.meters) AND m.charged_at <= e.received_at
    ), parts AS MATERIALIZED (
        SELECT 'meter' AS source, number::text AS ref, quantity, 0::numeric AS pico FROM charging
        WHERE price IS NOT NULL
        UNION ALL
        SELECT e.rated_by, CASE e.rated_by WHEN 'agent' THEN e.price_ref ELSE (
            -- The model's key, with the version of its list behind it.
            SELECT s.ref FROM usage_bill_sums s
            WHERE (s.org_id, s.month, s.number, s.source) = (e.org_id, e.bill_month, e.bill, 'model')
                AND starts_with(e.price_ref, s.ref || '@')
            ORDER BY length(s.ref) DESC LIMIT 1
        ) END, 0, e.cost_pico
        FROM event e
        WHERE e.cost_pico IS NOT NULL
            AND (NOT EXISTS (SELECT FROM charging) OR EXISTS (SELECT FROM charging WHERE price IS NULL))
    ), locked AS MATERIALIZED (
        SELECT s.org_id, s.month, s.number, s.source, s.ref, p.quantity, p.pico
        FROM event e JOIN usage_bill_sums s ON (s.org_id, s.month, s.number) = (e.org_id, e.bill_month, e.bill)
        JOIN parts p ON (p.source, p.ref) = (s.source, s.ref)
        ORDER BY s.source, s.ref COLLATE "C" FOR UPDATE OF s
    ), taken AS (
        UPDATE usage_bill_sums s
        SET events = s.events - 1, quantity = s.quantity - l.quantity, pico = s.pico - l.pico
        FROM locked l
        WHERE (s.org_id, s.month, s.number, s.source, s.ref) = (l.org_id, l.month, l.number, l.source, l.ref)
            AND s.events > 0 AND s.quantity >= l.quantity AND s.pico >= l.pico
        RETURNING s.ref
    )
    SELECT (SELECT count(*) FROM parts) > 0 AND (SELECT count(*) FROM parts) = (SELECT count(*) FROM taken)
"""


@dataclass(frozen=True, slots=True)
class BilledEvent:
    """An event that went on a bill when it came in: when it happened, its bill, and whether it is void."""

    occurred_at: datetime
    month: date
    number: int
    is_void: bool


async def find_billed(session: AsyncSession, org_id: str, event: UUID) -> BilledEvent | None:
    row = UsageEventRow
    came_in = datetime.fromtimestamp(min(event.int >> 80, _LATEST_MS) / 1000, UTC)
    # The time is a part of the key, and says in which months to look.
    query = select(row.occurred_at, row.bill_month, row.bill).where(
        row.org_id == org_id,
        row.occurred_at > came_in - _LATE,
        row.occurred_at < came_in + _EARLY,
        row.id == event,
        row.bill.is_not(None),
    )
    found = (await session.execute(query)).one_or_none()
    if found is None or found.bill_month is None or found.bill is None:
        return None
    return BilledEvent(
        found.occurred_at, found.bill_month, found.bill, event in await of_events(session, org_id, [event])
    )


async def of_events(session: AsyncSession, org_id: str, events: Collection[UUID]) -> frozenset[UUID]:
    query = select(UsageVoid.event).where(UsageVoid.org_id == org_id, UsageVoid.event.in_(events))
    return frozenset(await session.scalars(query))


async def keep_open(connection: asyncpg.Connection, org_id: str, found: BilledEvent) -> bool:
    """Tell whether a bill is open; an open one is not sealed until the transaction ends."""
    is_open: bool = await connection.fetchval(_OPEN, org_id, found.month, found.number)
    return is_open


async def write(connection: asyncpg.Connection, org_id: str, event: UUID, at: datetime) -> bool:
    return await connection.fetchval(_VOID, org_id, event, at) is not None


async def take_off(connection: asyncpg.Connection, org_id: str, event: UUID, found: BilledEvent) -> bool:
    taken: bool = await connection.fetchval(_TAKE, org_id, event, found.occurred_at)
    return taken


#: The act of an operator who voids a billed event, in the audit trail; its details name the `event` as it is stored.
VOIDED = "usage.void_event"
#: What `verify` proves about void events.
INVARIANT = Invariant(
    name="every void usage event was on a bill, and has a reason in the audit trail",
    table="public.usage_voids",
    unit="events",
    violations=f"""
    SELECT v.org_id || ' event ' || v.event || ': void, and nobody is named who voided it'
    FROM public.usage_voids v
    WHERE NOT EXISTS (
        SELECT FROM public.audit_log a
        WHERE a.org_id = v.org_id AND a.action = '{VOIDED}' AND a.details ->> 'event' = v.event::text
    )
    """,
)
