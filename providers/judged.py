"""Connections to addresses that users choose, and never into the platform's own network.

A name is resolved once for each connection, every address is checked (`domain.messages.webhook.address`), and the
connection is made to a checked address, so DNS rebinding has no effect.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import httpcore2

from domain.common.errors import Unavailable
from domain.messages.webhook.address import IPAddress, Target, check_addresses, target_of

#: The timeout of resolving a name when an address is checked before it is stored.
RESOLVE_TIMEOUT = timedelta(seconds=5)
#: How many names are resolved at once.
THREADS = 64
#: How many of a name's addresses are tried.
MAX_ADDRESSES = 4
#: How many informational answers (1xx) are read before the answer itself.
MAX_INFORMATIONAL = 20
_STATUS_LINE = re.compile(rb"\nHTTP/\d\.\d (\d)")
#: The longest part of a status line that `_STATUS_LINE` does not match yet.
_BEGUN = len(b"\nHTTP/1.1 ")

#: Temporary failures of a resolver.
_PASSING = frozenset({socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM})

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
LookUp = Callable[[str, int], Sequence[str]]


def _look_up(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _PASSING:
            raise
        return ()
    except UnicodeError:
        return ()
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Names:
    """Resolves names that users choose, with the system's resolver.

    A name whose servers do not answer blocks a thread for half a minute, even after the caller has given up, and the
    event loop has only two threads for all of its connections. So these names have threads of their own, at most one
    for each name.
    """

    def __init__(self, look_up: LookUp = _look_up, *, threads: int = THREADS) -> None:
        """Take the resolver, and how many names are resolved at once; threads are made when needed."""
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")
        self._asked: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name; none where it has none.

        Raises:
            socket.gaierror: whether it has any is not known now.
        """
        asked = self._asked.get(host)
        if asked is None:
            asked = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host, port)
            self._asked[host] = asked
            asked.add_done_callback(partial(self._end, host))
        # Shielded, so that a caller that gives up does not cancel it for the others.
        return await asyncio.shield(asked)

    def _end(self, host: str, asked: asyncio.Future[Sequence[str]]) -> None:
        self._asked.pop(host)
        if not asked.cancelled():
            # Where everybody has given up, nobody asks for it.
            asked.exception()


class Receivers:
    """Checks where requests may go: before an address is stored, and for each connection."""

    def __init__(self, *, local: bool = False, resolver: Resolver | None = None, inside: Collection[str] = ()) -> None:
        """Take whether plain HTTP to this machine is allowed, the resolver, and what may be inside the network.

        The resolver is by default the system's. `inside` has hosts with their ports.
        """
        self._local = local
        self.inside = frozenset(inside)
        self._resolve = resolver or Names()

    def target(self, url: str) -> Target:
        """Read an address; raises `UrlRefused`."""
        return target_of(url, local=self._local)

    async def addresses(self, target: Target) -> tuple[IPAddress, ...]:
        """Resolve a host once, and return its addresses if all of them are allowed.

        Raises:
            UrlRefused: it has none, or one that is not allowed.
            socket.gaierror: it cannot be resolved now.
        """
        found = tuple(ipaddress.ip_address(each) for each in await self._resolve(target.host, target.port))
        if target.authority not in self.inside:
            check_addresses(target, found)
        return found

    async def check(self, url: str) -> Target:
        """Check an address before it is stored.

        Raises:
            UrlRefused: it is not allowed.
            Unavailable: its host cannot be resolved now.
        """
        target = self.target(url)
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT.total_seconds()):
                await self.addresses(target)
        except TimeoutError:
            raise Unavailable("The host of the URL could not be resolved in time. Try again.") from None
        except socket.gaierror:
            raise Unavailable("The host of the URL cannot be resolved now. Try again.") from None
        return target


class _BoundedStream(httpcore2.AsyncNetworkStream):
    """A connection on which the informational answers to a request are counted before they are parsed."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        # As after a line, which the first status line needs before it; a part of another line is no beginning of one.
        self._begun: bytes | None = b"\n"
        self._informational = 0

    async def read(self, max_bytes: int, timeout: Any = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(max_bytes, timeout)
        if self._begun is not None:
            seen = self._begun + data
            last = 0
            for line in _STATUS_LINE.finditer(seen):
                if line[1] != b"1":
                    self._begun = None
                    return data
                last = line.end()
                self._informational += 1
                if self._informational > MAX_INFORMATIONAL:
                    raise httpcore2.RemoteProtocolError("too many informational answers")
            self._begun = seen[max(last, len(seen) - _BEGUN) :]
        return data

    async def write(self, buffer: bytes, timeout: Any = None) -> None:  # noqa: ASYNC109
        self._begun, self._informational = b"\n", 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore2.AsyncNetworkStream:
        return _BoundedStream(await self._stream.start_tls(*args, **kwargs))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class JudgedConnections(httpcore2.AsyncNetworkBackend):
    """Connects to checked IP addresses, never to a name."""

    def __init__(self, receivers: Receivers, dial: httpcore2.AsyncNetworkBackend, *, is_local: bool) -> None:
        self._receivers = receivers
        self._dial = dial
        self._is_local = is_local

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,  # noqa: ASYNC109 - the signature of the library, in seconds
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve the name, and connect to one of its addresses if all of them are allowed."""
        target = Target(is_local=self._is_local, host=host.strip("[]"), port=port, path="/")
        error: Exception = httpcore2.ConnectError("no address")
        try:
            addresses = await self._receivers.addresses(target)
        except socket.gaierror as failed:
            raise httpcore2.ConnectError("no answer about the name") from failed
        for address in addresses[:MAX_ADDRESSES]:
            try:
                stream = await self._dial.connect_tcp(str(address), port, timeout, local_address, socket_options)
                return _BoundedStream(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        raise error

    async def sleep(self, seconds: Any) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
