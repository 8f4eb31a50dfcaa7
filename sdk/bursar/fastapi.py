"""Charges for endpoints of FastAPI: `Depends(charge("api_call"))`. Needs the extra `fastapi`.

```
client = AsyncBursar()
app = FastAPI()
app.add_middleware(BursarMiddleware, client=client)

@app.post("/summaries", dependencies=[Depends(charge("api_call"))])
async def summarise(...): ...
```

The credits are held before the handler runs, and 402 is answered where there are not enough. An answer of 2xx
captures them before it is sent, and any other releases them.

A request with an `Idempotency-Key` is identified by its principal, method, path, query, body and that key. When it
comes again, the handler does not run again: 409 `charge.replayed` where it was paid for, 409 `charge.in_progress`
where it still runs or died a moment ago. Where the first one was not charged, it runs. Other calls in the handler
take their keys from the request as well, and a handler that charges by itself, by `use`, `hold` or what is metered, is
refused there in the same way: before its first charge it runs again, and never after it.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bursar import _keys
from bursar._async.client import AsyncBursar
from bursar._async.holds import AsyncHold
from bursar._errors import (
    BursarError,
    ConfigurationError,
    ConnectionFailed,
    HoldTaken,
    OutcomeUnknown,
    PaymentRequired,
    RateLimited,
    ServerError,
)
from bursar._wire import OMITTED, AmountLike, Omitted

log = logging.getLogger("bursar")

_STATE = "bursar"
#: How long a hold outlives a process that died: a request with its key is refused for so long.
EXPIRES_IN = timedelta(seconds=60)
#: The longest body that a request with a key may have; it is kept to be hashed.
MAX_BODY = 1024 * 1024


class BursarMiddleware:
    """Settles what `charge` held, and names requests so that their calls have keys."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        client: AsyncBursar,
        principal: Callable[[Scope], str] | None = None,
        max_body: int = MAX_BODY,
    ) -> None:
        """Wrap an application.

        Args:
            app: what is wrapped.
            client: what charges.
            principal: tells who sends a request; by its `Authorization` when left out, so give it where people are
                known by a cookie, or where their tokens are renewed: a request that comes again under another token
                would be charged again.
            max_body: the most bytes that the body of a request with an `Idempotency-Key` may have; more is a 413.
        """
        self._app = app
        self._client = client
        self._principal = principal or _by_authorization
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        key = Headers(scope=scope).get("idempotency-key")
        if key is None:
            place = _keys.Scope("request", _keys.fresh())
        else:
            try:
                body = await _read(receive, self._max_body)
            except ClientDisconnect:
                return
            if body is None:
                detail = {"code": "request.too_large", "detail": "The body is too long for a request with a key."}
                await JSONResponse(detail, 413)(scope, receive, send)
                return
            receive = _again(body, receive)
            digest = hashlib.sha256(body).hexdigest()
            asked = (scope["method"], scope["path"], scope["query_string"].decode("latin-1"), digest)
            place = _keys.Scope("request", self._principal(scope), *asked, key, guard=_keys.Guard())
        charges = _Charges(self._client, exclusive=key is not None)
        scope[_STATE] = charges
        with _keys.opened(place):
            await charges.settled_by(self._app, scope, receive, send)


class _Charges:
    """Hold of a request."""

    def __init__(self, client: AsyncBursar, *, exclusive: bool) -> None:
        self._client = client
        self._exclusive = exclusive
        self._holds: list[AsyncHold] = []

    async def hold(self, body: dict[str, Any]) -> AsyncHold:
        hold = AsyncHold(self._client, body, expires_in=EXPIRES_IN, exclusive=self._exclusive)
        await hold.__aenter__()
        self._holds.append(hold)
        return hold

    async def settled_by(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; capture before a good answer leaves, and release otherwise."""
        has_begun = False

        async def settling(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                await self._settle(paid=200 <= message["status"] < 300)
                has_begun = True
            await send(message)

        try:
            await app(scope, receive, settling)
        except HoldTaken as error:
            if has_begun:
                raise
            refusal = _taken(error)
            await JSONResponse({"detail": refusal.detail}, refusal.status_code, refusal.headers)(scope, receive, send)
        finally:
            await self._settle(paid=False)

    async def _settle(self, *, paid: bool) -> None:
        holds, self._holds = self._holds, []
        failure: BursarError | None = None
        for hold in holds:
            if paid and hold.left > 0:
                hold.use(hold.left)
            try:
                await hold.__aexit__(None, None, None)
            except OutcomeUnknown:
                log.exception("It is not known whether a charge was settled", extra={"hold_id": hold.id})
            except BursarError as error:
                log.exception("A charge could not be settled", extra={"hold_id": hold.id})
                failure = error
        if failure is not None and paid:
            raise failure


def charge(
    action: str,
    *,
    quantity: int = 1,
    amount: AmountLike | Omitted = OMITTED,
    agent_id: str | Omitted = OMITTED,
    department_id: str | Omitted = OMITTED,
    project_id: str | Omitted = OMITTED,
) -> Callable[[Request], Awaitable[AsyncHold]]:
    """Return a dependency that charges for a request: held before the handler, captured after a 2xx, else released.

    Args:
        action: what is charged, at its cost.
        quantity: units of it.
        amount: credits, instead of the action's cost.
        agent_id: which agent it is attributed to; by `bursar.context` when left out, as with the next two.
        department_id: which department.
        project_id: which project.
    """
    members = {
        "action": action,
        "quantity": quantity,
        "amount": amount,
        "agent_id": agent_id,
        "department_id": department_id,
        "project_id": project_id,
    }
    body = {name: value for name, value in members.items() if value is not OMITTED}

    async def charged(request: Request) -> AsyncHold:
        charges = request.scope.get(_STATE)
        if not isinstance(charges, _Charges):
            raise ConfigurationError("Add BursarMiddleware to the application: it settles what `charge` holds.")
        try:
            return await charges.hold(body)
        except PaymentRequired as error:
            raise HTTPException(402, {**error.problem, "detail": error.detail}) from error
        except HoldTaken as error:
            raise _taken(error) from error
        except (ConnectionFailed, OutcomeUnknown, RateLimited, ServerError) as error:
            detail = {"code": "charge.unavailable", "detail": "The charge cannot be made now. Repeat the request."}
            raise HTTPException(503, detail, {"Retry-After": "5"}) from error

    return charged


def _taken(error: HoldTaken) -> HTTPException:
    if error.status == "captured":
        detail = "This request was made before, and paid for. It is not done again: use a new Idempotency-Key."
        return HTTPException(409, {"code": "charge.replayed", "detail": detail})
    left = (error.expires_at or datetime.now(UTC)) - datetime.now(UTC)
    detail = "The first request with this Idempotency-Key is still running, or died a moment ago."
    wait = str(max(1, int(left.total_seconds()) + 1))
    return HTTPException(409, {"code": "charge.in_progress", "detail": detail}, {"Retry-After": wait})


def _by_authorization(scope: Scope) -> str:
    return Headers(scope=scope).get("authorization", "")


async def _read(receive: Receive, most: int) -> bytes | None:
    """Read a whole body, None if it is too long.

    Raises:
        ClientDisconnect: the body is incomplete: the client is gone, and no handler may process a part of it.
    """
    parts, length, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > most:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives a body that was read."""
    given = False

    async def channel() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return channel
