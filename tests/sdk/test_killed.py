"""Processes that are killed while they hold credits: what was reported is paid, the rest is free at the expiry."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from activities.credits.holds import HoldActivities
from contracts.common.batch import BatchPage
from runtime.database import Database
from tests.sdk.world import World

pytestmark = pytest.mark.db

SDK = str(Path(__file__).resolve().parents[2] / "sdk")
WORK = """
import asyncio, sys
from datetime import timedelta
from bursar import AsyncBursar, step

async def held(client):
    async with client.hold("50", report_every=5, expires_in=timedelta(minutes=5)) as hold:
        hold.use(6)
        while sys.argv[2] == "dies" and (await client.credits.get_reservation(hold.id)).captured != 6:
            await asyncio.sleep(0)
        hold.use(2)
        await end()

async def metered(client):
    @client.metered("generate", quantity=len, estimate=10, expires_in=timedelta(minutes=5))
    async def words():
        await end()
        return ["two", "words"]
    await words()

async def streamed(client):
    @client.metered("generate", estimate=10, expires_in=timedelta(minutes=5))
    async def words():
        for word in ("three", "words", "come"):
            yield word
        await end()
    async for _ in words():
        pass

async def end():
    print("working", flush=True)
    if sys.argv[2] == "dies":
        await asyncio.Event().wait()

async def main():
    async with AsyncBursar() as client:
        with step("work", of="job-1"):
            await globals()[sys.argv[1]](client)

asyncio.run(main())
"""
SHOP = """
import asyncio, os, signal, sys
import uvicorn
from bursar import AsyncBursar
from bursar.fastapi import BursarMiddleware, charge
from fastapi import Depends, FastAPI

app = FastAPI()
app.add_middleware(BursarMiddleware, client=AsyncBursar())

@app.post("/generate", dependencies=[Depends(charge("generate"))])
async def generate() -> str:
    if sys.argv[1] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"

async def main():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving

asyncio.run(main())
"""

Start = Callable[..., AbstractAsyncContextManager[asyncio.subprocess.Process]]


@pytest.fixture
def start(api: World, served: str, tmp_path: Path) -> Start:
    """Run a program with the client, and kill it in the end."""
    environment = {**os.environ, "BURSAR_API_URL": served, "BURSAR_API_KEY": api.token, "PYTHONPATH": SDK}

    @asynccontextmanager
    async def run(program: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        file = tmp_path / "program.py"
        file.write_text(program)
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(file), *arguments, env=environment, stdout=asyncio.subprocess.PIPE
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    return run


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()


async def balance(api: World) -> tuple[Decimal, Decimal]:
    shown = await api.client().billing.get_balance()
    return shown.available, shown.reserved


async def later(database: Database) -> None:
    """End what has expired in six minutes."""
    now = datetime.now(UTC) + timedelta(minutes=6)
    await HoldActivities(database).expire_holds(BatchPage(now=now, limit=1000))


#: What is paid when the process dies, and what in all when the same work is done again by another one.
@pytest.mark.parametrize(
    ("work", "held", "paid", "in_all"),
    [("held", 50, ["6"], "8"), ("metered", 20, [], "4"), ("streamed", 20, [], "6")],
)
async def test_process_that_is_killed_pays_what_it_reported_and_the_rest_is_free_at_the_expiry(
    api: World, database: Database, start: Start, work: str, held: int, paid: list[str], in_all: str
) -> None:
    async with start(WORK, work, "dies") as process:
        assert await line_of(process) == "working"
        process.kill()
        assert await process.wait() == -signal.SIGKILL
    used = sum(map(Decimal, paid))
    assert await api.books() == paid
    assert await balance(api) == (Decimal(100 - held), held - used)
    await later(database)
    assert await api.books() == paid
    assert await balance(api) == (Decimal(100) - used, Decimal(0))
    # The same work again pays what the first one did not, and a third time nothing.
    for _ in range(2):
        async with start(WORK, work, "lives") as process:
            assert await process.wait() == 0
        assert sum(map(Decimal, await api.books())) == Decimal(in_all)
        assert await balance(api) == (100 - Decimal(in_all), Decimal(0))


async def test_server_that_is_killed_in_a_request_charges_it_once_when_it_comes_again(
    api: World, database: Database, start: Start
) -> None:
    async def ask(port: str) -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=60) as http:
            return await http.post(f"http://127.0.0.1:{port}/generate", headers={"Idempotency-Key": "k"})

    async with start(SHOP, "dies") as process:
        with pytest.raises(httpx2.TransportError):
            await ask(await line_of(process))
        assert await process.wait() == -signal.SIGKILL
    assert await api.books() == []
    assert await balance(api) == (Decimal(98), Decimal(2))
    async with start(SHOP, "lives") as process:
        port = await line_of(process)
        assert (await ask(port)).json()["detail"]["code"] == "charge.in_progress"
        await later(database)
        assert (await ask(port)).json() == "done"
        assert (await ask(port)).json()["detail"]["code"] == "charge.replayed"
    assert await api.books() == ["2"]
    assert await balance(api) == (Decimal(98), Decimal(0))
