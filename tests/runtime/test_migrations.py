"""A database is brought to the newest revision: one at a time, as a whole, and never in the way for long."""

import asyncio

import asyncpg
import pytest

from dev.stack.migrate import alembic, migrate
from dev.stack.process import StackError
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db


async def test_two_that_migrate_at_once_wait_for_each_other(empty_database_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(alembic, empty_database_url, "upgrade", "head") for _ in range(2)))
    await asyncio.to_thread(migrate, empty_database_url)  # finds the schema that it would make


async def test_the_schema_of_a_stack_is_that_of_the_models(fresh_database_urls: DatabaseUrls) -> None:
    assert await asyncio.to_thread(alembic, fresh_database_urls.owner, "check")


async def test_a_table_in_use_makes_a_migration_fail_soon_and_leaves_nothing_of_it(empty_database_url: str) -> None:
    user = await asyncpg.connect(empty_database_url)
    await user.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    async with user.transaction():
        await user.execute("LOCK TABLE alembic_version IN SHARE MODE")
        with pytest.raises(StackError, match="lock timeout"):
            await asyncio.to_thread(alembic, empty_database_url, "-x", "lock_timeout=100ms", "upgrade", "head")
    tables = await user.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'ledger')")
    await user.close()
    assert tables == 1
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "head")


async def test_a_database_of_another_schema_is_refused_in_one_sentence(empty_database_url: str) -> None:
    owner = await asyncpg.connect(empty_database_url)
    await owner.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    await owner.execute("INSERT INTO alembic_version VALUES ('0009_projects')")
    with pytest.raises(StackError) as refusal:
        await asyncio.to_thread(alembic, empty_database_url, "upgrade", "head")
    with pytest.raises(StackError, match=r"of another schema \(0009_projects\)"):
        await asyncio.to_thread(migrate, empty_database_url)
    tables = await owner.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'ledger')")
    await owner.close()
    assert str(refusal.value).startswith("The database is at revision 0009_projects, which this version does not know")
    assert "\n" not in str(refusal.value)
    assert tables == 1
