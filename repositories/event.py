"""Statements about events: recorded with the fact, and read in an order in which nothing is skipped.

The order is that of the transactions that wrote the events, and a reader sees only what lies below the oldest one that
is still open. What commits late has a place that nobody has passed yet; by the last id or time, whoever reads in
between would skip it. The order is for completeness: of one subject, `subject_seq` says what came first, because a
transaction may have begun before another one and have written after it.

An open transaction of the cluster holds readers back, also one that writes no events. Positions are those of one
cluster: after events were loaded from a logical dump into another one, `docs/events.md` says what to do.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

from pydantic_core import to_json
from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, literal, select, text, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.events import Event, check
from domain.events.catalogue import CATALOGUE
from models.event import EventRow
from repositories.listing import Found, Listing, Part, Wanted, first_id, fixed, newest
from repositories.together import Writes

#: By how much an event may be later than its id by the clocks of two machines, and its transaction older than both.
_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the outbox: the transaction that wrote an event, and the event."""

    written_in: int
    id: str


_LIST = Listing(of=EventRow, order=[EventRow.written_in, EventRow.id], created="at", ascending=True)
#: What is recorded of an event, and as what PostgreSQL takes it. `number` is which one of its subject it is here:
#: numbered by the statement, each transaction of an escrow would sort.
_COLUMNS = {
    "id": "text",
    "type": "text",
    "org_id": "text",
    "subject": "text",
    "at": "timestamptz",
    "data": "jsonb",
    "number": "integer",
}
#: Their numbers follow those that are committed, so the caller holds the lock of each subject, since a statement before
#: this one. Whoever records an event leaves its `external_id` null: it gets the one that its organization gave the
#: subject. What is written on an object that is being made is written before it, so that its first event has the id.
_RECORD = """
    INSERT INTO events (id, type, org_id, subject, subject_seq, at, data)
    SELECT coalesce(told.id, new_event_id()), told.type, told.org_id, told.subject,
        coalesce((SELECT e.subject_seq FROM events e WHERE e.subject = told.subject AND e.org_id = told.org_id
                  ORDER BY e.subject_seq DESC LIMIT 1), 0) + told.number,
        coalesce(told.at, now()),
        coalesce((SELECT told.data || jsonb_build_object('external_id', m.external_id) FROM object_metadata m
                  WHERE m.object_id = told.subject AND m.org_id = told.org_id
                  AND told.data -> 'external_id' = 'null'), told.data)
    FROM {rows}
"""
_COLUMNS_OF_JSON = ", ".join(f"{name} {type}" for name, type in _COLUMNS.items())
#: With a column, so that it can be a part of `together`.
_RECORD_JSON = text(
    _RECORD.format(rows=f"jsonb_to_recordset(CAST(:events AS jsonb)) AS told ({_COLUMNS_OF_JSON})") + "RETURNING id"
).columns(EventRow.id)


def record_part(count: int, *, first: int) -> str:
    """Return a statement that records so many events, as a part of a larger one.

    What `values_of` returns are its parameters from the number `first` on. They cost PostgreSQL less than an array.
    """
    if count == 0:
        return "SELECT"
    numbers = itertools.count(first)
    rows = (", ".join(f"${next(numbers)}::{type}" for type in _COLUMNS.values()) for _ in range(count))
    return _RECORD.format(rows=f"(VALUES {', '.join(f'({row})' for row in rows)}) AS told ({', '.join(_COLUMNS)})")


def values_of(events: Sequence[Event], ids: Sequence[str]) -> list[object]:
    """Return the parameters of `record_part`.

    Args:
        events: what is recorded.
        ids: of the events, in the order in which they sort.

    Raises:
        UnknownEvent: one is not as the catalogue says.
    """
    values = list[object]()
    for (event, number), event_id in zip(_numbered(events), ids, strict=True):
        data = to_json(event.data)
        check(event, CATALOGUE, at_most=len(data))
        values += (event_id, event.type, event.org_id, event.subject, event.at, data.decode(), number)
    return values


def _numbered(events: Iterable[Event]) -> Iterator[tuple[Event, int]]:
    numbers: dict[tuple[str, str], int] = {}
    for event in events:
        of = (event.subject, event.org_id)
        numbers[of] = number = numbers.get(of, 0) + 1
        yield event, number


def _row(event: Event, number: int, event_id: str | None) -> dict[str, object]:
    row = (event_id, event.type, event.org_id, event.subject, event.at, event.data, number)
    return dict(zip(_COLUMNS, row, strict=True))


async def record(session: Writes, events: Iterable[Event], ids: Sequence[str] | None = None) -> None:
    """Record events in the caller's transaction, in one statement; none costs nothing.

    The caller holds the lock of each subject: its row, or that of what it belongs to. Without it, two transactions give
    the same number, and the one that commits last fails.

    Args:
        session: in the transaction of the fact.
        events: what is recorded.
        ids: of the events, in the order in which they sort. Otherwise the database makes them, which takes it longer.

    Raises:
        UnknownEvent: one is not as the catalogue says.
        IntegrityError: somebody recorded events of the same subject meanwhile.
    """
    told = list(events)
    if told:
        made = [None] * len(told) if ids is None else ids
        rows = to_json([_row(*each, event_id) for each, event_id in zip(_numbered(told), made, strict=True)])
        for event in told:
            check(event, CATALOGUE, at_most=len(rows))
        await session.execute(_RECORD_JSON.bindparams(events=rows.decode()))


async def page(
    session: AsyncSession,
    *,
    after: Position | None,
    limit: int,
    org_id: str | None = None,
    types: Collection[str] | None = None,
    subject: str | None = None,
) -> list[EventRow]:
    """Return the events behind a position that the session may see, in the order of the outbox.

    Args:
        session: of the platform, or of a tenant, which sees its own.
        after: where the page before ended; None for the beginning.
        limit: how many at most.
        org_id: only this organization's.
        types: only events of these types.
        subject: only events about this id.
    """
    if types is None:
        part, place = _visible(org_id, subject), None if after is None else astuple(after)
        first = newest(EventRow, [part], _LIST.order, after=place, limit=limit, ascending=True)
        return list(await session.scalars(first))
    # Each type by itself, in the order of an index that begins with it. By `=` the type would be no part of the order,
    # and the planner, which does not know how rare a type is, would as soon look for it among all the others.
    wanted = select(func.unnest(literal(sorted(set(types)), type_=ARRAY(Text))).label("type")).subquery()
    row, begin = EventRow, after or Position(0, "")
    behind = tuple_(row.type, row.written_in, row.id) > tuple_(wanted.c.type, begin.written_in, begin.id)
    of_type = select(row).where(*_visible(org_id, subject), behind, row.type <= wanted.c.type)
    of_type = of_type.order_by(row.type, row.written_in, row.id).limit(fixed(limit))
    found = aliased(row, of_type.lateral())
    query = select(found).select_from(wanted).join(found, true()).order_by(found.written_in, found.id)
    return list(await session.scalars(query.limit(fixed(limit))))


async def listed(session: AsyncSession, wanted: Wanted, *, after: Position | None, limit: int) -> Found[EventRow]:
    """Return a page of what is wanted, behind a position; the next one begins behind an id.

    A page of a range of time, or of one type of all organizations, looks at a bounded number of events, so it may be
    short or empty and not be the last. A range begins where its first event can be, however much was before it.
    """
    org_id, type, subject = wanted.org_id, wanted.equal.get("type"), wanted.equal.get("subject")
    assert isinstance(type, str | None)
    assert isinstance(subject, str | None)
    if wanted.since is None and wanted.until is None and type is not None and org_id is not None:
        rows = await page(session, after=after, limit=limit + 1, org_id=org_id, types=[type], subject=subject)
        return Found(rows[:limit], (rows[limit - 1].id,) if len(rows) > limit else None)
    if wanted.since is not None:
        begins = await place_before(session, wanted.since)
        after = max((place for place in (after, begins) if place is not None), default=None)
    place = None if after is None else astuple(after)
    part = _visible(org_id, subject)
    found = await _LIST.page(session, wanted, [part], after=place, limit=limit, served=["subject"])
    return Found(found.rows, None if found.following is None else found.following[1:])


async def place_before(session: AsyncSession, moment: datetime) -> Position | None:
    """Return a place before every event that happened at a moment or later; None is the beginning.

    What was written well before the moment, which its id says, is of a transaction that had a number by then.
    """
    written_in = await session.scalar(select(func.event_written_before(first_id("evt", moment - _MARGIN))))
    return None if written_in is None else Position(written_in, "")


async def written_after(session: AsyncSession, moment: datetime) -> int | None:
    """Return a transaction that began after every event that was written before a moment; None where there is none yet.

    Needs a platform session: an organization's own events may be few.
    """
    after = select(EventRow.written_in).where(EventRow.id >= first_id("evt", moment + _MARGIN))
    return await session.scalar(after.order_by(EventRow.id).limit(1))


async def position_of(session: AsyncSession, event_id: str) -> Position | None:
    """Return where an event stands that the session may see."""
    query = select(EventRow.written_in, EventRow.id).where(EventRow.id == event_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else Position(row.written_in, row.id)


async def head(session: AsyncSession) -> Position | None:
    """Return the position of the last event that readers can see now; None when there is none."""
    row = EventRow
    query = select(row.written_in, row.id).where(row.written_in < _oldest_open())
    found = (await session.execute(query.order_by(row.written_in.desc(), row.id.desc()).limit(1))).one_or_none()
    return None if found is None else Position(found.written_in, found.id)


def _visible(org_id: str | None, subject: str | None) -> Part:
    """Return that an event is one of an organization and about a subject, where named, and has its place for good."""
    row = EventRow
    found: Part = (row.written_in < _oldest_open(),)
    found = found if org_id is None else (*found, row.org_id == org_id)
    return found if subject is None else (*found, row.subject == subject)


def _oldest_open() -> ColumnElement[int]:
    """Return the number of the oldest transaction that is still open, as a value that indexes are searched by."""
    oldest = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
    return select(oldest).scalar_subquery()
