"""The control surface under `/_control`: what payers, banks and bad networks do, on request.

GET  /_control/health                        ready: the webhook id and the credentials that are taken
GET  /_control/root.pem                      the root that signing certificates chain up to
GET  /_control/orders                        every order, with its payments
POST /_control/orders/{id}/approve           the payer approves
POST /_control/orders/{id}/plan              {"issue": "INSTRUMENT_DECLINED" | null, "hold": true}: the next attempt
POST /_control/captures/{id}/complete|deny
POST /_control/captures/{id}/reverse         {"value": "2.00"}: what the bank takes; all that remains when left out
POST /_control/refunds/hold                  {"count": n}: the next n refunds wait
POST /_control/refunds/{id}/complete|fail
GET  /_control/webhooks                      deliveries and how they are treated
POST /_control/webhooks                      {"url", "paused", "delay_seconds", "drop", "duplicate", "reorder"}
POST /_control/webhooks/flush                send everything that waits, now
POST /_control/faults                        {"fault", "count", "path"}: see `FAULTS`; count 0 clears
POST /_control/clock                         {"advance_seconds": n}
POST /_control/tokens/revoke                 every token is refused
POST /_control/statement                     {"limit": n}: the lines that one search lists at most
"""

from collections.abc import Awaitable, Callable

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from dev.sandbox.paypal.certificates import Authority
from dev.sandbox.paypal.errors import PayPalError
from dev.sandbox.paypal.orders import Orders, moment, public
from dev.sandbox.paypal.store import Json, Store
from dev.sandbox.paypal.webhooks import MEDDLING, Webhooks

Change = Callable[[str, Json], object]

#: Answer 500, 429 or 503 and do nothing; be silent and do nothing; be silent after all was done.
FAULTS = ("error_500", "error_429", "error_503", "timeout_before", "timeout_after_commit")


def take_fault(store: Store, path: str) -> str | None:
    """Return the fault that this request meets, and count it."""
    planned: Json = store.setting("fault", {"count": 0})
    if planned["count"] <= 0 or planned["path"] not in path:
        return None
    store.set("fault", planned | {"count": planned["count"] - 1})
    return str(planned["fault"])


def routes(store: Store, orders: Orders, webhooks: Webhooks, authority: Authority, known: Json) -> list[BaseRoute]:
    """Return the routes of the control surface; `known` is what health reports."""

    async def health(_: Request) -> Response:
        return JSONResponse(known | {"status": "ready", "time": moment(store.now())})

    async def root(_: Request) -> Response:
        return PlainTextResponse(authority.root_pem.decode())

    async def all_orders(_: Request) -> Response:
        return JSONResponse({"orders": [public(order) for order in store.orders()]})

    async def deliveries(_: Request) -> Response:
        listed = [item | {"due_at": moment(item["due_at"])} for item in store.deliveries()]
        return JSONResponse({"deliveries": listed, "meddling": webhooks.meddling()})

    async def flush(_: Request) -> Response:
        async with httpx2.AsyncClient(timeout=10) as http:
            return JSONResponse({"taken": await webhooks.send(http, everything=True)})

    return [
        Mount(
            "/_control",
            routes=[
                Route("/health", health),
                Route("/root.pem", root),
                Route("/orders", all_orders),
                Route("/webhooks", deliveries, methods=["GET"]),
                Route("/webhooks/flush", flush, methods=["POST"]),
                *(
                    Route(path, _endpoint(store, webhooks, change), methods=["POST"])
                    for path, change in _changes(store, orders, webhooks).items()
                ),
            ],
        )
    ]


def _changes(store: Store, orders: Orders, webhooks: Webhooks) -> dict[str, Change]:
    """Return what each path does with the id in it and the body."""

    def plan_fault(_: str, body: Json) -> None:
        if body["fault"] not in FAULTS:
            raise PayPalError(400, "INVALID_PARAMETER_VALUE")
        store.set("fault", {"fault": body["fault"], "count": body.get("count", 1), "path": body.get("path", "/v")})

    def meddle(_: str, body: Json) -> Json:
        if body.keys() - MEDDLING.keys():
            raise PayPalError(400, "INVALID_PARAMETER_VALUE")
        store.set("webhooks", webhooks.meddling() | body)
        return webhooks.meddling()

    return {
        "/orders/{id}/approve": lambda key, _: orders.approve(key),
        "/orders/{id}/plan": lambda key, body: orders.plan(key, **body),
        "/captures/{id}/complete": lambda key, _: orders.settle(key, complete=True),
        "/captures/{id}/deny": lambda key, _: orders.settle(key, complete=False),
        "/captures/{id}/reverse": lambda key, body: orders.reverse(key, body.get("value")),
        "/refunds/hold": lambda _, body: store.set("refunds_to_hold", body.get("count", 1)),
        "/refunds/{id}/complete": lambda key, _: orders.settle_refund(key, complete=True),
        "/refunds/{id}/fail": lambda key, _: orders.settle_refund(key, complete=False),
        "/webhooks": meddle,
        "/faults": plan_fault,
        "/clock": lambda _, body: store.set(
            "clock_offset_seconds", store.setting("clock_offset_seconds", 0) + body["advance_seconds"]
        ),
        "/tokens/revoke": lambda *_: store.revoke_tokens(),
        "/statement": lambda _, body: store.set("statement_limit", body["limit"]),
    }


def _endpoint(store: Store, webhooks: Webhooks, change: Change) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await request.json() if await request.body() else {}
        try:
            with store.transaction():
                result = change(request.path_params.get("id", ""), body)
        except PayPalError as error:
            return JSONResponse(error.body(), error.status)
        webhooks.wake.set()
        return JSONResponse(public(result) if isinstance(result, dict) else {})

    return endpoint
