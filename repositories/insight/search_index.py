"""Where the reader for the search index stands in the outbox and in time, and the events that the index refused."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.insight.search_index import SearchRefusal
from models.messages.event import EventRow
from models.messages.notification import NotificationCursor
from repositories.messages.event import Position

_NAME, _FACTS, _SENT = "search-index", "search-facts", "search-sent"
BEGINNING = Position(0, "")


async def position(session: AsyncSession) -> Position:
    row = NotificationCursor
    return Position(*(await session.execute(select(row.read_in, row.read_id).where(row.name == _NAME))).one())


async def move_position(session: AsyncSession, before: Position, to: Position) -> bool:
    """Store the position up to which the outbox was read, unless somebody else has moved it; return whether it is."""
    row = NotificationCursor
    here = (row.name == _NAME, row.read_in == before.written_in, row.read_id == before.id)
    query = update(row).where(*here).values(read_in=to.written_in, read_id=to.id).returning(row.name)
    return (await session.execute(query)).one_or_none() is not None


async def facts_until(session: AsyncSession) -> datetime | None:
    """Return the time up to which facts were sent; None at the beginning."""
    return await _time(session, _FACTS)


async def move_facts_until(session: AsyncSession, before: datetime | None, to: datetime) -> bool:
    """Store the time up to which facts were sent, unless somebody else has moved it; return whether it is."""
    return await _set_time(session, _FACTS, before, to)


async def sent_at(session: AsyncSession, now: datetime, *, works: bool) -> datetime:
    """Return when all that there was could be sent, by the minute; where it `works` that is now."""
    last = await _time(session, _SENT)
    if last is None or (works and now - last >= timedelta(minutes=1)):
        await _set_time(session, _SENT, last, now)
    return now if last is None or works else last


async def _time(session: AsyncSession, name: str) -> datetime | None:
    query = select(NotificationCursor.read_id).where(NotificationCursor.name == name)
    found = (await session.execute(query)).scalar_one()
    return datetime.fromisoformat(found) if found else None


async def _set_time(session: AsyncSession, name: str, before: datetime | None, to: datetime) -> bool:
    row = NotificationCursor
    here = (row.name == name, row.read_id == ("" if before is None else before.isoformat()))
    made = await session.execute(update(row).where(*here).values(read_id=to.isoformat()).returning(row.name))
    return made.one_or_none() is not None


async def last_sent(session: AsyncSession, place: Position) -> datetime | None:
    """Return when the last event up to a position happened."""
    row = EventRow
    here = tuple_(row.written_in, row.id) <= (place.written_in, place.id)
    query = select(row.at).where(here).order_by(row.written_in.desc(), row.id.desc()).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def refuse(session: AsyncSession, refused: Mapping[str, tuple[str, str]]) -> None:
    if refused:
        rows = [{"event_id": id, "index_name": index, "reason": why} for id, (index, why) in refused.items()]
        made = insert(SearchRefusal).values(rows)
        changed = {"reason": made.excluded.reason, "index_name": made.excluded.index_name, "at": made.excluded.at}
        await session.execute(made.on_conflict_do_update(index_elements=["event_id"], set_=changed))


async def refusals(session: AsyncSession, limit: int) -> Sequence[SearchRefusal]:
    """Return refused events, the latest first."""
    return (await session.scalars(select(SearchRefusal).order_by(SearchRefusal.at.desc()).limit(limit))).all()


async def restart(session: AsyncSession) -> None:
    """Read the outbox and all facts from their beginning, and forget what was refused."""
    row = NotificationCursor
    await session.execute(update(row).where(row.name.in_([_NAME, _FACTS])).values(read_in=0, read_id=""))
    await session.execute(delete(SearchRefusal))
