"""Sends webhooks to addresses that users choose, and never into the platform's own network.

A name is resolved once for each connection, every address is checked (`domain.messages.webhook.address`), and the
connection is made to a checked address, so DNS rebinding has no effect. Proxies of the environment are not used,
redirects are not followed, and time and size are limited.

The signatures are those of Standard Webhooks: `v1` (HMAC-SHA256) by its own package, and `v1a` (Ed25519).
"""

import asyncio
import base64
import ipaddress
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, Protocol

import httpcore2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from domain.common.errors import Unavailable
from domain.messages.webhook.address import HTTPS_PORT, IPAddress, Target, UrlRefused, check_addresses, target_of
from domain.messages.webhook.delivery import Answer
from domain.privacy.card_numbers import redacted
from providers.tls import trusted

#: The timeout of a request, including DNS, connection and answer.
TIMEOUT = timedelta(seconds=15)
#: The timeout of resolving a name when an address is checked before it is stored.
RESOLVE_TIMEOUT = timedelta(seconds=5)
#: How much of an answer is read, and how much of it is kept, in bytes.
READ_BYTES, KEPT_BYTES = 65_536, 2_048
#: How many names are resolved at once.
THREADS = 64
#: How many of a name's addresses are tried.
MAX_ADDRESSES = 4
#: How long an idle connection is kept for the next webhook to the same receiver, in seconds.
KEPT_ALIVE = 15.0
USER_AGENT = "Bursar-Webhooks/1"
SECRET_BYTES = 32
_HMAC, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"

#: Temporary failures of a resolver.
_PASSING = frozenset({socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM})

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
LookUp = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """What an endpoint's webhooks are signed with.

    Attributes:
        secret: `whsec_…`, which the receiver has as well.
        private_key: `whsk_…`, of an endpoint that asked for `v1a`.
    """

    secret: str
    private_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One webhook: address, id (the same for a retry), body, and signing keys."""

    url: str
    message_id: str
    body: bytes
    keys: tuple[SigningKeys, ...]


class Unsigned(Exception):
    """There is no key to sign a webhook with, so it is not sent."""


class WebhookSender(Protocol):
    """Delivers webhooks."""

    async def send(self, webhook: Outgoing, *, now: datetime) -> Answer:
        """Send it once, and return the result; no answer or failure of the receiver raises."""


def new_secret() -> str:
    """Make the secret of an endpoint."""
    return _HMAC + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def new_private_key() -> str:
    """Make the key of an endpoint that is to be verified without a shared secret."""
    return _PRIVATE + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key_of(private_key: str) -> str:
    """Return the `whpk_…` that verifies what the private key signs."""
    return _PUBLIC + base64.b64encode(_ed25519(private_key).public_key().public_bytes_raw()).decode()


def headers(webhook: Outgoing, now: datetime) -> dict[str, str]:
    """Return the three headers of Standard Webhooks; one signature for each key.

    Raises:
        Unsigned: there is no key to sign with.
    """
    if not webhook.keys:
        raise Unsigned("A webhook is never sent unsigned.")
    seconds = int(now.timestamp())
    signed = f"{webhook.message_id}.{seconds}.".encode() + webhook.body
    signatures = []
    for keys in webhook.keys:
        at = datetime.fromtimestamp(seconds, UTC)
        signatures.append(Webhook(keys.secret).sign(webhook.message_id, at, webhook.body.decode()))
        if keys.private_key is not None:
            signature = _ed25519(keys.private_key).sign(signed)
            signatures.append(f"v1a,{base64.b64encode(signature).decode()}")
    return {
        "webhook-id": webhook.message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
    }


def _ed25519(private_key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(private_key.removeprefix(_PRIVATE)))


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
    """Checks where webhooks may go: before an address is stored, and for each connection."""

    def __init__(self, *, local: bool = False, resolver: Resolver | None = None) -> None:
        """Take whether plain HTTP to this machine is allowed, and the resolver; by default the system's."""
        self._local = local
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


class _JudgedConnections(httpcore2.AsyncNetworkBackend):
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
        target = Target(is_local=self._is_local, host=host.strip("[]"), port=port, path="/")
        error: Exception = httpcore2.ConnectError("no address")
        try:
            addresses = await self._receivers.addresses(target)
        except socket.gaierror as failed:
            raise httpcore2.ConnectError("no answer about the name") from failed
        for address in addresses[:MAX_ADDRESSES]:
            try:
                return await self._dial.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        raise error

    async def sleep(self, seconds: Any) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class _Line:
    """The connections to one address, how many requests are under way on them, and when the last one ended."""

    pool: httpcore2.AsyncConnectionPool
    under_way: int = 0
    used_at_ns: int = 0


class HttpWebhookSender:
    """Sends webhooks over HTTP/1.1. One instance serves all endpoints; its creator closes it.

    Each address has a connection pool of its own. A pool checks all of its connections with every request, so in a
    common pool slow receivers would make every request slower.
    """

    def __init__(
        self,
        receivers: Receivers,
        *,
        roots: ssl.SSLContext | None = None,
        dial: httpcore2.AsyncNetworkBackend | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        """Take who judges addresses, what checks certificates, who connects, and what a request may take."""
        self._receivers = receivers
        self._roots = roots
        self._dial = dial or httpcore2.AnyIOBackend()
        self._timeout = timeout.total_seconds()
        self._lines: dict[Target, _Line] = {}
        self._looks_at_ns = 0

    # Made with the first webhook: reading the roots takes time, and most processes send none.
    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return self._roots or trusted()

    def _pool(self, *, is_local: bool) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._trusted,
            # A request never waits for the connection of another one.
            max_connections=None,
            keepalive_expiry=KEPT_ALIVE,
            network_backend=_JudgedConnections(self._receivers, self._dial, is_local=is_local),
        )

    @asynccontextmanager
    async def _line(self, target: Target) -> AsyncIterator[httpcore2.AsyncConnectionPool]:
        """Lend the connections to an address."""
        await self._close_idle()
        line = self._lines.get(target)
        if line is None:
            line = self._lines[target] = _Line(self._pool(is_local=target.is_local))
        line.under_way += 1
        try:
            yield line.pool
        finally:
            line.under_way -= 1
            line.used_at_ns = time.monotonic_ns()

    async def _close_idle(self) -> None:
        """Close the connections to addresses that nothing was sent to for a while."""
        now, kept = time.monotonic_ns(), int(KEPT_ALIVE * 1_000_000_000)
        if now < self._looks_at_ns:
            return
        self._looks_at_ns = now + kept
        for target, line in list(self._lines.items()):
            # While one was closed, another one may have been used.
            if not line.under_way and line.used_at_ns + kept < now and self._lines.pop(target, None) is line:
                await line.pool.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        while self._lines:
            await self._lines.popitem()[1].pool.aclose()

    async def send(self, webhook: Outgoing, *, now: datetime) -> Answer:
        """Send it once, and return the result; no answer or failure of the receiver raises.

        Raises:
            Unsigned: there is no key to sign with.
        """
        signed = headers(webhook, now)
        try:
            target = self._receivers.target(webhook.url)
            async with asyncio.timeout(self._timeout):
                return await self.exchange(target, webhook.body, signed)
        except UrlRefused as refused:
            return Answer(error=refused.error_code, body=refused.detail)
        except (TimeoutError, httpcore2.TimeoutException):
            return _unanswered(code="webhook.timeout")
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            return _unanswered(code="webhook.unreachable", body=type(error).__name__)

    async def exchange(self, target: Target, body: bytes, given: Mapping[str, str]) -> Answer:
        """Post a JSON document with the given headers, once; the caller sets the timeout.

        Raises:
            UrlRefused: the name resolves to an address that is not allowed.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: nothing was sent.
            httpcore2.NetworkError, httpcore2.ProtocolError, OSError: the exchange broke off.
        """
        sent = [
            *given.items(),
            ("host", target.authority.removesuffix(f":{HTTPS_PORT}")),
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("accept-encoding", "identity"),
            ("user-agent", USER_AGENT),
        ]
        scheme = "http" if target.is_local else "https"
        url = httpcore2.URL(scheme=scheme, host=target.host, port=target.port, target=target.path)
        async with (
            self._line(target) as pool,
            pool.stream("POST", url, headers=sent, content=body) as response,
        ):
            after = _retry_after(response.headers)
            kept = await _beginning(response)
        return Answer(status_code=response.status, body=kept, retry_after=after)


def _unanswered(*, code: str, body: str = "") -> Answer:
    return Answer(error=code, body=body)


async def _beginning(response: httpcore2.Response) -> str:
    """Read the beginning of an answer, and return what is stored of it: text without NUL and card numbers."""
    kept, size = b"", 0
    async for part in response.aiter_stream():
        kept = (kept + part)[:KEPT_BYTES]
        size += len(part)
        if size >= READ_BYTES:
            break
    return redacted(kept.decode(errors="replace").replace("\x00", "�"))


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    value = next((value for name, value in headers if name.lower() == b"retry-after"), None)
    return None if value is None else value[:100].decode("latin-1")
