"""The sandbox as an ASGI application: Stripe's API under `/v1`, hosted pages, and the control surface."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from dev.sandbox.stripe import connect, control, core, operations, parameters, schemas, versions
from dev.sandbox.stripe.conditions import AFTER_COMMIT, Fault
from dev.sandbox.stripe.core import Refusal, Sandbox
from dev.sandbox.stripe.delivery import Deliverer
from dev.sandbox.stripe.errors import invalid
from dev.sandbox.stripe.expand import expanded
from dev.sandbox.stripe.idempotency import Answers, fingerprint
from dev.sandbox.stripe.keys import publishable

log = logging.getLogger(__name__)
JSON = dict[str, Any]


class Router:
    """Routing of method and path to an operation of Stripe's API."""

    def __init__(self) -> None:
        operations.load()
        self.own = {(each[0], schemas.shape(each[1])): (each[1], does) for each, does in core.OPERATIONS.items()}
        for known in self.own:
            if known not in schemas.operations():
                raise LookupError(f"Stripe has no operation {known}")
        self.by_length: dict[tuple[str, int], list[tuple[list[str], schemas.Operation]]] = {}
        for (method, nameless), operation in schemas.operations().items():
            steps = nameless.split("/")
            self.by_length.setdefault((method, len(steps)), []).append((steps, operation))
        for candidates in self.by_length.values():
            candidates.sort(key=lambda each: [step == "{}" for step in each[0]])

    def find(self, method: str, path: str) -> tuple[schemas.Operation, core.Operation, dict[str, str]]:
        """Returns the operation, what the sandbox does for it, and the parts of the path by name.

        Raises:
            Refusal: Stripe has no such path, or the sandbox has not got it yet.
        """
        sent = path.rstrip("/").split("/")
        for steps, operation in self.by_length.get((method, len(sent)), ()):
            if all(given and step in ("{}", given) for step, given in zip(steps[1:], sent[1:], strict=True)):
                if (method, "/".join(steps)) not in self.own:
                    message = f"This sandbox does not have {method.upper()} {operation.path} yet."
                    raise Refusal(501, "api_error", message, code="not_in_sandbox")
                own, does = self.own[method, "/".join(steps)]
                parts = zip(own.split("/"), sent, strict=True)
                return operation, does, {name.strip("{}"): given for name, given in parts if name[:1] == "{"}
        raise invalid(f"Unrecognized request URL ({method.upper()}: {path}).", status=404)


@dataclass
class Call:
    """A request for an operation of the API, parsed and checked."""

    operation: schemas.Operation
    does: core.Operation
    named: dict[str, str]
    params: JSON
    expand: list[str]
    request: JSON
    fault: str = ""
    delay_ms: int = 0


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    body: JSON
    headers: dict[str, str] = field(default_factory=dict)


class Silence(Response):
    """Ends an exchange without an answer: the connection is cut in the middle of one unless the client has left."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Promises a body and sends none."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


class Api:
    """Answers every request under `/v1`.

    Args:
        sandbox: What is asked.
        rate_limit: How many requests a second are taken; Stripe's test mode takes 25. None takes all.
    """

    def __init__(self, sandbox: Sandbox, rate_limit: int | None = None) -> None:
        self.sandbox = sandbox
        self.router = Router()
        self.answers = Answers(sandbox)
        self.rate_limit = rate_limit
        self.recent: deque[int] = deque()

    async def __call__(self, request: Request) -> Response:
        """Answers one request, refusals and own failures included."""
        request_id = "req_" + core.random_text(14)
        fault = self.fault_for(request)
        try:
            answer = await self.answer(request, request_id, fault)
        except Refusal as refusal:
            answer = refused(refusal)
        except schemas.NotConforming as reason:
            message = f"The sandbox made what Stripe could not have made: {reason}"
            answer = Answer(500, Refusal(500, "api_error", message).body())
        except Exception:
            log.exception("an operation of the sandbox failed")
            answer = Answer(500, Refusal(500, "api_error", "The sandbox failed; its log says why.").body())
        if fault is not None and fault.mode.startswith("timeout"):
            while (await request.receive())["type"] != "http.disconnect":
                pass
        if fault is not None and fault.mode in ("timeout_before", "timeout_after_commit", "close_after_commit"):
            return Silence()
        key = request.headers.get("idempotency-key")
        headers = {"Request-Id": request_id, "Stripe-Version": core.API_VERSION} | answer.headers
        return JSONResponse(answer.body, answer.status, headers | ({"Idempotency-Key": key} if key else {}))

    def fault_for(self, request: Request) -> Fault | None:
        """Returns the fault that hits a request, if one does."""
        hits = (each for each in self.sandbox.faults if each.strikes(request.method, request.url.path))
        return next(hits, None)

    async def answer(self, request: Request, request_id: str, fault: Fault | None) -> Answer:
        """Does what a request asks, but for the faults that keep it from being done."""
        mode = fault.mode if fault is not None else ""
        by_page = publishable(request)
        if request.headers.get("stripe-version", core.API_VERSION) != core.API_VERSION:
            message = f"Invalid Stripe API version: this sandbox answers as {core.API_VERSION} and as no other."
            raise invalid(message)
        self.limit_rate()
        if mode == "429":
            raise too_many()
        if mode == "500":
            raise Refusal(500, "api_error", "A failure that was asked for, before anything was done.")
        text = request.url.query if request.method != "POST" else (await request.body()).decode(errors="replace")
        if mode == "timeout_before":
            return Answer(500, {})
        raw = parameters.decoded(text)
        if request.method == "POST" and "stripe-version" not in request.headers:
            raw = versions.modern(request.url.path, raw)
        call = self.parsed(request.method.lower(), request.url.path, raw, by_page)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        account = request.headers.get("stripe-account", "")
        if account:
            connect.demand_account(self.sandbox, account, call.operation)
        call.request = {
            "request_id": request_id,
            "idempotency_key": key,
            "publishable": by_page,
            "account": account,
        }
        call.fault = mode if mode in AFTER_COMMIT else ""
        call.delay_ms = fault.delay_ms if fault is not None and mode == "slow" else 0
        if not key and mode == "500_stored":
            raise Refusal(500, "api_error", "A failure that was asked for.")
        if not key:
            return await self.perform(call, None, "")
        mark = fingerprint(request.method, request.url.path, parameters.decoded(text))
        # An account has keys of its own.
        key = f"{account}/{key}" if account else key
        with self.answers.claimed(key, mark) as remembered:
            if remembered is not None:
                return Answer(remembered.status, remembered.body, {"Idempotent-Replayed": "true"})
            if mode == "500_stored":
                failure = Refusal(500, "api_error", "A failure that was asked for, and that the key remembers.").body()
                async with self.sandbox.transaction():
                    self.answers.remember(key, mark, 500, failure)
                return Answer(500, failure)
            return await self.perform(call, key, mark)

    def parsed(self, method: str, path: str, raw: dict[str, Any], by_page: bool) -> Call:
        """Returns the operation that is asked for with its parameters.

        Raises:
            Refusal: There is no such operation, or its parameters are not those that it takes.
        """
        operation, does, named = self.router.find(method, path)
        expand = raw.pop("expand", {}) if operation.expands else {}
        if not isinstance(expand, dict) or not all(isinstance(each, str) for each in expand.values()):
            raise invalid("Invalid array", param="expand")
        if by_page and named:
            self.demand_client_secret(next(iter(named.values())), raw.get("client_secret"))
            if "client_secret" not in operation.schema["properties"]:
                del raw["client_secret"]
        return Call(operation, does, named, parameters.checked(operation, raw), list(expand.values()), {})

    def demand_client_secret(self, id: str, secret: Any) -> None:
        """Refuses a page that does not know the client secret of the object it names."""
        found = self.sandbox.store.find(id)
        if found is None or secret is None or found.get("client_secret") != secret:
            message = f"No such object with this client secret: '{id}'"
            raise invalid(message, param="client_secret", code="resource_missing", status=404)

    async def perform(self, call: Call, key: str | None, mark: str) -> Answer:
        """Carries an operation out in one transaction, together with the answer that its key remembers."""

        def remember(answer: Answer) -> Answer:
            if call.fault == "500_after_commit":
                message = "A failure that was asked for, after all was done."
                answer = Answer(500, Refusal(500, "api_error", message).body())
            if key is not None:
                self.answers.remember(key, mark, answer.status, answer.body)
            return answer

        await asyncio.sleep(call.delay_ms / 1000)
        answer = None
        try:
            async with self.sandbox.transaction(**call.request) as ctx:
                try:
                    body = await call.does(ctx, call.params, **call.named)
                except Refusal as refusal:
                    if self.sandbox.check_answers:
                        schemas.validate_objects(refusal.body(), "")
                    if refusal.keep:
                        answer = remember(refused(refusal))
                    raise
                if not isinstance(body, core.Suspended):
                    return remember(self.finished(call, ctx, body))
            result = await body.wait()
            async with self.sandbox.transaction(**call.request) as ctx:
                return remember(self.finished(call, ctx, await body.then(ctx, result)))
        except Refusal as refusal:
            if answer is None:
                async with self.sandbox.transaction():
                    answer = remember(refused(refusal))
            return answer

    def finished(self, call: Call, ctx: core.Context, body: JSON) -> Answer:
        """Returns the answer of an operation that was carried out."""
        if call.expand:
            body = expanded(ctx, json.loads(json.dumps(body)), call.expand)
        if self.sandbox.check_answers:
            schemas.validate_answer(call.operation.method, call.operation.path, body)
        return Answer(200, body)

    def limit_rate(self) -> None:
        """Refuses a request beyond the rate of this second."""
        if self.rate_limit is None:
            return
        now = time.monotonic_ns()
        while self.recent and self.recent[0] < now - 1_000_000_000:
            self.recent.popleft()
        if len(self.recent) >= self.rate_limit:
            raise too_many()
        self.recent.append(now)


def too_many() -> Refusal:
    """Returns the refusal of a rate limit."""
    message = "Too many requests hit the API too quickly. Back off before trying again."
    return Refusal(429, "invalid_request_error", message, code="rate_limit")


def refused(refusal: Refusal) -> Answer:
    """Returns the answer of a refusal, with the advice to try again where Stripe gives it."""
    advice = {"Stripe-Should-Retry": "true"} if refusal.status in (409, 429) else {}
    return Answer(refusal.status, refusal.body(), advice)


def build(sandbox: Sandbox, *, rate_limit: int | None = None) -> Starlette:
    """Returns the application; while it runs, webhooks leave and what was put off is done in its time."""
    api = Api(sandbox, rate_limit)
    deliverer = Deliverer(sandbox)

    async def answer(request: Request) -> Response:
        return await api(request)

    @asynccontextmanager
    async def alive(_: Starlette) -> AsyncIterator[None]:
        running = [asyncio.create_task(deliverer.run()), asyncio.create_task(sandbox.keep_time())]
        yield
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    app = Starlette(
        routes=[
            *control.routes(sandbox, deliverer),
            *(Route(path, function, methods=[method]) for (method, path), function in core.PAGES.items()),
            Route("/{path:path}", answer, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]),
        ],
        lifespan=alive,
    )
    app.state.sandbox = sandbox
    return app
