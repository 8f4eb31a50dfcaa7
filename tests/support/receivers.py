"""A receiver of webhooks on the loopback whose answers a test chooses, and connections that lead to it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore2

#: A name that `names` resolves to the address, and that a certificate of the tests is for.
NAME, PUBLIC = "hooks.example.com", "93.184.215.14"

Reply = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes


def answers(status: int, body: bytes = b"", **headers: str) -> Reply:
    """Answer with a status, a body and headers."""

    async def reply(_: Received, writer: asyncio.StreamWriter) -> None:
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{extra}\r\n".encode() + body)

    return reply


async def drops(_: Received, writer: asyncio.StreamWriter) -> None:
    """Close the connection without an answer."""
    writer.close()


async def hangs(_: Received, writer: asyncio.StreamWriter) -> None:
    """Never answer; the connection stays until the client closes it."""
    await asyncio.Event().wait()


async def drips(_: Received, writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, each soon enough for a limit on single reads."""
    for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 1_000_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


async def floods(_: Received, writer: asyncio.StreamWriter) -> None:
    """Answer with a gigabyte."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
    for _part in range(1_000):
        writer.write(b"x" * 1_000_000)
        await writer.drain()
        Receiver.flooded += 1_000_000


async def babbles(_: Received, writer: asyncio.StreamWriter) -> None:
    """Answer what is not HTTP."""
    writer.write(b"\x00\xff not http\r\n\r\n")
    writer.close()


@dataclass
class Receiver:
    """Received requests, and the reply, which may be changed at any time."""

    reply: Reply = field(default_factory=lambda: answers(204))
    received: list[Received] = field(default_factory=list)
    #: The names that TLS clients asked for.
    names: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    flooded = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.received]

    async def has(self, count: int) -> None:
        """Wait until a number of requests have arrived."""
        while len(self.received) < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                pairs = (line.partition(":") for line in head[1:] if line)
                headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Received(line=head[0], headers=headers, body=body)
                self.received.append(request)
                self._arrived.set()
                await self.reply(request, writer)
                if not writer.is_closing():
                    await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(reply: Reply | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Listen on a free port of the loopback."""
    receiver = Receiver() if reply is None else Receiver(reply=reply)
    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: receiver.names.append(name or "")
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with suppress(asyncio.CancelledError):
            await receiver.serve(reader, writer)
        writer.close()
        serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1_000_000)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


class Detour(httpcore2.AsyncNetworkBackend):
    """Notes which addresses are connected to, and connects to a port of the loopback instead."""

    def __init__(self, port: int) -> None:
        self.dialed: list[str] = []
        self._port = port
        self._plain = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.dialed.append(host)
        return await self._plain.connect_tcp("127.0.0.1", self._port, timeout, local_address, socket_options)


def names(*addresses: Sequence[str]):
    """Resolve names to one list of addresses after the other; the last one stays."""
    left = [list(each) for each in addresses]

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def serving(certified: tuple[Path, ssl.SSLContext]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified[0])
    return context
