"""A server that cannot archive its WAL is seen, until it can."""

import asyncpg
import pytest

from dev.stack.postgres import running_postgres
from repositories import wal_archive
from tests.support.looking import again
from tests.support.servers import reachable_directory

pytestmark = pytest.mark.db


async def test_archive_that_fails_is_seen_until_it_works() -> None:
    with (
        reachable_directory("archive") as home,
        running_postgres(
            home, {"fsync": "off", "archive_mode": "on", "archive_command": f"test -e {home / 'mounted'}"}
        ) as postgres,
    ):
        owner = await asyncpg.connect(postgres.url("postgres", "postgres"))
        await owner.execute("CREATE ROLE bursar_platform LOGIN")
        pool = await asyncpg.create_pool(postgres.url("bursar_platform", "postgres"), min_size=1, max_size=1)
        assert await wal_archive.failing_since(pool) is None
        began = await owner.fetchval("SELECT clock_timestamp()")
        await owner.execute("CREATE TABLE written (); SELECT pg_switch_wal()")
        while (since := await wal_archive.failing_since(pool)) is None:
            await again()
        assert since <= began
        (home / "mounted").touch()
        while await wal_archive.failing_since(pool) is not None:
            await again()
        await pool.close()
        await owner.close()
