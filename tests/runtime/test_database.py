"""Connections of the pool: one that died there is replaced before anybody meets it."""

import asyncpg
import pytest
from sqlalchemy import text

from runtime.database import Database
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

MINE = text("SELECT pg_backend_pid()")


async def test_a_connection_that_died_in_the_pool_is_replaced(database_urls: DatabaseUrls) -> None:
    database = Database(database_urls.tenant, database_urls.platform)
    owner = await asyncpg.connect(database_urls.owner)
    try:
        async with database.platform() as first, database.platform() as second:
            died = [await session.scalar(MINE) for session in (first, second)]
        for pid in died:
            assert await owner.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
        async with database.platform() as session:
            assert await session.scalar(MINE) not in died
        async with database.tenant("org_1") as session:
            assert await session.scalar(MINE) not in died
    finally:
        await owner.close()
        await database.close()
