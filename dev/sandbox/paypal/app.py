"""The sandbox as an ASGI app: tokens, faults, idempotency and the endpoints of PayPal that are used."""

import asyncio
import base64
import binascii
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dev.sandbox.paypal import control, pages, shapes, statement
from dev.sandbox.paypal.accounts import CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID
from dev.sandbox.paypal.certificates import Authority
from dev.sandbox.paypal.errors import PayPalError
from dev.sandbox.paypal.orders import Orders, public
from dev.sandbox.paypal.store import Json, Store
from dev.sandbox.paypal.webhooks import Webhooks

TOKEN_SECONDS = 32_400
ORDER_KEYS_KEPT, PAYMENT_KEYS_KEPT = timedelta(hours=6), timedelta(days=45)
#: As many lines as PayPal lists for one window.
STATEMENT_LIMIT = 10_000


@dataclass(frozen=True)
class Operation:
    """A POST of PayPal's API: what it takes, what it does, and how what it made is shown when it is asked again."""

    path: str
    shape: shapes.Schema
    act: Callable[[str, Json], Json]
    again: Callable[[str], Json]
    status: int
    status_again: int
    keys_kept: timedelta


def create_app(data_dir: Path, *, base_url: str, webhook_url: str | None = None) -> Starlette:
    """Make the app; its state is in `data_dir`, and links begin with `base_url`."""
    data_dir.mkdir(parents=True, exist_ok=True)
    store = Store(data_dir / "paypal.db")
    authority = Authority(data_dir)
    webhooks = Webhooks(store, authority, base_url=base_url, webhook_id=WEBHOOK_ID)
    if webhook_url:
        store.set("webhooks", webhooks.meddling() | {"url": webhook_url})
    orders = Orders(store, base_url, webhooks.notify)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sending = asyncio.create_task(webhooks.run())
        yield
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        store.close()

    async def token(request: Request) -> Response:
        body = (await request.body()).decode()
        if not _credentials_fit(request) or "grant_type=client_credentials" not in body:
            error = {"error": "invalid_client", "error_description": "These are not the credentials of the sandbox."}
            return JSONResponse(error, 401)
        access_token = secrets.token_urlsafe(32)
        store.add_token(access_token, store.now() + timedelta(seconds=TOKEN_SECONDS))
        return JSONResponse(
            {
                "scope": "https://uri.paypal.com/services/payments/payment",
                "access_token": access_token,
                "token_type": "Bearer",
                "app_id": "APP-SANDBOX",
                "expires_in": TOKEN_SECONDS,
                "nonce": secrets.token_urlsafe(8),
            }
        )

    async def certificate(request: Request) -> Response:
        if request.path_params["id"] != authority.certificate_id:
            return PlainTextResponse("not found", 404)
        return PlainTextResponse((authority.certificate_pem + authority.root_pem).decode())

    def search(request: Request) -> Json:
        limit = store.setting("statement_limit", STATEMENT_LIMIT)
        return statement.search(orders, request.query_params, now=store.now(), limit=limit)

    known = {"webhook_id": WEBHOOK_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "base_url": base_url}
    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v1/oauth2/token", token, methods=["POST"]),
            Route("/v1/notifications/certs/{id}", certificate),
            Route("/v1/reporting/transactions", _reading(store, search)),
            Route("/v2/checkout/orders/{id}", _reading(store, lambda request: orders.get(_id(request)))),
            *(
                Route(f"/v2/payments/{kind}/{{id}}", _reading(store, _showing(orders, kind)))
                for kind in ("authorizations", "captures", "refunds")
            ),
            *(
                Route(operation.path, _changing(store, webhooks, operation), methods=["POST"])
                for operation in _operations(orders)
            ),
            *pages.routes(store, orders),
            *control.routes(store, orders, webhooks, authority, known),
        ],
    )


def _operations(orders: Orders) -> list[Operation]:
    def on_orders(path: str, shape: shapes.Schema, act: Callable[[str, Json], Json]) -> Operation:
        return Operation(path, shape, act, orders.get, 201, 200, ORDER_KEYS_KEPT)

    def on_payments(path: str, shape: shapes.Schema, act: Callable[[str, Json], Json], kind: str) -> Operation:
        return Operation(path, shape, act, lambda key: orders.shown(kind, key), 201, 201, PAYMENT_KEYS_KEPT)

    authorization, capture = "/v2/payments/authorizations/{id}", "/v2/payments/captures/{id}"
    return [
        on_orders("/v2/checkout/orders", shapes.CREATE_ORDER, lambda _, body: orders.create(body)),
        on_orders("/v2/checkout/orders/{id}/capture", shapes.NOTHING, lambda key, _: orders.capture(key)),
        on_orders("/v2/checkout/orders/{id}/authorize", shapes.NOTHING, lambda key, _: orders.authorize(key)),
        on_payments(f"{authorization}/capture", shapes.CAPTURE_AUTHORIZATION, orders.capture_authorization, "captures"),
        on_payments(f"{capture}/refund", shapes.REFUND_CAPTURE, orders.refund, "refunds"),
        Operation(
            f"{authorization}/void",
            shapes.NOTHING,
            lambda key, _: orders.void(key),
            lambda key: orders.shown("authorizations", key),
            200,
            200,
            PAYMENT_KEYS_KEPT,
        ),
    ]


def _showing(orders: Orders, kind: str) -> Callable[[Request], Json]:
    return lambda request: orders.shown(kind, _id(request))


def _reading(store: Store, read: Callable[[Request], Json]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        fault = control.take_fault(store, request.url.path)
        try:
            _check_token(store, request)
            await _suffer(request, fault)
            answer = JSONResponse(public(read(request)))
        except PayPalError as error:
            return JSONResponse(error.body(), error.status)
        return await _silent(request) if fault == "timeout_after_commit" else answer

    return endpoint


def _changing(store: Store, webhooks: Webhooks, operation: Operation) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        fault = control.take_fault(store, request.url.path)
        try:
            _check_token(store, request)
            await _suffer(request, fault)
            body = _body(raw, operation.shape)
            with store.transaction():
                answer = _once(store, operation, request, body)
        except PayPalError as error:
            return JSONResponse(error.body(), error.status)
        webhooks.wake.set()
        return await _silent(request) if fault == "timeout_after_commit" else answer

    return endpoint


def _once(store: Store, operation: Operation, request: Request, body: Json) -> Response:
    """Do it, or show what an earlier request with the same id made, as it is now."""
    request_id = request.headers.get("paypal-request-id")
    key = f"{request.url.path} {request_id}"
    made = store.answer(key) if request_id else None
    if made is not None:
        return _shown(request, operation.again(made), operation.status_again)
    result = operation.act(_id(request), body)
    if request_id:
        store.save_answer(key, result["id"], operation.keys_kept)
    return _shown(request, result, operation.status)


def _shown(request: Request, resource: Json, status: int) -> Response:
    if request.headers.get("prefer") == "return=representation":
        return JSONResponse(public(resource), status)
    if status == 200 and request.url.path.endswith("/void"):
        return Response(status_code=204)
    return JSONResponse({name: resource[name] for name in ("id", "status", "links")}, status)


def _body(raw: bytes, shape: shapes.Schema) -> Json:
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise PayPalError(400, "MALFORMED_REQUEST_JSON") from error
    wrong = shapes.mismatches(shape, body)
    if wrong:
        missing = "required property" in wrong[0]
        raise PayPalError(400, "MISSING_REQUIRED_PARAMETER" if missing else "INVALID_PARAMETER_SYNTAX", wrong[0])
    return dict(body)


def _check_token(store: Store, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not store.has_token(token):
        raise PayPalError(401)


async def _suffer(request: Request, fault: str | None) -> None:
    if fault == "timeout_before":
        await _silent(request)
        raise PayPalError(500)
    if fault and (status := re.fullmatch(r"error_(\d+)", fault)):
        raise PayPalError(int(status[1]))


async def _silent(request: Request) -> Response:
    """Wait until the client has given up."""
    await request.body()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response(status_code=504)


def _credentials_fit(request: Request) -> bool:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    with suppress(binascii.Error):
        return scheme == "Basic" and base64.b64decode(encoded) == f"{CLIENT_ID}:{CLIENT_SECRET}".encode()
    return False


def _id(request: Request) -> str:
    return str(request.path_params.get("id", ""))
