"""Where the reader of the outbox for the search index stands, and the events that the index refused."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.insight.search_index import SearchRefusal
from models.messages.notification import NotificationCursor
from repositories.messages.event import Position

_NAME = "search-index"
BEGINNING = Position(0, "")


async def place(session: AsyncSession) -> Position:
    """Return the position up to which the outbox was read."""
    row = NotificationCursor
    return Position(*(await session.execute(select(row.read_in, row.read_id).where(row.name == _NAME))).one())


async def move(session: AsyncSession, before: Position, to: Position) -> bool:
    """Store the position up to which the outbox was read, unless somebody else has moved it; return whether it is."""
    row = NotificationCursor
    here = (row.name == _NAME, row.read_in == before.written_in, row.read_id == before.id)
    query = update(row).where(*here).values(read_in=to.written_in, read_id=to.id).returning(row.name)
    return (await session.execute(query)).one_or_none() is not None


async def refuse(session: AsyncSession, refused: Mapping[str, tuple[str, str]]) -> None:
    """Keep the index and the reason of refused events, by their ids."""
    if refused:
        rows = [{"event_id": id, "index_name": index, "reason": why} for id, (index, why) in refused.items()]
        made = insert(SearchRefusal).values(rows)
        changed = {"reason": made.excluded.reason, "index_name": made.excluded.index_name, "at": made.excluded.at}
        await session.execute(made.on_conflict_do_update(index_elements=["event_id"], set_=changed))


async def refusals(session: AsyncSession, limit: int) -> Sequence[SearchRefusal]:
    """Return refused events, the latest first."""
    return (await session.scalars(select(SearchRefusal).order_by(SearchRefusal.at.desc()).limit(limit))).all()


async def begin_again(session: AsyncSession) -> None:
    """Read the outbox from its beginning, and forget what was refused."""
    row = NotificationCursor
    await session.execute(update(row).where(row.name == _NAME).values(read_in=0, read_id=""))
    await session.execute(delete(SearchRefusal))
