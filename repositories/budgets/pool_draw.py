"""What uses of credits draw of the pools of budgets; `services/budgets/purchase_record.py` alerts purchases itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

#: Spends of the last hour are read by their ids, of organizations whose emergency pool was drawn in a present window.
_EMERGENCY = text(
    """
    SELECT s.id, s.org_id, s.amount FROM ledger.counters n
    JOIN ledger.spends s ON s.org_id = n.org_id AND s.id > :hour_ago AND s.counted_in @> ARRAY[n.id]
    WHERE n.ends_at > :now AND n.pool = 'emergency'
    ORDER BY s.id LIMIT 500
    """
)
_LOW = text(
    """
    SELECT n.control_id, n.org_id, c.asset, n.ends_at, r.reserve, r.remaining FROM ledger.counters n
    JOIN ledger.controls c ON c.id = n.control_id AND c.status <> 'closed' AND c.pools_of = n."window"
    CROSS JOIN LATERAL (
        SELECT c.reserve + n.moved AS reserve,
            greatest(0, c.reserve + n.moved - n.held - n.spent - n.forced + n.refunded) AS remaining
    ) r
    WHERE n.ends_at > :now AND n.starts_at <= :now AND n.pool = 'reserve'
        AND r.remaining * 100 <= r.reserve * :percent
    ORDER BY n.id LIMIT 500
    """
)


async def emergency_pool_uses(session: AsyncSession, now: datetime) -> Sequence[Row[Any]]:
    """Return `id`, `org_id` and `amount` in credits of uses of the last hour that draw an emergency pool."""
    hour_ago = UUID(int=int((now - timedelta(hours=1)).timestamp() * 1000) << 80)
    return (await session.execute(_EMERGENCY, {"now": now, "hour_ago": hour_ago})).all()


async def low_reserves(session: AsyncSession, now: datetime, *, percent: int) -> Sequence[Row[Any]]:
    """Return the reserves of which at most a part is left, in percent.

    Each has `control_id`, `org_id`, `asset`, `ends_at`, and `reserve` and `remaining` in minor units.
    """
    return (await session.execute(_LOW, {"now": now, "percent": percent})).all()
