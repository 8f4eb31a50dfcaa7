"""The embedded Temporal UI serves this machine's names only, so that no page of a stranger can steer runs."""

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from dev.stack.supervisor import Stack
from dev.stack.ui_door import is_for_this_machine

pytestmark = [pytest.mark.temporal]


@pytest.fixture
async def stack(data_dir: Path) -> AsyncIterator[Stack]:
    made = Stack(data_dir, parts=("temporal",))
    await made.start()
    yield made
    await made.stop()


async def test_ui_answers_this_machine_and_refuses_foreign_hosts(stack: Stack) -> None:
    async with httpx2.AsyncClient(base_url=stack.temporal_ui_url, timeout=60) as browser:
        port = stack.ports.temporal_ui
        while (await browser.get("/api/v1/namespaces")).status_code == 503:
            pass  # the UI is there a moment before it has reached its server
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LocalHost"):
            answer = await browser.get("/api/v1/namespaces", headers={"Host": host})
            assert answer.status_code == 200
            assert "namespaces" in answer.json()
        for host in (f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "evil.example"):
            answer = await browser.get("/api/v1/namespaces", headers={"Host": host})
            assert (answer.status_code, answer.text) == (421, "This address serves 127.0.0.1 and localhost only.\n")


async def test_ui_is_back_after_the_server_was_killed(stack: Stack) -> None:
    await stack.kill("temporal")
    await stack.wait_ready("temporal")
    async with httpx2.AsyncClient(base_url=stack.temporal_ui_url, timeout=60) as browser:
        while True:  # the server is ready a moment before its UI is
            with suppress(httpx2.TransportError):
                assert (await browser.get("/")).status_code == 200
                return


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET http://localhost/ HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    ],
)
def test_a_request_that_does_not_name_this_machine_once_is_not_for_it(head: bytes) -> None:
    assert not is_for_this_machine(head)
