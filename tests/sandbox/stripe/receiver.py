"""A receiver of webhooks for one test, which can refuse them and wait for them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.sandboxes import serving


class Receiver:
    def __init__(self) -> None:
        self.secret = ""
        self.url = ""
        self.refusals = 0
        self.bodies: list[tuple[str, str]] = []
        self.loop = asyncio.get_running_loop()
        self.arrived = asyncio.Event()
        self.app = Starlette(routes=[Route("/", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        body, header = (await request.body()).decode(), request.headers["stripe-signature"]
        if self.refusals:
            self.refusals -= 1
            return Response(status_code=500)
        self.bodies.append((body, header))
        self.loop.call_soon_threadsafe(self.arrived.set)
        return Response(status_code=204)

    @property
    def events(self) -> list[Any]:
        return [stripe.Webhook.construct_event(body, header, self.secret) for body, header in self.bodies]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    async def until(self, count: int) -> list[Any]:
        while len(self.bodies) < count:
            self.arrived.clear()
            if len(self.bodies) < count:
                await self.arrived.wait()
        return self.events


@contextlib.asynccontextmanager
async def receiving(client: stripe.StripeClient, *types: str, connect: bool = False) -> AsyncIterator[Receiver]:
    """Registers a receiver for these types of events, all without any, of the platform or its accounts; yields it."""
    receiver = Receiver()
    with serving(receiver.app) as url:
        receiver.url = url
        endpoint = await client.v1.webhook_endpoints.create_async(
            {"url": f"{url}/", "enabled_events": list(types) or ["*"], "connect": connect}
        )
        receiver.secret = endpoint.secret or ""
        yield receiver
        await client.v1.webhook_endpoints.delete_async(endpoint.id)
