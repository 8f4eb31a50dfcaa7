"""A PostgreSQL that takes connections and bytes and does not answer: requests end with 503, and later ones recover."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy.engine import make_url

from api.app import create_app
from api.pool import StatementPool
from tests.api.conftest import Caller, Tenant, good, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.looking import again

pytestmark = pytest.mark.db


class Wire:
    """A TCP port in front of PostgreSQL's socket that can be made to swallow everything."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        directory = str(target.query["host"])
        self._path = f"{directory}/.s.PGSQL.{target.query.get('port', target.port or 5432)}"
        self.open = asyncio.Event()
        self.open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def through(self, url: str) -> str:
        changed = make_url(url).set(host="127.0.0.1", port=self.port, query={})
        return changed.render_as_string(hide_password=False)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self.open.wait()
        there, back = await asyncio.open_unix_connection(self._path)
        with contextlib.suppress(OSError):
            await asyncio.wait(
                [asyncio.ensure_future(self._pump(reader, back)), asyncio.ensure_future(self._pump(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        writer.close()
        back.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                await self.open.wait()
                sink.write(data)
                await sink.drain()

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()


@pytest.fixture
async def wire(database_urls: DatabaseUrls) -> AsyncIterator[Wire]:
    found = Wire(database_urls.tenant)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    found.open.set()
    found.end()
    server.close()


async def reached(caller: Caller, path: str) -> None:
    """Ask until the database answers: on a busy machine it may take longer than the limit of these tests."""
    while (answer := await caller.get(path)).status_code == 503:
        await again()
    good(answer)


@pytest.mark.parametrize("path", ["/billing/balance", "/agents"])
async def test_request_on_a_stalled_database_is_503_and_the_next_one_recovers(
    path: str, wire: Wire, database_urls: DatabaseUrls, tenant: Tenant
) -> None:
    urls = DatabaseUrls(database_urls.owner, wire.through(database_urls.tenant), wire.through(database_urls.platform))
    application = create_app(settings_for(urls, database_timeout=timedelta(seconds=1)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(application), base_url="http://bursar.test") as client:
        caller = Caller(client, tenant.owner.token)
        await reached(caller, path)
        wire.open.clear()
        async with asyncio.timeout(300):
            for answer in await asyncio.gather(*(caller.get(path) for _ in range(8))):
                refused(answer, 503, "service.unavailable")
        wire.open.set()
        async with asyncio.timeout(300):
            await reached(caller, path)
    await application.state.deps.pool.close()
    await application.state.deps.database.close()


async def test_read_that_finds_no_free_connection_gives_up(database_urls: DatabaseUrls) -> None:
    pool = StatementPool(database_urls.tenant, size=1, timeout=timedelta(seconds=1))
    async with asyncio.timeout(300), (await pool.get()).acquire():
        with pytest.raises(TimeoutError):
            await pool.read(lambda free: free.fetchval("SELECT 1"))
    found = None
    while found is None:
        with contextlib.suppress(TimeoutError):  # a busy machine may take longer than the limit of this test
            found = await pool.read(lambda free: free.fetchval("SELECT 1"))
    assert found == 1
    await pool.close()
