"""SQL of the inbox of webhooks. Needs the platform's role.

The statements of each webhook and each scrape of metrics use asyncpg directly, one round trip each.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from pydantic import TypeAdapter
from sqlalchemy import func, null, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.common.text import storable_json
from domain.payments.payment.snapshot import ProviderEvent
from domain.payments.payment.terms import PaymentTerms
from domain.privacy.card_numbers import without_card_numbers
from models.payments.provider_event import ProviderEventRow
from repositories.common.batched import Writes
from repositories.common.changed import rows_changed
from repositories.common.listing import ListFilter, Listing, ListPage, Part, part_per_value

_STORE = """
    INSERT INTO provider_events
        (provider, event_id, type, status, payment_id, refs, livemode, payload, occurred_at, handled_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $10 THEN clock_timestamp() END)
    ON CONFLICT (provider, event_id) DO NOTHING RETURNING id
"""
_FIND_NAMED = """
    SELECT e.status, p.state -> 'terms' AS terms
    FROM provider_events e LEFT JOIN payments p ON p.id = e.payment_id AND p.provider = e.provider
    WHERE e.provider = $1 AND e.event_id = $2
"""
_MARK_FORWARDED = """
    UPDATE provider_events SET status = 'forwarded' WHERE provider = $1 AND event_id = $2 AND handled_at IS NULL
"""
_OLDEST = "SELECT min(received_at) FROM provider_events WHERE handled_at IS NULL"

MISSING = "There is no such webhook."
#: A row number, within the range of bigint.
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_TERMS: TypeAdapter[PaymentTerms] = TypeAdapter(PaymentTerms)


@dataclass(frozen=True, slots=True)
class NamedPayment:
    status: str
    terms: PaymentTerms | None


async def store(
    pool: "asyncpg.Pool[asyncpg.Record]", provider: str, event: ProviderEvent, status: str, *, handled: bool
) -> bool:
    """Store an event once, in one round trip; return whether it is new.

    Client secrets are removed and card numbers redacted. The event is signed by its provider, so it is not refused
    because of them.
    """
    payment_id = event.payment_id if event.payment_id and is_id(event.payment_id, "pay") else None
    known = await pool.fetchval(
        _STORE,
        *(provider, event.event_id, event.type, status, payment_id, storable_json(list(event.refs)), event.livemode),
        *(json.dumps(without_card_numbers(_without_secrets(storable_json(event.payload)))), event.occurred_at, handled),
    )
    return known is not None


def _without_secrets(value: object) -> object:
    """Remove client secrets, which no reader needs."""
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items() if name != "client_secret"}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


async def find_named_payment(pool: "asyncpg.Pool[asyncpg.Record]", provider: str, event_id: str) -> NamedPayment | None:
    """Find the payment that an event names by our id, in one round trip."""
    row = await pool.fetchrow(_FIND_NAMED, provider, event_id)
    if row is None:
        return None
    return NamedPayment(row["status"], None if row["terms"] is None else _TERMS.validate_json(row["terms"]))


async def mark_forwarded(pool: "asyncpg.Pool[asyncpg.Record]", provider: str, event_id: str) -> None:
    """Record, in one round trip, that the event's payment was signalled, unless the event is handled."""
    await pool.execute(_MARK_FORWARDED, provider, event_id)


async def previous_attributes(session: AsyncSession, number: int) -> Mapping[str, Any]:
    """Return the `previous_attributes` of a Stripe event; empty without any."""
    query = select(ProviderEventRow.payload["data"]["previous_attributes"]).where(ProviderEventRow.id == number)
    return (await session.scalars(query)).one_or_none() or {}


async def balance(session: AsyncSession, number: int) -> object:
    query = select(ProviderEventRow.payload["data"]["object"]).where(ProviderEventRow.id == number)
    return (await session.scalars(query)).one_or_none()


async def get(session: AsyncSession, provider: str, event_id: str) -> ProviderEventRow | None:
    query = (
        select(ProviderEventRow)
        .options(defer(ProviderEventRow.payload, raiseload=True))
        .where(ProviderEventRow.provider == provider, ProviderEventRow.event_id == event_id)
    )
    return (await session.scalars(query)).one_or_none()


_LIST = Listing(
    of=ProviderEventRow, order=[ProviderEventRow.id], created="received_at", searched=("event_id", "type", "payment_id")
)


async def page(session: AsyncSession, wanted: ListFilter, *, unhandled: bool) -> ListPage[ProviderEventRow]:
    """List events, newest first; with `unhandled` only those that are not handled."""
    row = ProviderEventRow
    part: Part = (row.handled_at.is_(None),) if unhandled else ()
    if "payment_id" in wanted.equal:
        part = (*part, row.payment_id == wanted.equal["payment_id"])
    parts = [(*part, *of_state) for of_state in part_per_value(row.status, wanted.statuses)]
    return await _LIST.page(session, wanted, parts, served=["payment_id"])


async def by_number(session: AsyncSession, number: str) -> ProviderEventRow:
    """Return an event by its number, without its payload.

    Raises:
        NotFound: there is none.
    """
    row = None
    if _NUMBER.fullmatch(number):
        query = select(ProviderEventRow).where(ProviderEventRow.id == int(number))
        row = (await session.scalars(query.options(defer(ProviderEventRow.payload, raiseload=True)))).one_or_none()
    if row is None:
        raise NotFound(MISSING)
    return row


async def mark(
    session: Writes, provider: str, event_ids: Sequence[str], *, status: str, payment_id: str | None, handled: bool
) -> None:
    """Record the status of events that are not handled yet."""
    values: dict[str, object] = {"status": status}
    values |= {"payment_id": payment_id} if payment_id else {}
    values |= {"handled_at": func.clock_timestamp()} if handled else {}
    await session.execute(
        update(ProviderEventRow)
        .where(
            ProviderEventRow.provider == provider,
            ProviderEventRow.event_id.in_(event_ids),
            ProviderEventRow.handled_at.is_(None),
        )
        .values(values)
    )


async def unhandled(
    session: AsyncSession, *, before: datetime, forwarded_before: datetime | None, after: int, limit: int
) -> Sequence[ProviderEventRow]:
    """Return unhandled events received before a time, by number, after the number `after`.

    Events forwarded to their payment are included if received before `forwarded_before`; None excludes them.
    """
    forwarded = ProviderEventRow.status == "forwarded"
    late = ~forwarded if forwarded_before is None else ~forwarded | (ProviderEventRow.received_at < forwarded_before)
    found = await session.scalars(
        select(ProviderEventRow)
        .options(defer(ProviderEventRow.payload))
        .where(
            ProviderEventRow.handled_at.is_(None),
            ProviderEventRow.received_at < before,
            ProviderEventRow.id > after,
            late,
        )
        .order_by(ProviderEventRow.id)
        .limit(limit)
    )
    return found.all()


async def forget_payloads(session: AsyncSession, moment: datetime, *, limit: int) -> int:
    """Delete the payloads of events handled before a time, keeping the rows; return their number."""
    row = ProviderEventRow
    old = select(row.id).where(row.payload.is_not(None), row.handled_at < moment).order_by(row.handled_at).limit(limit)
    return await rows_changed(session, update(row).where(row.id.in_(old)).values(payload=null()))


async def oldest_unhandled(pool: "asyncpg.Pool[asyncpg.Record]") -> datetime | None:
    """Return when the oldest unhandled event was received."""
    found: datetime | None = await pool.fetchval(_OLDEST)
    return found
