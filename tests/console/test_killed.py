"""The process of the API and the console is killed between a command and its answer, and the form is sent once more."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text

from dev.stack.temporal import free_port
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good
from tests.conftest import DatabaseUrls
from tests.console.fake import OWN

pytestmark = pytest.mark.db
ROOT = Path(__file__).parents[2]
FORM = "/console/platform/credits"
GRANT = "/console/platform/credits/grants"
#: `server.py` itself, which dies once the command is done: before its answer is kept, or before the kept one is sent.
SERVER = """
import os, signal, sys
from repositories.common import idempotency
import server

keep = idempotency.finish

async def die(*given, **named):
    if sys.argv[1] == "kept":
        await keep(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] != "lives":
    idempotency.finish = die
server.main()
"""


class Processes:
    """The web process on the books of the test, at one address, as often as it is started."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        settings = {
            "BURSAR_DATABASE_URL": urls.tenant,
            "BURSAR_PLATFORM_DATABASE_URL": urls.platform,
            "BURSAR_HOST": "127.0.0.1",
            "BURSAR_PORT": str(self.port),
            "BURSAR_PRIVATE_PORT": "0",
            "BURSAR_TEMPORAL_ADDRESS": "127.0.0.1:1",
            # Longer than any run of this test: a lease ends when the test says so.
            "BURSAR_IDEMPOTENCY_LEASE": "PT10M",
        }
        self.environment = {**os.environ, **settings, "PYTHONPATH": str(ROOT)}

    @asynccontextmanager
    async def started(self, how: str, browser: httpx2.AsyncClient) -> AsyncIterator[Process]:
        """Start it, and wait until it answers."""
        argv = (sys.executable, "-c", SERVER, how)
        process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=self.environment, stdout=DEVNULL)
        try:
            while not await answers(browser):
                assert process.returncode is None
                await asyncio.sleep(0.05)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def answers(browser: httpx2.AsyncClient) -> bool:
    try:
        return (await browser.get("/healthz")).status_code == 200
    except httpx2.ConnectError:
        return False


async def test_form_is_sent_again_until_there_is_an_answer_and_moves_money_once(
    database_urls: DatabaseUrls, database: Database, operator: Caller, new_tenant: Callable[[], Awaitable[Tenant]]
) -> None:
    processes, tenant = Processes(database_urls), await new_tenant()
    assert await transfers(database, tenant.org_id) == set()
    async with httpx2.AsyncClient(base_url=processes.origin, timeout=60, trust_env=False) as browser:
        async with processes.started("done", browser) as process:
            opened = await browser.post("/console/sign-in", data={"key": operator.token, "next": ""}, headers=OWN)
            assert opened.status_code == 303
            fields = hidden((await browser.get(FORM)).text, GRANT)
            fields |= {
                "receiver": tenant.org_id,
                "amount": "7.25",
                "source": "promotion",
                "expires": "",
                "note": "K",
                "sure": "yes",
            }
            with pytest.raises(httpx2.TransportError):
                await browser.post(GRANT, data=fields, headers=OWN)
            assert await process.wait() == -signal.SIGKILL
        [first] = await transfers(database, tenant.org_id)

        async with processes.started("kept", browser) as process:
            # The process that died may still be at work, as far as anybody can tell.
            answer = await browser.post(GRANT, data=fields, headers=OWN)
            assert answer.status_code == 503
            assert "Outcome unknown" in answer.text
            assert "failed" not in answer.text.lower()
            assert hidden(answer.text, GRANT) == fields
            await end_lease(database, fields["command"])
            with pytest.raises(httpx2.TransportError):
                await browser.post(GRANT, data=fields, headers=OWN)
            assert await process.wait() == -signal.SIGKILL

        async with processes.started("lives", browser):
            answer = await browser.post(GRANT, data=fields, headers=OWN)
            assert (answer.status_code, answer.headers["location"]) == (
                303,
                f"{FORM}?organization_id={tenant.org_id}&notice=again",
            )
            assert "This was already done" in (await browser.get(answer.headers["location"])).text
    assert await transfers(database, tenant.org_id) == {first}
    assert good(await tenant.owner.get("/billing/balance"))["available"] == "7.25"


def hidden(page: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the form that leads there."""
    form = re.search(rf'<form[^>]* action="{re.escape(action)}".*?</form>', page, re.DOTALL)
    assert form, page
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[0]))


async def transfers(database: Database, org_id: str) -> set[UUID]:
    """Return what moved the organization's money, as the books have it."""
    async with database.platform() as session:
        found = await session.execute(
            text("SELECT DISTINCT transfer_id FROM ledger.entries WHERE org_id = :id"), {"id": org_id}
        )
        return set(found.scalars())


async def end_lease(database: Database, key: str) -> None:
    async with database.platform() as session:
        ended = "UPDATE idempotency_keys SET locked_until = now() WHERE key = :key AND state = 'running' RETURNING key"
        assert (await session.execute(text(ended), {"key": key})).scalars().all() == [key]
        await session.commit()
