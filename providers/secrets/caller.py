"""Makes a request with a secret in it: to a judged address, over a verified connection, once.

Connections are made by `providers/judged.py` and are used for one request. Proxies of the environment are not used and
redirects are not followed. The answer is read whole, within a limit of size and time, and scrubbed of the secret.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpcore2

from domain.messages.webhook.address import HTTPS_PORT, UrlRefused
from domain.secrets.secret_use.placing import PlacedRequest
from domain.secrets.secret_use.usage import reported_call
from domain.usage.adapters import ModelCall
from providers.judged import JudgedConnections, Receivers
from providers.secrets.scrubbing import Scrubber, TooManySteps
from providers.tls import trusted

#: The timeout of a request, including DNS, connection and answer.
TIMEOUT = timedelta(seconds=60)
MAX_ANSWER_BYTES = 10 * 1_048_576
USER_AGENT = "Bursar-Secrets/1"
#: Headers that are about the connection or the form of the body as it was sent.
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


class CallFailed(Exception):
    """There is no answer that can be returned.

    Attributes:
        reason: `address`, `unreachable`, `timeout`, `broken`, `too_large`, `encoded` or `search`.
        was_sent: whether the server may have acted on the request.
    """

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        """Say why; nothing of the exchange is kept."""
        super().__init__(reason)
        self.reason = reason
        self.was_sent = was_sent


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubbedAnswer:
    """An answer without the secret.

    Attributes:
        status: the status code, of a redirect too.
        headers: names in lower case, in their order, without those of the connection.
        body: whole.
        is_scrubbed: whether the secret was in it.
        used: the model's usage in it, if there is one and the caller asked for it.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_scrubbed: bool
    used: ModelCall | None = None


class SecretCaller:
    """Makes requests with secrets."""

    def __init__(
        self,
        receivers: Receivers,
        *,
        roots: ssl.SSLContext | None = None,
        dial: httpcore2.AsyncNetworkBackend | None = None,
        timeout: timedelta = TIMEOUT,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        """Take who judges addresses, what checks certificates, who connects, and what a request may take."""
        self._receivers = receivers
        self._roots = roots
        self._dial = dial or httpcore2.AnyIOBackend()
        self._timeout = timeout.total_seconds()
        self._max_answer_bytes = max_answer_bytes

    async def call(
        self, placed: PlacedRequest, meter: str | None = None, turn: AbstractAsyncContextManager[object] | None = None
    ) -> ScrubbedAnswer:
        """Make a request, and return the answer without the values that were placed in it.

        Args:
            placed: the request with its values.
            meter: the provider whose usage is read, of what was answered before anything is removed from it.
            turn: entered while the answer is searched, such as a lock of the organization, so that answers of one
                organization take one processor at most.

        Raises:
            CallFailed: there is no answer that can be returned. Neither it nor its cause has a value.
        """
        sent = _Sent()
        try:
            async with asyncio.timeout(self._timeout):
                status, headers, body = await self._exchange(placed, sent)
        except CallFailed:
            raise
        except UrlRefused:
            raise CallFailed("address", was_sent=False) from None
        except (TimeoutError, httpcore2.TimeoutException):
            raise CallFailed("timeout", was_sent=sent.was_sent) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError):
            raise CallFailed("broken" if sent.was_sent else "unreachable", was_sent=sent.was_sent) from None
        async with turn or nullcontext():
            try:
                return await asyncio.to_thread(_scrubbed, placed.values, meter, status, headers, body)
            except TooManySteps:
                raise CallFailed("search", was_sent=True) from None

    async def _exchange(self, placed: PlacedRequest, sent: "_Sent") -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        request, target = placed.request, placed.request.target
        headers: dict[str, str] = {
            **request.headers,
            "host": target.authority.removesuffix(f":{HTTPS_PORT}"),
            "accept-encoding": "identity",
            "user-agent": USER_AGENT,
        }
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers["content-length"] = str(len(request.body))
        url = httpcore2.URL(
            scheme="http" if target.is_local else "https", host=target.host, port=target.port, target=target.path
        )
        backend = JudgedConnections(self._receivers, self._dial, is_local=target.is_local)
        async with (
            httpcore2.AsyncConnectionPool(
                ssl_context=self._roots or trusted(), max_connections=1, network_backend=backend
            ) as pool,
            pool.stream(
                request.method,
                url,
                headers=list(headers.items()),
                content=request.body or None,
                extensions={"trace": sent.note},
            ) as response,
        ):
            if any(
                name.lower() == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}
                for name, value in response.headers
            ):
                # What is packed is not searched.
                raise CallFailed("encoded", was_sent=True)
            body = bytearray()
            async for part in response.aiter_stream():
                body += part
                if len(body) > self._max_answer_bytes:
                    raise CallFailed("too_large", was_sent=True)
            return response.status, response.headers, bytes(body)


class _Sent:
    """Whether a request has begun to be sent."""

    def __init__(self) -> None:
        self.was_sent = False

    async def note(self, event: str, _info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.was_sent = True


def _scrubbed(
    values: tuple[str, ...], meter: str | None, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> ScrubbedAnswer:
    scrubber = Scrubber(values)
    given = [(name.lower(), value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
    kept = [(scrubber.scrub(name), scrubber.scrub(value)) for name, value in given]
    clean = scrubber.scrub(body)
    return ScrubbedAnswer(
        status=status,
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in kept),
        body=clean,
        is_scrubbed=(kept, clean) != (given, body),
        used=None if meter is None else reported_call(body, meter),
    )
