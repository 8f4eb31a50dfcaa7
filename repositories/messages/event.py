"""The outbox of events: written in the transaction of the fact, and read in an order in which nothing is skipped.

Events are ordered by the id of the transaction that wrote them, and readers see only those of transactions below the
oldest open one. So an event that commits late is never behind a reader's position, as it could be in the order of ids
or times. The order of events about one subject is `subject_seq`, because a transaction can begin before another one and
write after it.

Any open transaction of the cluster delays readers, even one that writes no events. Positions are valid in one cluster
only; `docs/reference/events.md` says what to do after loading a logical dump into another one.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta

from pydantic_core import to_json
from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, literal, select, text, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.messages.events import Event, check
from domain.messages.events.catalogue import CATALOGUE
from models.messages.event import EventRow
from repositories.common.batched import Writes
from repositories.common.listing import ListFilter, Listing, ListPage, Part, first_id, fixed, newest

#: How much later than its id an event may be by the clocks of two machines, and how much older its transaction.
_MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    written_in: int
    id: str


_LIST = Listing(of=EventRow, order=[EventRow.written_in, EventRow.id], created="at", ascending=True)
#: The columns of an event and their PostgreSQL types. `number` counts the events of a subject within the statement; it
#: is computed here, because the statement would have to sort for it.
_COLUMNS = {
    "id": "text",
    "type": "text",
    "org_id": "text",
    "subject": "text",
    "at": "timestamptz",
    "data": "jsonb",
    "number": "integer",
}
#: The numbers of events follow the committed ones, so the caller must have locked each subject in an earlier statement.
#: After a restore they go on behind a gap.
#: An `external_id` of null is replaced by the one that the organization has given the subject. So the metadata of a new
#: object is written before the object, and its first event has the external id.
_RECORD = """
    INSERT INTO events (id, type, org_id, subject, subject_seq, at, data)
    SELECT coalesce(given.id, new_event_id()), given.type, given.org_id, given.subject,
        greatest((SELECT e.subject_seq FROM events e WHERE e.subject = given.subject AND e.org_id = given.org_id
                  ORDER BY e.subject_seq DESC LIMIT 1), event_floor()) + given.number,
        coalesce(given.at, now()),
        coalesce((SELECT given.data || jsonb_build_object('external_id', m.external_id) FROM object_metadata m
                  WHERE m.object_id = given.subject AND m.org_id = given.org_id
                  AND given.data -> 'external_id' = 'null'), given.data)
    FROM {rows}
"""
_COLUMNS_OF_JSON = ", ".join(f"{name} {type}" for name, type in _COLUMNS.items())
#: It returns a column, so that it can be a part of `together`.
_RECORD_JSON = text(
    _RECORD.format(rows=f"jsonb_to_recordset(CAST(:events AS jsonb)) AS given ({_COLUMNS_OF_JSON})") + "RETURNING id"
).columns(EventRow.id)


def record_part(count: int, *, first: int) -> str:
    """Return a statement that records a number of events, as a part of a larger one.

    Its parameters, from the number `first` on, are those of `values_of`. Single parameters are faster than an array.
    """
    if count == 0:
        return "SELECT"
    numbers = itertools.count(first)
    rows = (", ".join(f"${next(numbers)}::{type}" for type in _COLUMNS.values()) for _ in range(count))
    return _RECORD.format(rows=f"(VALUES {', '.join(f'({row})' for row in rows)}) AS given ({', '.join(_COLUMNS)})")


def values_of(events: Sequence[Event], ids: Sequence[str]) -> list[object]:
    """Return the parameters of `record_part`.

    Args:
        events: the events.
        ids: their ids, in ascending order.
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
    """Record events in the caller's transaction, in one statement.

    The caller holds the lock of each subject: its row, or that of its owner. Otherwise two transactions may use the
    same number, and the second to commit fails.

    Args:
        session: in the transaction of the fact.
        events: the events; for none nothing is executed.
        ids: their ids, in ascending order; by default the database makes them, which is slower.
    """
    given = list(events)
    if given:
        made = [None] * len(given) if ids is None else ids
        rows = to_json([_row(*each, event_id) for each, event_id in zip(_numbered(given), made, strict=True)])
        for event in given:
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
    # One query for each type, ordered by an index that begins with the type. With `=` the type would not be part of the
    # order, and the planner, which does not know how rare a type is, might search all other types for it.
    wanted = select(func.unnest(literal(sorted(set(types)), type_=ARRAY(Text))).label("type")).subquery()
    row, begin = EventRow, after or Position(0, "")
    behind = tuple_(row.type, row.written_in, row.id) > tuple_(wanted.c.type, begin.written_in, begin.id)
    of_type = select(row).where(*_visible(org_id, subject), behind, row.type <= wanted.c.type)
    of_type = of_type.order_by(row.type, row.written_in, row.id).limit(fixed(limit))
    found = aliased(row, of_type.lateral())
    query = select(found).select_from(wanted).join(found, true()).order_by(found.written_in, found.id)
    return list(await session.scalars(query.limit(fixed(limit))))


async def listed(
    session: AsyncSession, wanted: ListFilter, *, agent_id: str | None = None, after: Position | None
) -> ListPage[EventRow]:
    """Return a page of matching events after a position; the next page begins after the returned id.

    A page of a range of time, of one agent, or of one type of all organizations, reads a bounded number of events, so
    it may be short or empty without being the last. Reading starts near the first event of the range.
    """
    org_id, type, subject = wanted.org_id, wanted.equal.get("type"), wanted.equal.get("subject")
    assert isinstance(type, str | None)
    assert isinstance(subject, str | None)
    is_whole = wanted.since is None and wanted.until is None and agent_id is None
    if is_whole and type is not None and org_id is not None:
        rows = await page(session, after=after, limit=wanted.limit + 1, org_id=org_id, types=[type], subject=subject)
        return ListPage(rows[: wanted.limit], (rows[wanted.limit - 1].id,) if len(rows) > wanted.limit else None)
    if wanted.since is not None:
        begins = await position_before(session, wanted.since)
        after = max((place for place in (after, begins) if place is not None), default=None)
    place = None if after is None else astuple(after)
    part = _visible(org_id, subject)
    besides = None if agent_id is None else lambda row: row.data["agent_id"].astext == agent_id
    found = await _LIST.page(session, replace(wanted, after=place), [part], served=["subject"], besides=besides)
    return ListPage(found.rows, None if found.following is None else found.following[1:])


async def position_before(session: AsyncSession, moment: datetime) -> Position | None:
    """Return a position before every event that happened at a time or later; None is the beginning.

    It is the transaction of an event whose id was made well before that time.
    """
    written_in = await session.scalar(select(func.event_written_before(first_id("evt", moment - _MARGIN))))
    return None if written_in is None else Position(written_in, "")


async def written_after(session: AsyncSession, moment: datetime) -> int | None:
    """Return a transaction that began after every event written before a time; None if there is none yet.

    Needs a platform session: an organization's own events may be few.
    """
    after = select(EventRow.written_in).where(EventRow.id >= first_id("evt", moment + _MARGIN))
    return await session.scalar(after.order_by(EventRow.id).limit(1))


async def position_of(session: AsyncSession, event_id: str) -> Position | None:
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
    """Return the condition that an event's position is final, and that organization and subject match, if given."""
    row = EventRow
    found: Part = (row.written_in < _oldest_open(),)
    found = found if org_id is None else (*found, row.org_id == org_id)
    return found if subject is None else (*found, row.subject == subject)


def _oldest_open() -> ColumnElement[int]:
    """Return the id of the oldest open transaction, as a subquery by which indexes can be searched."""
    oldest = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
    return select(oldest).scalar_subquery()
