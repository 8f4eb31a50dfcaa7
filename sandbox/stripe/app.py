"""The sandbox as an ASGI application: Stripe's API under `/v1`, hosted pages, and the control surface."""

from __future__ import annotations

import json
import secrets
import string
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.stripe import core, operations, parameters, schemas
from sandbox.stripe.core import Refusal, Sandbox
from sandbox.stripe.errors import invalid
from sandbox.stripe.expand import expanded
from sandbox.stripe.keys import publishable

Found = tuple[schemas.Operation, core.Operation | None, dict[str, str]]


class Router:
    """Which operation a method and a path mean, among all that Stripe has."""

    def __init__(self) -> None:
        operations.load()
        self.own = {
            (method, schemas.shape(path)): (path, function) for (method, path), function in core.OPERATIONS.items()
        }
        for known in self.own:
            if known not in schemas.operations():
                raise LookupError(f"Stripe has no operation {known}")
        self.by_length: dict[tuple[str, int], list[tuple[list[str], schemas.Operation]]] = {}
        for (method, nameless), operation in schemas.operations().items():
            steps = nameless.split("/")
            self.by_length.setdefault((method, len(steps)), []).append((steps, operation))
        for candidates in self.by_length.values():
            candidates.sort(key=lambda each: [step == "{}" for step in each[0]])

    def find(self, method: str, path: str) -> Found | None:
        """Returns the operation, what the sandbox does for it if anything, and the parts of the path by name."""
        sent = path.rstrip("/").split("/")
        for steps, operation in self.by_length.get((method, len(sent)), ()):
            if all(step in ("{}", given) and given for step, given in zip(steps[1:], sent[1:], strict=True)):
                own, function = self.own.get((method, "/".join(steps)), (operation.path, None))
                named = {
                    name.strip("{}"): given for name, given in zip(own.split("/"), sent, strict=True) if name[:1] == "{"
                }
                return operation, function, named
        return None


class Api:
    """Answers every request under `/v1`.

    Args:
        sandbox: What is asked.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.router = Router()

    async def __call__(self, request: Request) -> Response:
        """Answers one request, refusals included."""
        request_id = "req_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(14))
        headers = {"Request-Id": request_id, "Stripe-Version": request.headers.get("stripe-version", core.API_VERSION)}
        try:
            status, body = 200, await self.perform(request, request_id)
        except schemas.NotConforming as reason:
            message = f"The sandbox made what Stripe could not have made: {reason}"
            status, body = 500, Refusal(500, "api_error", message).body()
        except Refusal as refusal:
            status, body = refusal.status, refusal.body()
        return JSONResponse(body, status, headers)

    async def perform(self, request: Request, request_id: str) -> dict[str, Any]:
        """Finds, checks and runs the operation of a request."""
        is_publishable = publishable(request)
        method = request.method.lower()
        found = self.router.find(method, request.url.path)
        if found is None:
            message = f"Unrecognized request URL ({request.method}: {request.url.path}). See https://stripe.com/docs."
            raise invalid(message, status=404)
        operation, function, named = found
        if function is None:
            raise Refusal(501, "api_error", f"The sandbox does not have {request.method} {operation.path} yet.")
        text = request.url.query if method != "post" else (await request.body()).decode()
        raw = parameters.decoded(text)
        expand = raw.pop("expand", {}) if operation.expands else {}
        params = parameters.checked(operation, raw)
        key = request.headers.get("idempotency-key")
        async with self.sandbox.transaction(
            request_id=request_id, idempotency_key=key, publishable=is_publishable
        ) as ctx:
            body = await function(ctx, params, **named)
            body = expanded(ctx, json.loads(json.dumps(body)), list(expand.values()))
            if self.sandbox.check_answers:
                schemas.validate_answer(operation.method, operation.path, body)
        return body


def build(sandbox: Sandbox) -> Starlette:
    """Returns the application."""
    api = Api(sandbox)
    methods = ["GET", "POST", "DELETE", "PUT", "PATCH"]

    async def answer(request: Request) -> Response:
        return await api(request)

    async def steer(request: Request) -> Response:
        function = core.CONTROLS.get(request.path_params["path"])
        if function is None:
            return JSONResponse({"error": "there is no such control"}, 404)
        async with sandbox.transaction() as ctx:
            return JSONResponse(await function(ctx, json.loads(await request.body() or b"{}")))

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "now": sandbox.now()})

    app = Starlette(
        routes=[
            Route("/_control/health", health),
            Route("/_control/{path:path}", steer, methods=["POST"]),
            *(Route(path, function, methods=[method]) for (method, path), function in core.PAGES.items()),
            Route("/{path:path}", answer, methods=methods),
        ]
    )
    app.state.sandbox = sandbox
    return app
