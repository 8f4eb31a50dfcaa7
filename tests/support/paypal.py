"""The sandbox of PayPal for tests: served in a thread, every exchange with it recorded and checked."""

import asyncio
import contextlib
import functools
import json
import os
import queue
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from cryptography import x509
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dev.sandbox.paypal import shapes
from dev.sandbox.paypal.accounts import CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID
from dev.sandbox.paypal.app import create_app
from dev.sandbox.paypal.certificates import SIGNING_NAME, make_chain
from domain.payments.payment.snapshot import CreatePayment, Snapshot
from providers.payments.paypal import PayPalProvider
from providers.payments.paypal.client import PayPalClient
from tests.support.paypal_openapi import published

#: Where PayPal's published documents are, if they are.
DOCUMENTS = os.environ.get("BURSAR_PAYPAL_OPENAPI", "")
ID = r"[A-Z0-9]+"
#: Shape of each request and of each answer that is a success, by method and path.
SHAPES = [
    ("POST", "/v2/checkout/orders", shapes.CREATE_ORDER, shapes.ORDER),
    ("GET", f"/v2/checkout/orders/{ID}", None, shapes.ORDER),
    ("POST", f"/v2/checkout/orders/{ID}/(capture|authorize)", shapes.NOTHING, shapes.ORDER),
    ("GET", f"/v2/payments/authorizations/{ID}", None, shapes.AUTHORIZATION),
    ("POST", f"/v2/payments/authorizations/{ID}/capture", shapes.CAPTURE_AUTHORIZATION, shapes.CAPTURE),
    ("POST", f"/v2/payments/authorizations/{ID}/void", shapes.NOTHING, shapes.AUTHORIZATION),
    ("GET", f"/v2/payments/captures/{ID}", None, shapes.CAPTURE),
    ("POST", f"/v2/payments/captures/{ID}/refund", shapes.REFUND_CAPTURE, shapes.REFUND),
    ("GET", f"/v2/payments/refunds/{ID}", None, shapes.REFUND),
    ("GET", "/v1/reporting/transactions", None, shapes.TRANSACTIONS),
]


@dataclass
class Recorder(httpx2.AsyncBaseTransport):
    """Sends requests on and keeps each with its answer."""

    exchanges: list[tuple[httpx2.Request, httpx2.Response]]
    inner: httpx2.AsyncBaseTransport = field(default_factory=httpx2.AsyncHTTPTransport)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self.inner.handle_async_request(request)
        await response.aread()
        self.exchanges.append((request, response))
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


@dataclass
class RunningPayPal:
    """A sandbox that runs, and the ways to it."""

    url: str
    data_dir: Path
    stack: contextlib.AsyncExitStack
    exchanges: list[tuple[httpx2.Request, httpx2.Response]] = field(default_factory=list)

    async def http(self) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(base_url=self.url, timeout=60, transport=Recorder(self.exchanges))
        return await self.stack.enter_async_context(client)

    async def provider(self, **options: Any) -> PayPalProvider:
        return self._on(await self.http(), **options)

    def _on(self, http: httpx2.AsyncClient, **options: Any) -> PayPalProvider:
        given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "webhook_id": WEBHOOK_ID}
        given |= {"trust_roots": self.roots(), "clock": self.now} | options
        return PayPalProvider(http, **given)

    async def hasty(self) -> PayPalProvider:
        """A provider that is signed in, and gives up after a second what PayPal does not answer."""
        http = await self.http()
        provider = self._on(http)
        await provider.find(a_payment("pay_nobodys"), idempotency_key="first")
        http.timeout = httpx2.Timeout(60, read=1)
        return provider

    async def client(self) -> PayPalClient:
        return PayPalClient(await self.http(), client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=self.now)

    def roots(self) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates((self.data_dir / "root.pem").read_bytes())

    #: How far the sandbox's clock was moved.
    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    async def advance(self, **by: int) -> None:
        self.offset += timedelta(**by)
        await self.control("clock", advance_seconds=int(timedelta(**by).total_seconds()))

    async def control(self, path: str, /, **body: Any) -> Any:
        async with httpx2.AsyncClient(base_url=self.url, timeout=60) as http:
            response = await http.post(f"/_control/{path}", json=body)
            assert response.is_success, response.text
            return response.json()

    async def orders(self) -> list[dict[str, Any]]:
        async with httpx2.AsyncClient(base_url=self.url, timeout=60) as http:
            orders: list[dict[str, Any]] = (await http.get("/_control/orders")).json()["orders"]
            return orders

    async def paid(self, provider: PayPalProvider, payment: CreatePayment) -> Snapshot:
        """Makes an order, lets the payer approve it, and takes the money or holds it."""
        order = await provider.create(payment, idempotency_key=f"{payment.payment_id}:create")
        await self.control(f"orders/{order.ref}/approve")
        return await provider.confirm(order.ref, None, idempotency_key=f"{payment.payment_id}:confirm")


def a_payment(payment_id: str = "pay_1", amount_minor: int = 1234, currency: str = "USD", **more: Any) -> CreatePayment:
    given: dict[str, Any] = {
        "payment_id": payment_id,
        "org_id": "org_1",
        "amount_minor": amount_minor,
        "currency": currency,
        "description": "100 credits",
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
        "hosted": True,
        "return_url": "https://shop.example/back",
    }
    return CreatePayment(**given | more)


@functools.cache
def a_chain() -> tuple[bytes, bytes, bytes]:
    """Keys that hold by the clock of the machine and by any that tests set."""
    return make_chain(SIGNING_NAME, not_before=datetime(2026, 1, 1, tzinfo=UTC), lifetime=timedelta(days=36_500))


def keep_chain(data_dir: Path) -> None:
    """Makes keys once for all tests: they are most of the time that the sandbox takes to start."""
    data_dir.mkdir(exist_ok=True)
    for name, pem in zip(("root.pem", "signing.pem", "signing.key"), a_chain(), strict=True):
        (data_dir / name).write_bytes(pem)


@contextlib.asynccontextmanager
async def running_paypal(data_dir: Path) -> AsyncIterator[RunningPayPal]:
    """Runs the sandbox on a directory; at the end every exchange is checked against the shapes."""
    keep_chain(data_dir)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with served(create_app(data_dir, base_url=url), listening):
            async with contextlib.AsyncExitStack() as stack:
                running = RunningPayPal(url, data_dir, stack)
                yield running
    check(running.exchanges)


@contextlib.contextmanager
def served(app: Starlette, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="paypal")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def check(exchanges: list[tuple[httpx2.Request, httpx2.Response]]) -> None:
    """Checks requests and answers against the shapes written here, and against PayPal's documents where those are."""
    wrong = []
    for request, response in exchanges:
        wrong += [f"{request.method} {request.url.path}: {what}" for what in mismatches(request, response)]
        if DOCUMENTS:
            wrong += published(DOCUMENTS).mismatches(request, response)
    assert wrong == [], "\n".join(wrong)


def mismatches(request: httpx2.Request, response: httpx2.Response) -> list[str]:
    found = [
        (asked, answered)
        for method, path, asked, answered in SHAPES
        if method == request.method and re.fullmatch(path, request.url.path)
    ]
    if not found or not response.content:
        return []
    [(asked, answered)] = found
    if request.method == "POST" and "prefer" not in request.headers:
        answered = shapes.SHORT
    wrong = shapes.mismatches(asked, json.loads(request.content)) if asked and response.is_success else []
    return wrong + shapes.mismatches(answered if response.is_success else shapes.ERROR, response.json())


@dataclass
class Inbox:
    """Receives webhooks, and answers with a set status, by default 200."""

    url: str
    received: "queue.Queue[tuple[bytes, dict[str, str]]]" = field(default_factory=queue.Queue)
    answers: list[int] = field(default_factory=list)

    async def next(self) -> tuple[bytes, dict[str, str]]:
        return await asyncio.to_thread(self.received.get, timeout=60)


@contextlib.contextmanager
def running_inbox() -> Iterator[Inbox]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        inbox = Inbox(f"http://127.0.0.1:{listening.getsockname()[1]}/hook")

        async def take(request: Request) -> Response:
            inbox.received.put((await request.body(), dict(request.headers)))
            return Response(status_code=inbox.answers.pop(0) if inbox.answers else 200)

        with served(Starlette(routes=[Route("/hook", take, methods=["POST"])]), listening):
            yield inbox
