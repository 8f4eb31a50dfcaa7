"""Queries of the outbox for tests."""

import asyncio

from sqlalchemy import text

from runtime.database import Database


async def past_others(database: Database) -> None:
    """Wait until every transaction of now has ended: those of other databases hold readers back as well."""
    async with database.platform() as session:
        newest = await session.scalar(text("SELECT pg_current_xact_id()::text::bigint"))
    async with asyncio.timeout(240):
        oldest = 0
        while oldest <= newest:
            async with database.platform() as session:
                oldest = await session.scalar(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))
