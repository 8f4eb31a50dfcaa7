"""How a database is brought to the newest revision: one at a time, in steps, and never in everybody's way for long."""

import asyncio

import asyncpg
import pytest

from stack.migrate import alembic, migrate
from stack.process import StackError

pytestmark = pytest.mark.db


@pytest.mark.timeout(180)
async def test_two_that_migrate_at_once_wait_for_each_other(empty_database_url: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(migrate, empty_database_url) for _ in range(2)))
    assert await asyncio.to_thread(alembic, empty_database_url, "check")


@pytest.mark.timeout(180)
async def test_a_table_in_use_makes_a_migration_fail_soon_and_leaves_those_before_it(empty_database_url: str) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0009_projects")
    user = await asyncpg.connect(empty_database_url)
    async with user.transaction():
        await user.execute("LOCK TABLE ledger.holds IN ROW EXCLUSIVE MODE")
        with pytest.raises(StackError, match="lock timeout"):
            await asyncio.to_thread(alembic, empty_database_url, "-x", "lock_timeout=100ms", "upgrade", "head")
    reached = await user.fetchval("SELECT version_num FROM alembic_version")
    await user.close()
    assert reached == "0010_escrow_notices"
    await asyncio.to_thread(migrate, empty_database_url)
