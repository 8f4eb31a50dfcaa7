"""Statements about deliveries: a row with state for each event and endpoint."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Text, and_, exists, func, literal, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.common.ids import is_id
from domain.messages.webhook.delivery import DeliveryStatus, NextAttempt, ReceiverResponse
from domain.messages.webhook.endpoint import EVERYTHING, TEST, Ordering
from models.messages.event import EventRow
from models.messages.webhook_endpoint import WebhookDeliveryRow, WebhookEndpointRow
from repositories.common.listing import ListFilter, Listing, ListPage, fixed, in_states
from repositories.messages import event
from repositories.messages.event import Position

MISSING = "There is no such delivery."
#: The position before the first event.
BEGINNING = Position(0, "")

#: The maximum delay between the time of an event and its record that replays consider.
LATE = timedelta(days=1)

D = WebhookDeliveryRow
_TEXTS, _NUMBERS = ARRAY(Text), ARRAY(BigInteger)
_PENDING = DeliveryStatus.PENDING.value


@dataclass(frozen=True, slots=True)
class DueDelivery:
    id: str
    subject: str
    subject_seq: int
    tries: int
    replays: int
    event: EventRow


@dataclass(frozen=True, slots=True)
class AttemptResult:
    due: DueDelivery
    answer: ReceiverResponse
    next: NextAttempt
    at: datetime


@dataclass(frozen=True, slots=True)
class PendingSummary:
    """Waiting deliveries of an endpoint: number, oldest one, next try, and its last error."""

    waiting: int
    since: datetime | None
    next_at: datetime | None
    why: str | None


async def get(session: AsyncSession, delivery_id: str) -> WebhookDeliveryRow | None:
    return await session.get(D, delivery_id, populate_existing=True) if is_id(delivery_id, "whd") else None


_LIST = Listing(of=D, order=[D.id], prefix="whd")


async def page(session: AsyncSession, endpoint_id: str, wanted: ListFilter) -> ListPage[WebhookDeliveryRow]:
    """Return a page of the deliveries to an endpoint, newest first."""
    return await _LIST.page(session, wanted, [(D.endpoint_id == endpoint_id,)], besides=in_states(wanted))


# Taking events out of the outbox --------------------------------------------------------------------------------------


async def take(
    session: AsyncSession, endpoint: WebhookEndpointRow, *, make_id: Callable[[], str], now: datetime, limit: int
) -> tuple[Position, bool]:
    """Create deliveries of the next events for an endpoint; return the new position, and whether there may be more.

    Events are read in the order of transactions. An event after the end of the page is included if it precedes one of
    the page in the order of their subject, so that lower numbers of a subject have their deliveries first.
    """
    after = Position(endpoint.read_in, endpoint.read_id)
    # Read before the page, so that the page sees at least as much as the head.
    head = await event.head(session)
    types = None if EVERYTHING in endpoint.types else [*endpoint.types, TEST]
    rows = await event.page(session, after=after, limit=limit, org_id=endpoint.org_id, types=types)
    is_full = len(rows) == limit
    if is_full:
        place = Position(rows[-1].written_in, rows[-1].id)
        rows = [*rows, *await _superseded(session, rows, place, endpoint.org_id, types)]
    else:
        last = [] if not rows else [Position(rows[-1].written_in, rows[-1].id)]
        place = max([after, *last, *([] if head is None else [head])])
    await _add(session, endpoint, rows, make_id=make_id, now=now)
    return place, is_full


async def is_behind(session: AsyncSession, endpoint: WebhookEndpointRow, place: Position) -> bool:
    """Return whether there may be events of an endpoint's types after a position."""
    types = None if EVERYTHING in endpoint.types else [*endpoint.types, TEST]
    return bool(await event.page(session, after=place, limit=1, org_id=endpoint.org_id, types=types))


async def _superseded(
    session: AsyncSession, rows: Sequence[EventRow], place: Position, org_id: str, types: Collection[str] | None
) -> list[EventRow]:
    """Return events after the end of a page that precede one of its events in the order of their subject."""
    latest: dict[str, int] = {}
    for row in rows:
        latest[row.subject] = max(row.subject_seq, latest.get(row.subject, 0))
    e = EventRow
    reached = select(
        func.unnest(literal(list(latest), type_=_TEXTS)).label("subject"),
        func.unnest(literal(list(latest.values()), type_=_NUMBERS)).label("seq"),
    ).subquery()
    query = select(e).join(reached, and_(e.subject == reached.c.subject, e.subject_seq < reached.c.seq))
    query = query.where(e.org_id == org_id, text("(events.written_in, events.id) > (:written_in, :place)"))
    if types is not None:
        query = query.where(e.type.in_(types))
    return list(await session.scalars(query, {"written_in": place.written_in, "place": place.id}))


async def _add(
    session: AsyncSession,
    endpoint: WebhookEndpointRow,
    rows: Sequence[EventRow],
    *,
    make_id: Callable[[], str],
    now: datetime,
) -> None:
    wanted = [row for row in rows if row.type != TEST or row.subject == endpoint.id]
    if wanted:
        connection = await session.connection()
        await connection.exec_driver_sql(
            _ADD,
            (
                endpoint.id,
                endpoint.org_id,
                now,
                [make_id() for _ in wanted],
                [row.id for row in wanted],
                [row.type for row in wanted],
                [row.subject for row in wanted],
                [row.subject_seq for row in wanted],
            ),
        )


_ADD = """
    INSERT INTO webhook_deliveries (
        id, endpoint_id, org_id, event_id, type, subject, subject_seq, status, tries, replays, next_at, created_at
    )
    SELECT e.id, $1, $2, e.event_id, e.type, e.subject, e.seq, 'pending', 0, 0, $3::timestamptz, $3::timestamptz
    FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
        AS e (id, event_id, type, subject, seq)
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
"""


# Trying ---------------------------------------------------------------------------------------------------------------


async def due(
    session: AsyncSession, endpoint_id: str, ordering: Ordering, *, now: datetime, limit: int
) -> list[DueDelivery]:
    """Return due deliveries, oldest first, that only depend on returned ones.

    Deliveries of a subject are in the order of its numbers; one that was made pending again delays those after it. New
    subjects do not delay old ones.
    """
    query = select(D.id, D.subject, D.subject_seq, D.tries, D.replays, EventRow).join(
        EventRow, EventRow.id == D.event_id
    )
    query = query.where(D.endpoint_id == endpoint_id, D.status == _PENDING, D.next_at <= now)
    if ordering is Ordering.SUBJECT:
        query = query.where(
            ~_blocked(aliased(D), lambda before: or_(before.next_at > now, before.created_at > D.created_at))
        )
    found = await session.execute(query.order_by(D.created_at, D.subject_seq, D.id).limit(limit))
    return [DueDelivery(row[0], row[1], row[2], row[3], row[4], row[5]) for row in found]


async def has_pending(session: AsyncSession, endpoint_id: str, number: int) -> bool:
    """Return whether at least `number` deliveries are waiting for an endpoint."""
    query = select(literal(1)).where(D.endpoint_id == endpoint_id, D.status == _PENDING)
    return (await session.scalars(query.offset(number - 1).limit(1))).one_or_none() is not None


async def pending_summary(session: AsyncSession, endpoint_id: str, ordering: Ordering) -> PendingSummary:
    pending = and_(D.endpoint_id == endpoint_id, D.status == _PENDING)
    waiting, since = (await session.execute(select(func.count(), func.min(D.created_at)).where(pending))).one()
    if not waiting:
        return PendingSummary(0, None, None, None)
    query = select(D.next_at, D.status_code, D.error, D.type, D.id).where(pending)
    if ordering is Ordering.SUBJECT:
        query = query.where(~_blocked(aliased(D), lambda _: literal(True)))
    first = (await session.execute(query.order_by(D.next_at, D.id).limit(1))).one()
    met = first.error or (None if first.status_code is None else f"status {first.status_code}")
    return PendingSummary(waiting, since, first.next_at, None if met is None else f"{met} for {first.type}, {first.id}")


def _blocked(
    before: type[WebhookDeliveryRow], which: Callable[[type[WebhookDeliveryRow]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    return exists().where(
        before.endpoint_id == D.endpoint_id,
        before.subject == D.subject,
        before.status == _PENDING,
        before.subject_seq < D.subject_seq,
        which(before),
    )


async def write(session: AsyncSession, tried: Sequence[AttemptResult]) -> None:
    """Record the results of attempts, except for deliveries that were made pending again or skipped meanwhile."""
    if tried:
        connection = await session.connection()
        await connection.exec_driver_sql(
            _WRITE,
            (
                [each.due.id for each in tried],
                [each.due.replays for each in tried],
                [each.next.status.value for each in tried],
                [each.next.next_at for each in tried],
                [each.at for each in tried],
                [each.answer.status_code for each in tried],
                [each.answer.error for each in tried],
                [each.answer.body or None for each in tried],
                [each.due.tries + 1 for each in tried],
            ),
        )


_WRITE = """
    UPDATE webhook_deliveries d
    SET status = t.status, next_at = t.next_at, tried_at = t.at, status_code = t.status_code, error = t.error,
        answer = t.answer, tries = t.tries, delivered_at = CASE WHEN t.status = 'delivered' THEN t.at END
    FROM unnest(
        $1::text[], $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::text[],
        $8::text[], $9::bigint[]
    ) AS t (id, replays, status, next_at, at, status_code, error, answer, tries)
    WHERE d.id = t.id AND d.replays = t.replays AND d.status = 'pending'
"""


async def make_pending(session: AsyncSession, delivery_id: str, *, now: datetime) -> None:
    """Make a delivery pending, as before its first attempt."""
    await session.execute(update(D).where(D.id == delivery_id).values(**_afresh(now)))


async def skip(session: AsyncSession, endpoint_id: str, delivery_id: str) -> bool:
    """Skip a waiting delivery; False if there is none with that id."""
    query = update(D).where(D.id == delivery_id, D.endpoint_id == endpoint_id, D.status == _PENDING)
    query = query.values(status=DeliveryStatus.SKIPPED.value, next_at=None)
    return (await session.scalars(query.returning(D.id))).one_or_none() is not None


async def replayable_events(
    session: AsyncSession,
    endpoint: WebhookEndpointRow,
    *,
    since: datetime,
    until: datetime,
    types: Collection[str] | None,
    only_failed: bool,
    most: int,
) -> Sequence[EventRow] | None:
    """Return past events to send to an endpoint again; None if there are more than `most`.

    These are events of the given types in `[since, until)`, even if the endpoint never got them; with `only_failed`
    only those whose delivery failed. Events recorded more than `LATE` after `until` are not found.
    """
    e = EventRow
    query = select(e).where(e.org_id == endpoint.org_id, e.at >= since, e.at < until, e.type != TEST)
    begins = await event.position_before(session, since)
    if begins is not None:
        query = query.where(tuple_(e.written_in, e.id) > tuple_(begins.written_in, begins.id))
    ends = await event.written_after(session, until + LATE)
    if ends is not None:
        query = query.where(e.written_in <= ends)
    if types is not None:
        query = query.where(e.type.in_(types))
    if only_failed:
        failed = and_(D.event_id == e.id, D.endpoint_id == endpoint.id, D.status == DeliveryStatus.FAILED.value)
        query = query.where(exists().where(failed))
    else:
        # Events after the endpoint's position will be delivered anyway; events of other types are left out.
        is_read = tuple_(e.written_in, e.id) <= tuple_(endpoint.read_in, endpoint.read_id)
        others = [] if types is None or EVERYTHING in endpoint.types else sorted({*types} - {*endpoint.types})
        query = query.where(or_(is_read, e.type.in_(others)) if others else is_read)
    rows = (await session.scalars(query.order_by(e.written_in, e.id).limit(fixed(most + 1)))).all()
    return None if len(rows) > most else rows


async def replay(
    session: AsyncSession,
    endpoint: WebhookEndpointRow,
    rows: Sequence[EventRow],
    *,
    make_id: Callable[[], str],
    now: datetime,
) -> None:
    """Make the deliveries of past events pending again, except waiting ones."""
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        known = and_(D.endpoint_id == endpoint.id, D.event_id.in_([row.id for row in part]), D.status != _PENDING)
        await session.execute(update(D).where(known).values(**_afresh(now)))
        await _add(session, endpoint, part, make_id=make_id, now=now)


def _afresh(now: datetime) -> dict[str, object]:
    return {"status": _PENDING, "tries": 0, "replays": D.replays + 1, "next_at": now, "delivered_at": None}


async def forget_answers(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete response bodies from before a time; return the number of deliveries."""
    old = select(D.id).where(D.answer.is_not(None), D.tried_at < before).order_by(D.tried_at).limit(limit)
    query = update(D).where(or_(D.id.in_(old.scalar_subquery()))).values(answer=None)
    return len((await session.scalars(query.returning(D.id))).all())
