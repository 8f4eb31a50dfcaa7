"""Locks that transactions hold and wait for, for tests of concurrent writers."""

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.database import Database
from tests.support.looking import again


async def somebody_waits(database: Database, *, after: str | None = None) -> str:
    """Return once a transaction waits for another one, and which it is; with `after`, once it is not that one."""
    waiting = text(
        "SELECT pid || ' since ' || xact_start FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while True:
        async with database.platform() as session:
            for each in await session.scalars(waiting):
                if each != after:
                    return str(each)
        await again()


async def accounts_are_locked(session: AsyncSession) -> bool:
    """Tell whether a transaction that waits for another one has changed accounts."""
    held = text(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.relation = 'ledger.balances'::regclass AND l.mode IN ('RowShareLock', 'RowExclusiveLock') "
        "AND a.datname = current_database() AND a.wait_event_type = 'Lock'"
    )
    return bool(await session.scalar(held))


async def stripes_that_are_locked(owner: asyncpg.Connection) -> list[str]:
    """List the accounts of which somebody has a stripe that everybody else may need."""
    rows = await owner.fetch(
        "SELECT a.path FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id"
        " WHERE a.stripes > 1 AND (b.account_id, b.stripe) NOT IN ("
        " SELECT free.account_id, free.stripe FROM ("
        " SELECT account_id, stripe FROM ledger.balances FOR UPDATE SKIP LOCKED) free)"
    )
    return [str(row["path"]) for row in rows]
