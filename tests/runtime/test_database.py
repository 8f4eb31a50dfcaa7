"""Connections of the pool: one that died there is replaced before anybody meets it."""

from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import text

from api.pool import StatementPool
from runtime.database import SESSION_SETTINGS, Database
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

TIMEOUT = timedelta(minutes=1)
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


async def test_a_transaction_of_the_driver_and_its_session_are_the_same(database_urls: DatabaseUrls) -> None:
    database = Database(database_urls.tenant, database_urls.platform, pre_ping=False)
    note = text("SELECT set_config('bursar.noted', 'by the session', true)")
    noted = "SELECT coalesce(current_setting('bursar.noted', true), '')"
    written, undone = "SELECT pg_current_xact_id()::text", list[str]()

    async def fails() -> None:
        async with database.platform_transaction() as books:
            undone.append(await books.driver.fetchval(written))
            await books.session.execute(note)
            raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            await fails()
        async with database.platform_transaction() as books:
            assert await books.driver.fetchval("SELECT pg_xact_status($1::text::xid8)", undone[0]) == "aborted"
            done = await books.driver.fetchval(written)
            assert await books.session.scalar(text(written)) == done
            await books.session.execute(note)
            assert await books.driver.fetchval(noted) == "by the session"
        async with database.platform_transaction() as books:
            assert await books.driver.fetchval("SELECT pg_xact_status($1::text::xid8)", done) == "committed"
            assert not await books.driver.fetchval(noted)
    finally:
        await database.close()


async def test_a_transaction_whose_connection_dies_returns_no_connection_to_the_pool(
    database_urls: DatabaseUrls,
) -> None:
    database = Database(database_urls.tenant, database_urls.platform, pool_size=1, pre_ping=False)
    owner, died = await asyncpg.connect(database_urls.owner), list[int]()

    async def dies() -> None:
        async with database.platform_transaction() as books:
            died.append(await books.driver.fetchval("SELECT pg_backend_pid()"))
            assert await owner.fetchval("SELECT pg_terminate_backend($1, 5000)", died[0])
            await books.driver.fetchval("SELECT 1")

    try:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await dies()
        async with database.platform_transaction() as books:
            assert await books.driver.fetchval("SELECT pg_backend_pid()") not in died
    finally:
        await owner.close()
        await database.close()


async def test_settings_of_a_role_itself_have_no_effect(fresh_database_urls: DatabaseUrls) -> None:
    urls = fresh_database_urls
    thief = await asyncpg.connect(urls.tenant)
    name = await thief.fetchval("SELECT current_database()")
    own = {"search_path": "evil, public", "row_security": "off", "role": "bursar_api"}
    for setting, value in own.items():
        literal = value if setting == "search_path" else f"'{value}'"
        await thief.execute(f'ALTER ROLE bursar_api IN DATABASE "{name}" SET {setting} = {literal}')
    await thief.close()
    database, pool = Database(urls.tenant, urls.platform), StatementPool(urls.tenant, size=1, timeout=TIMEOUT)
    listener = await pool.connect()
    try:
        for setting, expected in SESSION_SETTINGS.items():
            asked = f"SELECT current_setting('{setting}')"
            async with database.tenant_engine.connect() as connection:
                assert await connection.scalar(text(asked)) == expected
            assert await (await pool.get()).fetchval(asked) == expected
            assert await listener.fetchval(asked) == expected
    finally:
        await listener.close()
        await pool.close()
        await database.close()
