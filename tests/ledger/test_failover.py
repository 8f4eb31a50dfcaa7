"""A server that comes back without its newest rows, as after a failover to one that lagged behind."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dev.stack.migrate import migrate
from dev.stack.postgres import Postgres, wait_until_ready
from dev.stack.process import Process
from domain.common.accounts import org_credits
from tests.support.books import Books, fresh, open_books
from tests.support.servers import reachable_directory

pytestmark = pytest.mark.db


@asynccontextmanager
async def serving(server: Postgres) -> AsyncIterator[None]:
    process = await asyncio.to_thread(Process, server.program())
    try:
        await asyncio.to_thread(wait_until_ready, server, process)
        yield
    finally:
        await asyncio.to_thread(process.stop, 30)


@pytest.fixture
def home() -> Iterator[Path]:
    with reachable_directory("failover") as made:
        yield made


async def test_account_lost_in_a_failover_is_reopened_and_no_other_account_gets_its_money(home: Path) -> None:
    # Without hot_standby it refuses connections until it has recovered.
    server = Postgres(
        home / "pg",
        home / "log",
        {"fsync": "off", "restore_command": "false", "wal_level": "replica", "hot_standby": "off"},
    )
    await asyncio.to_thread(server.prepare)
    lost, other = org_credits(fresh("org")), org_credits(fresh("org"))

    async def balances(books: Books) -> tuple[int, int]:
        return (await books.ledger.balance(lost)).posted_minor, (await books.ledger.balance(other)).posted_minor

    async with serving(server):
        server.ensure_database("bursar")
        await asyncio.to_thread(migrate, server.url())
        async with open_books(server.url("bursar_platform"), clients=1) as books:
            await books.org(1)
    behind = home / "behind"
    await asyncio.to_thread(shutil.copytree, server.cluster_dir, behind, copy_function=shutil.copy2)
    async with serving(server), open_books(server.url("bursar_platform"), clients=1) as books:
        await books.issue(lost, 5)
        assert await balances(books) == (5, 0)
    await asyncio.to_thread(shutil.rmtree, server.cluster_dir)
    (behind / "recovery.signal").touch()
    behind.rename(server.cluster_dir)
    if server.account:
        for path in (server.cluster_dir, *server.cluster_dir.rglob("*")):
            shutil.chown(path, server.account.uid, server.account.gid)
    async with serving(server), open_books(server.url("bursar_platform"), clients=1) as books:
        await books.issue(other, 7)
        await books.issue(lost, 3)
        assert await balances(books) == (3, 7)
        await books.assert_proven()
