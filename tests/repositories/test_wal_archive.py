"""A server that cannot archive its WAL is seen, until it can."""

import asyncpg
import pytest

from dev.stack.postgres import running_postgres
from repositories.operations import wal_archive
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


async def test_archive_that_hangs_is_seen_until_it_goes_on() -> None:
    """Its command neither fails nor ends, so no failure is counted while segments wait."""
    with reachable_directory("archive") as home:
        hangs = home / "hangs"
        command = f"while test -e {hangs}; do sleep 0.1; done"
        with running_postgres(home, {"fsync": "off", "archive_mode": "on", "archive_command": command}) as postgres:
            owner = await asyncpg.connect(postgres.url("postgres", "postgres"))
            await owner.execute("CREATE ROLE bursar_platform LOGIN; CREATE TABLE written (); SELECT pg_switch_wal()")
            pool = await asyncpg.create_pool(postgres.url("bursar_platform", "postgres"), min_size=1, max_size=1)
            archived = "SELECT last_archived_time FROM pg_stat_archiver"
            while (last := await owner.fetchval(archived)) is None:
                await again()
            while await wal_archive.failing_since(pool) is not None:
                await again()
            hangs.touch()
            try:
                # The segment that is written to is not for the archive yet.
                await owner.execute("CREATE TABLE more ()")
                assert await wal_archive.failing_since(pool) is None
                await owner.execute("SELECT pg_switch_wal()")
                await owner.execute("CREATE TABLE yet_more ()")
                assert await wal_archive.failing_since(pool) == last
                assert await owner.fetchval("SELECT failed_count FROM pg_stat_archiver") == 0
            finally:
                hangs.unlink()
            while await wal_archive.failing_since(pool) is not None:
                await again()
            await pool.close()
            await owner.close()


async def test_server_that_never_archived_a_segment_is_seen_if_archiving_has_a_timeout() -> None:
    settings = {"fsync": "off", "archive_mode": "on", "archive_timeout": "1d", "archive_command": "true"}
    with reachable_directory("archive") as home, running_postgres(home, settings) as postgres:
        owner = await asyncpg.connect(postgres.url("postgres", "postgres"))
        pool = await asyncpg.create_pool(postgres.url("postgres", "postgres"), min_size=1, max_size=1)
        began = await owner.fetchval("SELECT stats_reset FROM pg_stat_archiver")
        assert await wal_archive.failing_since(pool) == began
        await owner.execute("CREATE TABLE written (); SELECT pg_switch_wal()")
        while await wal_archive.failing_since(pool) is not None:
            await again()
        await pool.close()
        await owner.close()
