"""The feed of usage events, for whatever takes them further: Kafka, ClickHouse, a warehouse.

It reads in the order of the transactions that wrote them, and only below the oldest one that is still open. What a
transaction commits late has a place that nobody has passed yet, so nothing is lost; by the last id or time, whoever
reads in between would skip it. Each reader keeps its own place, after it has handed on what lies before it, so it gets
every event at least once; `digest` tells one that comes twice.

An open transaction holds the feed back, also one that writes no events. Places are those of one cluster: events that
were restored from a logical dump are read from the beginning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import Conflict
from models.usage import UsageEventRow


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the feed: the transaction that wrote an event, and the event."""

    transaction: int
    event: UUID


#: Before all events.
BEGINNING = Place(0, UUID(int=0))


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events in the order of the feed, and the place after them."""

    rows: Sequence[UsageEventRow]
    place: Place


async def following(session: AsyncSession, after: Place, *, limit: int) -> FeedPage:
    """Return the events after a place; none while the oldest open transaction may still write before them.

    Args:
        session: of the platform.
        after: where the page before ended, or `BEGINNING`.
        limit: how many at most.

    Raises:
        Conflict: `usage.foreign_place`, the place is of another cluster.
    """
    row, snapshot = UsageEventRow, func.pg_current_snapshot()
    newest = await session.scalar(select(_number(func.pg_snapshot_xmax(snapshot))))
    if newest is None or after.transaction >= newest:
        raise Conflict("This place is not of this cluster. Begin again.", code="usage.foreign_place")
    query = (
        select(row)
        .where(tuple_(row.recorded_in, row.id) > tuple_(after.transaction, after.event))
        .where(row.recorded_in < _number(func.pg_snapshot_xmin(snapshot)))
        .order_by(row.recorded_in, row.id)
        .limit(limit)
    )
    rows = (await session.scalars(query)).all()
    return FeedPage(rows, Place(rows[-1].recorded_in, rows[-1].id) if rows else after)


def _number(transaction: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(transaction, Text), BigInteger)
