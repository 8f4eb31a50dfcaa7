"""The door of the embedded Temporal UI: it lets through what is meant for this machine, and nothing else.

The UI of the development server answers every `Host`. A page of a stranger can have its own name resolve to 127.0.0.1
(DNS rebinding), and its scripts could then read runs and send signals in the visitor's browser. So the UI listens where
no page can guess, on a port and, where the system has them, an address of 127.0.0.0/8 drawn at each start; the known
port is this door's.
"""

import asyncio
import contextlib
import secrets
import sys

NAMES = frozenset({"127.0.0.1", "localhost"})
MAX_HEAD_BYTES = 64 * 1024
REFUSAL = b"This address serves 127.0.0.1 and localhost only.\n"
REFUSED = (
    b"HTTP/1.1 421 Misdirected Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
)


def hidden_address() -> str:
    """Return a loopback address that cannot be guessed; where the system has only one, that one."""
    if sys.platform != "linux":
        return "127.0.0.1"
    return "127." + ".".join(str(secrets.randbelow(254) + 1) for _ in range(3))


class UiDoor:
    """Listens on 127.0.0.1 and passes each request whose `Host` is of this machine on to the UI."""

    def __init__(self, port: int, host: str, behind: int) -> None:
        """Take the door's port, and the address and port of the UI behind it."""
        self._port, self._host, self._behind = port, host, behind
        self._server: asyncio.Server | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen; raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._taken, "127.0.0.1", self._port, limit=MAX_HEAD_BYTES)

    async def close(self) -> None:
        """Stop listening and end open connections. Closing twice does no harm."""
        if self._server is None:
            return
        self._server.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                head = await reader.readuntil(b"\r\n\r\n")
                if is_for_this_machine(head):
                    await self._pass_on(head, reader, writer)
                else:
                    writer.write(REFUSED % (len(REFUSAL), REFUSAL))
                    await writer.drain()
        finally:
            writer.close()

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_ui, to_ui = await asyncio.open_connection(self._host, self._behind)
        to_ui.write(_closing(head))
        asking = asyncio.create_task(_pipe(reader, to_ui))
        try:
            await _pipe(from_ui, writer)
        finally:
            asking.cancel()
            to_ui.close()


def is_for_this_machine(head: bytes) -> bool:
    """Return whether a request names this machine as its host, once."""
    hosts = [line.partition(b":")[2].strip() for line in head.split(b"\r\n")[1:] if line[:5].lower() == b"host:"]
    return len(hosts) == 1 and hosts[0].decode("latin-1").lower().partition(":")[0] in NAMES


def _closing(head: bytes) -> bytes:
    """Close the UI's connection after one response, so that no later request on it skips authorization."""
    lines = [
        line for line in head.removesuffix(b"\r\n\r\n").split(b"\r\n") if not line.lower().startswith(b"connection:")
    ]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(MAX_HEAD_BYTES):
            writer.write(chunk)
            await writer.drain()
