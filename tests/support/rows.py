"""Rows that are written as they are, past every check but those of columns, in a database of the test's own."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from tests.conftest import DatabaseUrls

_NEEDED = """
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type
FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
"""
_FILL: dict[str, Any] = {
    "text": "x",
    "bigint": 0,
    "integer": 0,
    "smallint": 0,
    "boolean": False,
    "jsonb": "{}",
    "numeric": 0,
    "bytea": b"",
    "date": date(2026, 1, 1),
    "timestamp with time zone": datetime(2026, 1, 1, tzinfo=UTC),
}


class Rows:
    """Writes rows as the owner of a database; what a row needs and is not named gets a value that says nothing."""

    def __init__(self, owner: asyncpg.Connection) -> None:
        self._owner = owner

    async def add(self, table: str, **values: Any) -> None:
        for row in await self._owner.fetch(_NEEDED, table):
            if row["name"] not in values:
                kind = row["type"]
                values[row["name"]] = (
                    [] if kind.endswith("[]") else UUID(bytes=os.urandom(16)) if kind == "uuid" else _FILL[kind]
                )
        names, places = ", ".join(f'"{name}"' for name in values), ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await self._owner.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", *values.values())

    async def count_payments(self, org_id: str, at: datetime, provider: str, *, succeeded: int, failed: int) -> None:
        """Insert payments of one dollar each on the day of a time, for metrics."""
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        labels = json.dumps({"provider": provider, "method": "card"})
        sums = {"succeeded": ("", succeeded), "failed": ("", failed)}
        sums |= {"received": ("USD", 100 * succeeded), "declined": ("USD", 100 * failed)}
        for name, (asset, value) in sums.items():
            await self.add("metric_sums", org_id=org_id, measure=f"payments.{name}", seconds=86_400, starts_at=day,
                           asset=asset, labels=labels, value=value)  # fmt: skip

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self._owner.fetch(query)
        return found

    async def change(self, statement: str, *values: Any) -> None:
        await self._owner.execute(statement, *values)


@asynccontextmanager
async def rows_of(urls: DatabaseUrls) -> AsyncIterator[Rows]:
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("SET session_replication_role = replica")
    try:
        yield Rows(owner)
    finally:
        await owner.close()
