"""The blocks that statements read, by PostgreSQL's own count."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncSession

from runtime.database import Database

_NOT_VISIBLE = "SELECT count(*) FROM pg_class WHERE oid = ANY ($1::text[]::regclass[]) AND relallvisible < relpages"

#: An ANALYZE of a table of these tests ends long before this many.
_TRIES = 100

Reading = Callable[[AsyncSession], Awaitable[object]]


async def blocks_read(database: Database, org_id: str | None, reading: Reading) -> int:
    """Return how many blocks the statements of a reading touch, with the worse of the two kinds of plan.

    A prepared statement is planned for its parameters at first and for any parameters later on, so both count. Without
    an organization it is the platform that reads.
    """
    return await _read(database, org_id, reading, _blocks)


async def rows_read(database: Database, org_id: str | None, reading: Reading) -> int:
    """Return how many rows of tables the statements of a reading look at, as `blocks_read` does."""
    return await _read(database, org_id, reading, _rows)


async def _read(
    database: Database, org_id: str | None, reading: Reading, measure: Callable[[dict[str, Any]], int]
) -> int:
    session_of = database.platform() if org_id is None else database.tenant(org_id)
    async with session_of as session:
        connection = await session.connection()
        sent: list[tuple[str, Sequence[object]]] = []

        def note(_c: Connection, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
            sent.append((statement, tuple(parameters)))

        event.listen(connection.sync_connection, "before_cursor_execute", note)
        try:
            await reading(session)
        finally:
            event.remove(connection.sync_connection, "before_cursor_execute", note)
        assert sent
        return sum([await _worst(session, statement, parameters, measure) for statement, parameters in sent])


async def vacuum(owner: asyncpg.Connection, *tables: str) -> None:
    """Vacuum and analyze tables, and vacuum them again where pages are not known to be visible to all then.

    An automatic ANALYZE of any table beside it holds a snapshot, and pages written since are not marked: scans of an
    index alone read more blocks. Whoever holds one for good, as a transaction of the test does, is not waited for.
    """
    names = ", ".join(tables)
    await owner.execute(f"VACUUM ANALYZE {names}")
    for _ in range(_TRIES):
        if not await owner.fetchval(_NOT_VISIBLE, list(tables)):
            return
        await owner.execute(f"VACUUM {names}")


async def rows_fetched(database: Database, pool: Any, reading: Callable[[Any], Awaitable[object]]) -> int:
    """Return how many rows of tables the statements look at that a reading sends to a pool, with the worse plan."""
    noting = Noting(pool)
    await reading(noting)
    assert noting.sent
    async with database.platform() as session:
        return sum([await _worst(session, statement, parameters, _rows) for statement, parameters in noting.sent])


class Noting:
    """A pool that notes what is sent."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.sent: list[tuple[str, Sequence[object]]] = []

    async def fetch(self, statement: str, *parameters: object) -> Any:
        self.sent.append((statement, parameters))
        return await self._pool.fetch(statement, *parameters)

    async def fetchrow(self, statement: str, *parameters: object) -> Any:
        self.sent.append((statement, parameters))
        return await self._pool.fetchrow(statement, *parameters)


def _blocks(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def _rows(plan: dict[str, Any]) -> int:
    below = sum(_rows(each) for each in plan.get("Plans", ()))
    if "Relation Name" not in plan:
        return below
    looked_at = plan["Actual Rows"] + sum(plan.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return below + int(looked_at * plan["Actual Loops"])


async def _worst(
    session: AsyncSession, statement: str, parameters: Sequence[object], measure: Callable[[dict[str, Any]], int]
) -> int:
    connection = await session.connection()
    await connection.exec_driver_sql(f"PREPARE measured AS {statement}")
    arguments = ", ".join(_literal(value) for value in parameters)
    execute = f"EXECUTE measured({arguments})" if parameters else "EXECUTE measured"
    worst = 0
    for mode in ("force_custom_plan", "force_generic_plan"):
        await session.execute(text(f"SET LOCAL plan_cache_mode = {mode}"))
        found = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {execute}")
        value = found.scalar_one()
        plan = (json.loads(value) if isinstance(value, str) else value)[0]["Plan"]
        worst = max(worst, measure(plan))
    await connection.exec_driver_sql("DEALLOCATE measured")
    return worst


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, list | tuple):
        value = "{" + ",".join("NULL" if item is None else f'"{item}"' for item in value) + "}"
    assert isinstance(value, str | UUID | date)
    return "'" + str(value).replace("'", "''") + "'"
