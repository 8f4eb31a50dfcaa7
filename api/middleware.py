"""The edge of the API: one plain ASGI middleware that every request passes, so it does little and does it once.

It names the request (`X-Request-Id`, the client's own when it is well-formed and no card number), refuses bodies that
are too long and addresses with a card number in them, answers for handlers that broke, and counts, times and logs the
request when it ends.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.card_numbers import refuse_in_address
from api.errors import TooLarge, error_response, logged_path, problem
from api.limits import Limiter
from domain.privacy.card_numbers import contains_card_number
from runtime.identity import new_id
from runtime.metrics import ApiMetrics, route_template

log = structlog.get_logger("bursar.http")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
#: Paths that probes and scrapers ask for all day; they are counted and not logged.
QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
#: How much of a body that is too long is read before it is refused, in bodies of the allowed length, and for how long.
DRAINED_BODIES = 8
DRAIN_SECONDS = 5.0


class Edge:
    """Wraps the app; see the module."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, metrics: ApiMetrics) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id, length, chunked = self._headers(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status, counted = 0, False
        self._metrics.begin()
        id_header = (b"x-request-id", request_id.encode())

        async def send_named(message: Message) -> None:
            nonlocal status, counted
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), id_header, *_limits(state.get("limits", ()))]
                if counted := "is_stream" in state:
                    # From here on it waits, for minutes, which is no slow answer and nothing at work.
                    self._metrics.end(scope["method"], route_template(scope), status, time.perf_counter() - started)
            await send(message)

        try:
            refuse_in_address(scope["path"], scope["query_string"])
            if length > self._max_body_bytes:
                await self._refuse(scope, receive, send_named)
            else:
                await self._app(scope, self._bounded(receive) if chunked else receive, send_named)
        except Exception as exc:
            # Once an answer has begun, cutting the connection is the only honest end.
            if status:
                log.error("request.cut", path=logged_path(scope), exc_info=exc)
                raise
            await error_response(Request(scope), exc)(scope, receive, send_named)
        finally:
            self._end(scope, status, time.perf_counter() - started, counted=counted)

    def _headers(self, scope: Scope) -> tuple[str, int, bool]:
        """Return the request's id, its declared length and whether it comes in chunks of no declared length."""
        request_id, length, chunked = "", 0, False
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = int(value) if value.isdigit() else self._max_body_bytes + 1
            elif name == b"transfer-encoding":
                chunked = True
            elif name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                named = value.decode()
                request_id = "" if contains_card_number(named) else named
        return request_id or new_id("req"), length, chunked

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is longer than {self._max_body_bytes} bytes.")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _read_on(receive, DRAINED_BODIES * self._max_body_bytes)
        await problem(Request(scope), self._too_large(), {"Connection": "close"})(scope, receive, send)

    def _bounded(self, receive: Receive) -> Receive:
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body_bytes:
                if message.get("more_body"):
                    await _read_on(receive, DRAINED_BODIES * self._max_body_bytes)
                raise self._too_large()
            return message

        return bounded

    def _end(self, scope: Scope, status: int, seconds: float, *, counted: bool) -> None:
        template = route_template(scope)
        if not counted:
            self._metrics.end(scope["method"], template, status or 500, seconds)
        if scope["path"] not in QUIET_PATHS:
            log.info(
                "request",
                method=scope["method"],
                path=logged_path(scope),
                route=template,
                status=status,
                ms=round(seconds * 1000, 2),
            )


def _limits(counted: Sequence[tuple[Limiter, str]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of the limits that a request counted against; none if there were none."""
    if not counted:
        return []
    return [
        (b"ratelimit-policy", ", ".join(limiter.policy for limiter, _ in counted).encode()),
        (b"ratelimit", ", ".join(limiter.left(name) for limiter, name in counted).encode()),
    ]


async def _read_on(receive: Receive, limit: int) -> None:
    """Throw a refused body away, up to a limit of bytes and time.

    A connection that is closed on unread bytes is reset, and most clients then lose the answer that was on its way.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while limit > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                limit -= len(message.get("body", b""))
