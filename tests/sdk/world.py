"""The client over the real API and over the fake, with a wire that loses answers."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bursar import AsyncBursar, Bursar
from bursar.testing import FakeBursar

URL = "http://bursar.test"


class Wire(httpx2.AsyncBaseTransport):
    """A transport that has the next requests fail before or after they take effect."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self.inner = inner
        self.faults: deque[str] = deque()
        self.sent: list[httpx2.Request] = []
        self.late: list[asyncio.Task[httpx2.Response]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        fault = self.faults.popleft() if self.faults else None
        if fault == "not_sent":
            raise httpx2.ConnectError("refused", request=request)
        if fault == "rate_limited":
            return httpx2.Response(429, headers={"Retry-After": "0"}, json={"code": "rate_limited", "status": 429})
        if fault == "slow":
            # It arrives, and is worked on beside what is sent next.
            self.late.append(asyncio.create_task(self.inner.handle_async_request(request)))
            raise httpx2.ReadTimeout("slow", request=request)
        response = await self.inner.handle_async_request(request)
        await response.aread()
        if fault == "answer_lost":
            raise httpx2.ReadTimeout("no answer", request=request)
        if fault == "connection_cut":
            raise httpx2.RemoteProtocolError("cut", request=request)
        if fault == "error_after_commit":
            return httpx2.Response(500, json={"code": "internal", "status": 500})
        return response


class Bridge(httpx2.BaseTransport):
    """Brings requests of a thread to a transport of the test's loop."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, loop: asyncio.AbstractEventLoop) -> None:
        self.inner = inner
        self.loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()

        async def answer() -> httpx2.Response:
            again = httpx2.Request(request.method, request.url, headers=request.headers, content=request.content)
            response = await self.inner.handle_async_request(again)
            return httpx2.Response(response.status_code, headers=response.headers, content=await response.aread())

        return asyncio.run_coroutine_threadsafe(answer(), self.loop).result()


@dataclass
class World:
    """An organization with 100 credits, where `generate` costs 2 and `api_call` 1.

    `books` returns what left it, one amount for each transfer, in order; for the API by SQL.
    """

    kind: str
    wire: Wire
    token: str
    books: Callable[[], Any]
    fake: FakeBursar | None = None
    more: dict[str, Any] = field(default_factory=dict)
    url: str = URL

    def client(self, **options: Any) -> AsyncBursar:
        return AsyncBursar(self.token, base_url=self.url, transport=self.wire, **options)

    def operator(self, **options: Any) -> AsyncBursar:
        """Return a client with the key of an operator; each key of the fake does as one."""
        return AsyncBursar(self.more.get("operator", self.token), base_url=self.url, transport=self.wire, **options)

    async def agent_id(self) -> str:
        """Return an agent of the organization; the fake begins with none."""
        tenant = self.more.get("tenant")
        return tenant.agent_id if tenant else (await self.client().agents.create(name="Agent")).id

    async def expire_key(self) -> None:
        """Expire the organization's key."""
        if self.fake is not None:
            self.fake.expire_key()
        else:
            await self.more["expire"]()

    def threaded(self, **options: Any) -> Bursar:
        bridge = Bridge(self.wire, asyncio.get_running_loop())
        return Bursar(self.token, base_url=self.url, transport=bridge, **options)
