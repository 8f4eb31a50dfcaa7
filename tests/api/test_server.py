"""The app behind uvicorn on a real socket: whose address counts, and what is not read to its end."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn

from api.app import create_app, create_private_app
from dev.stack.temporal import free_port
from server import serve as serve_both, serving
from tests.api.conftest import Caller, Tenant, good, new_key, settings_for
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

Serve = Callable[..., AbstractAsyncContextManager[int]]
LIMIT = 300.0
POST = b"POST /api/v1/agents HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def serve(database_urls: DatabaseUrls) -> Serve:
    """Runs the server like `server.py`, in this loop, on a free port."""

    @asynccontextmanager
    async def running(**changes: Any) -> AsyncIterator[int]:
        settings = settings_for(database_urls, port=0, **changes)
        options = {**serving(settings), "loop": "none", "timeout_graceful_shutdown": 1}
        server = uvicorn.Server(uvicorn.Config(create_app(settings), **options))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        try:
            yield server.servers[0].sockets[0].getsockname()[1]
        finally:
            await server.shutdown()

    return running


async def address_in_the_trail(port: int, tenant: Tenant, forwarded: str = "203.0.113.7") -> object:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT) as client:
        owner = Caller(client, tenant.owner.token)
        body = {"principal": new_key(), "role": "member"}
        made = await owner.post("/api-keys", body, headers={"X-Forwarded-For": forwarded})
        (entry,) = good(await owner.get(f"/audit?target={good(made, 201)['id']}"))["data"]
    return entry["address"]


async def test_forwarded_address_of_nobody_trusted_is_ignored(serve: Serve, tenant: Tenant) -> None:
    async with serve() as port:
        assert await address_in_the_trail(port, tenant) == "127.0.0.1"


async def test_forwarded_address_of_a_trusted_proxy_is_believed(serve: Serve, tenant: Tenant) -> None:
    async with serve(trusted_proxies="127.0.0.0/8") as port:
        assert await address_in_the_trail(port, tenant) == "203.0.113.7"


@pytest.mark.parametrize(
    ("forwarded", "kept"), [("4242 4242 4242 4242, 203.0.113.7", None), ("fe80::1%4242424242424242", "fe80::1")]
)
async def test_forwarded_text_that_is_no_address_is_not_kept(
    forwarded: str, kept: str | None, serve: Serve, tenant: Tenant
) -> None:
    async with serve(trusted_proxies="*") as port:
        assert await address_in_the_trail(port, tenant, forwarded) == kept


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(LIMIT):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("start", [b"GET /healthz HTTP/1.1\r\nHost: x\r\n", POST + b"Content-Length: 100\r\n\r\n{"])
async def test_slow_clients_leave_the_others_served(start: bytes, serve: Serve, tenant: Tenant) -> None:
    async with serve() as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT) as client:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        for _, writer in slow:
            writer.write(start)
        good(await Caller(client, tenant.owner.token).get("/agents"))
        for _, writer in slow:
            writer.close()


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize(
    "body", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"], ids=["length", "chunks"]
)
async def test_client_that_disconnects_within_its_body_is_not_logged_as_our_fault(
    body: bytes, keyed: bool, serve: Serve, tenant: Tenant
) -> None:
    async with serve() as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        key = f"Authorization: Bearer {tenant.owner.token}\r\n".encode() if keyed else b""
        writer.write(POST + key + body)
        await writer.drain()
        writer.close()
        counted, text = f'route="/api/v1/agents",status="{400 if keyed else 401}"', ""
        async with asyncio.timeout(LIMIT):
            while counted not in text:
                text = (await client.get("/metrics")).text
        assert 'route="/api/v1/agents",status="500"' not in text


async def test_long_head_and_long_body_within_the_limits_are_served(serve: Serve, tenant: Tenant) -> None:
    async with serve() as port, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT) as client:
        owner = Caller(client, tenant.owner.token)
        for _ in range(2):
            answer = await owner.post("/agents", {"name": "x" * 900_000}, headers={"X-Filler": "x" * 40_000})
            assert answer.status_code == 422
        good(await owner.get("/agents"))


async def test_connections_above_the_limit_are_answered_503(serve: Serve) -> None:
    async with serve(limit_concurrency=2, limit_streams=0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT) as client:
            assert (await client.get("/healthz")).status_code == 503
        writer.close()
        await read_to_end(reader)


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
async def test_endpoints_for_operators_are_only_on_the_private_port(path: str, database_urls: DatabaseUrls) -> None:
    app = create_app(settings_for(database_urls, private_port=8005))
    private = create_private_app(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://public.test") as outside,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(private), base_url="http://private.test") as inside,
    ):
        for prefix in ("", "/api", "/api/v1"):
            assert (await outside.get(prefix + path)).status_code == 404
        assert (await inside.get(path)).status_code == 200
        for client in (outside, inside):
            assert (await client.get("/healthz")).status_code == 200
        assert (await inside.get("/api/v1/agents")).status_code == 404


async def test_both_ports_listen_until_the_process_is_told_to_stop(database_urls: DatabaseUrls) -> None:
    settings = settings_for(database_urls, port=free_port(), private_port=free_port())
    known = signal.signal(signal.SIGTERM, lambda *_: None)
    serving_both = asyncio.create_task(serve_both(create_app(settings), settings))
    try:
        async with asyncio.timeout(LIMIT), httpx2.AsyncClient(trust_env=False, timeout=LIMIT) as client:
            for port, path in ((settings.port, "/healthz"), (settings.private_port, "/readyz")):
                assert (await answered(client, f"http://127.0.0.1:{port}{path}")).status_code == 200
            assert (await client.get(f"http://127.0.0.1:{settings.port}/readyz")).status_code == 404
            os.kill(os.getpid(), signal.SIGTERM)
            await serving_both
            for port in (settings.port, settings.private_port):
                with pytest.raises(httpx2.ConnectError):
                    await client.get(f"http://127.0.0.1:{port}/healthz")
    finally:
        signal.signal(signal.SIGTERM, known)


async def answered(client: httpx2.AsyncClient, url: str) -> httpx2.Response:
    """Ask until somebody listens."""
    while True:
        try:
            return await client.get(url)
        except httpx2.ConnectError:
            await asyncio.sleep(0)
