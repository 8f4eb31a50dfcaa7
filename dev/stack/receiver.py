"""A server that takes webhooks: as much of HTTP/1.1 as they need, on kept connections of the loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

#: Takes a path, headers by their names in lower case, and a body; returns the status of the answer.
Take = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]


@asynccontextmanager
async def listening(take: Take) -> AsyncIterator[str]:
    """Listen on a free port and yield the address, `http://127.0.0.1:{port}`; connections are cut in the end."""
    connected: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await _answer(take, reader, writer)
        writer.close()
        connected.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in connected:
            writer.close()
        await server.wait_closed()


async def _answer(take: Take, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    status = await take(first.split()[1], headers, body)
    writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
    await writer.drain()
