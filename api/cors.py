"""CORS: web pages of configured origins may call the API from a browser; by default none.

A page sends its key in a header and never in cookies, so credentials are never allowed. Other origins get responses as
well, which the browser withholds from them.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX = "/api/"
EXPOSED = (
    *("ETag", "X-Request-Id", "RateLimit", "RateLimit-Policy", "Retry-After", "Idempotent-Replayed"),
    *("X-Budget-Remaining", "X-Budget-Resets"),
    *("Content-Disposition", "Deprecation", "Location", "Sunset", "WWW-Authenticate"),
)
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": ", ".join(
        (
            *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"),
            *("X-Background", "X-Request-Id"),
        )
    ),
    "Access-Control-Max-Age": "600",
}


class Cors:
    """Middleware; see the module."""

    def __init__(self, app: ASGIApp, *, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        allowed = {"Access-Control-Allow-Origin": origin} if origin in self._origins else {}
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            preflight = Response(
                status_code=204, headers={"Vary": "Origin", **allowed, **(_ALLOWED if allowed else {})}
            )
            await preflight(scope, receive, send)
            return

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if allowed:
                    answer.update({**allowed, "Access-Control-Expose-Headers": ", ".join(EXPOSED)})
            await send(message)

        await self._app(scope, receive, send_with)
