"""Sends webhooks to addresses that users choose, and never into the platform's own network.

Connections are made by `providers/judged.py`. Proxies of the environment are not used, redirects are not followed, and
time and size are limited.

The signatures are those of Standard Webhooks: `v1` (HMAC-SHA256) by its own package, and `v1a` (Ed25519).
"""

import asyncio
import base64
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol

import httpcore2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from domain.messages.webhook.address import HTTPS_PORT, Target, UrlRefused
from domain.messages.webhook.delivery import ReceiverResponse
from domain.privacy.card_numbers import redacted
from providers.judged import JudgedConnections, Receivers
from providers.tls import trusted

#: The timeout of a request, including DNS, connection and answer.
TIMEOUT = timedelta(seconds=15)
#: How much of an answer is read, and how much of it is kept, in bytes.
READ_BYTES, KEPT_BYTES = 65_536, 2_048
#: How long an idle connection is kept for the next webhook to the same receiver, in seconds.
KEPT_ALIVE = 15.0
USER_AGENT = "Bursar-Webhooks/1"
SECRET_BYTES = 32
_HMAC, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"


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
class OutgoingWebhook:
    """One webhook: address, id (the same for a retry), body, and signing keys."""

    url: str
    message_id: str
    body: bytes
    keys: tuple[SigningKeys, ...]


class MissingSigningKey(Exception):
    """There is no key to sign a webhook with, so it is not sent."""


class WebhookSender(Protocol):
    """Delivers webhooks."""

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
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


def signed_headers(webhook: OutgoingWebhook, now: datetime) -> dict[str, str]:
    """Return the three headers of Standard Webhooks; one signature for each key.

    Raises:
        Unsigned: there is no key to sign with.
    """
    if not webhook.keys:
        raise MissingSigningKey("A webhook is never sent unsigned.")
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
            network_backend=JudgedConnections(self._receivers, self._dial, is_local=is_local),
        )

    @asynccontextmanager
    async def _line(self, target: Target) -> AsyncIterator[httpcore2.AsyncConnectionPool]:
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

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
        """Send it once, and return the result; no answer or failure of the receiver raises.

        Raises:
            Unsigned: there is no key to sign with.
        """
        signed = signed_headers(webhook, now)
        try:
            target = self._receivers.target(webhook.url)
            async with asyncio.timeout(self._timeout):
                return await self.exchange(target, webhook.body, signed)
        except UrlRefused as refused:
            return ReceiverResponse(error=refused.error_code, body=refused.detail)
        except (TimeoutError, httpcore2.TimeoutException):
            return _unanswered(code="webhook.timeout")
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            return _unanswered(code="webhook.unreachable", body=type(error).__name__)

    async def exchange(self, target: Target, body: bytes, given: Mapping[str, str]) -> ReceiverResponse:
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
        async with self._line(target) as pool, pool.stream("POST", url, headers=sent, content=body) as response:
            after = _retry_after(response.headers)
            kept = await _beginning(response)
        return ReceiverResponse(status_code=response.status, body=kept, retry_after=after)


def _unanswered(*, code: str, body: str = "") -> ReceiverResponse:
    return ReceiverResponse(error=code, body=body)


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
