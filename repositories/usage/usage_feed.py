"""The feed of usage events for Kafka, ClickHouse or a warehouse.

Events are read in the order of the transactions that wrote them, and only below the oldest open transaction. So an
event that commits late is never behind a reader's position, as it could be in the order of ids or times. A reader
stores its position after it has delivered the events before it, and so gets each event at least once; `digest`
identifies duplicates.

Any open transaction of the cluster delays the feed, even one that writes no events. Positions are valid in one cluster
only: after a restore from a logical dump, read from the beginning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import UsageForeignPlace
from models.usage.usage import UsageEventRow


@dataclass(frozen=True, slots=True, order=True)
class FeedPosition:
    transaction: int
    event: UUID


#: Before all events.
BEGINNING = FeedPosition(0, UUID(int=0))


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events in the order of the feed, and the position after them."""

    rows: Sequence[UsageEventRow]
    place: FeedPosition


async def read_after(session: AsyncSession, after: FeedPosition, *, limit: int) -> FeedPage:
    """Return the events after a position; those that an open transaction may still precede are left to a later call.

    Args:
        session: of the platform.
        after: the position of the previous page, or `BEGINNING`.
        limit: the maximum number of events.
    """
    row, snapshot = UsageEventRow, func.pg_current_snapshot()
    newest = await session.scalar(select(_number(func.pg_snapshot_xmax(snapshot))))
    if newest is None or after.transaction >= newest:
        raise UsageForeignPlace("This position is from another cluster. Start again at the beginning.")
    query = (
        select(row)
        .where(tuple_(row.recorded_in, row.id) > tuple_(after.transaction, after.event))
        .where(row.recorded_in < _number(func.pg_snapshot_xmin(snapshot)))
        .order_by(row.recorded_in, row.id)
        .limit(limit)
    )
    rows = (await session.scalars(query)).all()
    return FeedPage(rows, FeedPosition(rows[-1].recorded_in, rows[-1].id) if rows else after)


def _number(transaction: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(transaction, Text), BigInteger)
