"""A client that reads nothing loses its connection, over a real server and a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import uvicorn
from starlette.responses import Response
from uvicorn.server import ServerState

from api.outgoing import HeldResponse, HeldStream
from server import Protocol
from tests.support.cases import for_each

#: More than both ends of a connection buffer.
SIZE = 50_000_000


async def parts() -> AsyncIterator[bytes]:
    for _ in range(SIZE // 100_000):
        yield b"x" * 100_000


def whole() -> Response:
    return HeldResponse(b"x" * SIZE, AsyncExitStack(), read_within=timedelta(milliseconds=1))


def stream() -> Response:
    return HeldStream(parts(), media_type="text/csv", part_within=timedelta(milliseconds=1))


@for_each("answer", [whole, stream])
async def test_connection_of_a_client_that_reads_nothing_is_closed(answer: Any) -> None:
    lost = asyncio.Event()

    class Noted(Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer()(scope, receive, send)

    config = uvicorn.Config(app, log_config=None)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Noted(config=config, server_state=state, app_state={}), "127.0.0.1", 0, backlog=1
    )
    client = socket.create_connection(server.sockets[0].getsockname())
    try:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(60):
            await lost.wait()
    finally:
        client.close()
        server.close()
        await server.wait_closed()
    assert not state.connections
