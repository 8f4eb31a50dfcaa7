"""Payments: cost of creating one, less the provider's time, and rates of storing and booking bursts of webhooks.

The provider is the sandbox of Stripe. Webhooks are its own events, signed and sent by the bench: the sandbox keeps its
queue closed meanwhile, so that what is measured is how they are taken and not how they are sent.
"""

import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import Any

import asyncpg
import httpx2

from dev.bench.client import Connection
from dev.bench.rows import BenchRow
from dev.bench.world import World
from dev.sandbox.stripe.delivery import signature

PAIRS = 60
WEBHOOKS = 200
AT_ONCE = 16
#: How many payments are prepared at once, and over how many connections a burst comes.
PREPARING = 16
SENDERS = 64
SIZES = (100, 1_000)
FULL_SIZES = (*SIZES, 10_000)
#: Set to measure the largest burst too, which takes half an hour.
FULL = "BURSAR_BENCH_FULL"
BOOKED_WITHIN_SECONDS = 7_200.0
NUMBERS = count(1)


class PaymentDriver:
    """Both sides of a payment: our API, and the sandbox of Stripe."""

    def __init__(self, world: World) -> None:
        """Open nothing yet."""
        dev = world.stack.sandboxes.dev
        self.world = world
        self.base, self.control = str(dev["stripe_api_base"]), str(dev["stripe_control_url"])
        self.key, self.secret = str(dev["stripe_api_key"]), str(dev["stripe_webhook_secret"])
        # The sandbox closes what is idle for five seconds; a connection that is closed just then would break a request.
        self.http = httpx2.AsyncClient(
            trust_env=False,
            timeout=60,
            headers={"Authorization": f"Bearer {self.key}"},
            base_url=self.base,
            limits=httpx2.Limits(keepalive_expiry=2),
        )

    async def create(self, connection: Connection) -> dict[str, Any]:
        """Make a payment over our API."""
        body: dict[str, object] = {"amount": "12.34", "currency": "USD", "provider": "stripe", "purpose": "credits"}
        key = f"bench-pay-{next(NUMBERS)}"
        return await connection.post("/api/v1/payments", self.world.keys["client"], key, body)

    async def create_there(self, params: dict[str, str]) -> None:
        """Make the same PaymentIntent at the sandbox, as plainly as it can be asked for."""
        headers = {"Idempotency-Key": f"bench-raw-{next(NUMBERS)}"}
        (await self.http.post("/v1/payment_intents", data=params, headers=headers)).raise_for_status()

    async def pay(self, payment: dict[str, Any]) -> None:
        """Confirm a payment at the sandbox as its payer does."""
        intent = str(payment["client_secret"]).partition("_secret_")[0]
        form = {"payment_method": "pm_card_visa", "return_url": "https://example.com/"}
        (await self.http.post(f"/v1/payment_intents/{intent}/confirm", data=form)).raise_for_status()

    async def close_queue(self) -> None:
        """Stop the sandbox from sending webhooks."""
        (await self.http.post(f"{self.control}/webhooks", json={"pause": True})).raise_for_status()

    async def events(self, since: int) -> AsyncIterator[dict[str, Any]]:
        """List the sandbox's events that say that a payment succeeded."""
        query: dict[str, str] = {"type": "payment_intent.succeeded", "limit": "100", "created[gte]": str(since)}
        while True:
            page = (await self.http.get("/v1/events", params=query)).json()
            for event in page["data"]:
                yield event
            if not page["has_more"]:
                return
            query["starting_after"] = page["data"][-1]["id"]

    def webhook(self, event: dict[str, Any]) -> bytes:
        """Write the request that delivers an event."""
        payload = json.dumps(event)
        lines = (
            "POST /api/v1/webhooks/stripe HTTP/1.1",
            f"Host: 127.0.0.1:{self.world.port}",
            "Content-Type: application/json",
            f"Stripe-Signature: {signature(payload, [self.secret], int(time.time()))}",
            f"Content-Length: {len(payload.encode())}",
        )
        return "\r\n".join((*lines, "", "")).encode() + payload.encode()


@asynccontextmanager
async def _connections(world: World, number: int) -> AsyncIterator[list[Connection]]:
    opened = [Connection("127.0.0.1", world.port) for _ in range(number)]
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


async def _spread(connections: list[Connection], work: Iterator[Any], one: Any) -> list[float]:
    """Do the work over all connections at once; returns how long each piece took."""
    took: list[float] = []

    async def run(connection: Connection) -> None:
        for piece in work:
            began = time.perf_counter()
            await one(connection, piece)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(run(connection) for connection in connections))
    return took


async def _send(connection: Connection, request: bytes) -> None:
    status, answer = await connection.send(request)
    if status != 200:
        raise RuntimeError(f"a webhook was answered {status} {answer[:300]!r}")


async def creation_times(till: PaymentDriver, pairs: int) -> tuple[list[dict[str, Any]], list[float], list[float]]:
    """Make payments here and PaymentIntents there in turn; returns the payments, and the seconds of each."""
    made, ours, theirs = [], [], []
    async with _connections(till.world, 1) as (connection,):
        first = await till.create(connection)
        intent = str(first["client_secret"]).partition("_secret_")[0]
        asked = (await till.http.get(f"/v1/payment_intents/{intent}")).json()
        params = {
            "amount": str(asked["amount"]),
            "currency": asked["currency"],
            "customer": asked["customer"],
            "description": asked["description"],
            "automatic_payment_methods[enabled]": "true",
            **{f"metadata[{name}]": value for name, value in asked["metadata"].items()},
            "expand[0]": "latest_charge.balance_transaction",
        }
        for _ in range(pairs):
            began = time.perf_counter()
            made.append(await till.create(connection))
            halfway = time.perf_counter()
            await till.create_there(params)
            ours.append(halfway - began)
            theirs.append(time.perf_counter() - halfway)
    return made, ours, theirs


async def _creation(till: PaymentDriver) -> tuple[BenchRow, list[dict[str, Any]]]:
    """Make payments; what differs from the provider's own time in the middle is our part."""
    made, ours, theirs = await creation_times(till, PAIRS)
    here, there = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    row = BenchRow(
        name="payment creation less the provider's own time, p50",
        value=here - there,
        unit="ms",
        target=60,
        at_most=True,
        note=f"POST /payments {here:.1f} ms, the same PaymentIntent by plain HTTP {there:.1f} ms",
    )
    return row, made


async def _webhook_times(till: PaymentDriver, made: list[dict[str, Any]]) -> list[BenchRow]:
    """Send news of payments that exist, one by one and then many at once; their runs begin behind the answers."""
    intents = [
        (await till.http.get(f"/v1/payment_intents/{str(each['client_secret']).partition('_secret_')[0]}")).json()
        for each in made
    ]

    def events() -> Iterator[bytes]:
        for number in count():
            event = {
                "id": f"evt_bench{next(NUMBERS)}",
                "object": "event",
                "type": "payment_intent.processing",
                "created": int(time.time()),
                "livemode": False,
                "data": {"object": intents[number % len(intents)]},
            }
            yield till.webhook(event)

    rows = []
    for at_once in (1, AT_ONCE):
        async with _connections(till.world, at_once) as connections:
            took = await _spread(connections, islice(events(), WEBHOOKS), _send)
        name = "one by one" if at_once == 1 else f"{at_once} at once"
        rows.append(
            BenchRow(
                name=f"webhook stored and answered, {name}, p50",
                value=statistics.median(took) * 1000,
                unit="ms",
                target=20,
                at_most=True,
                note=f"p95 {sorted(took)[int(len(took) * 0.95)] * 1000:.1f} ms",
            )
        )
        await _settled(till.world)
    return rows


async def _settled(world: World) -> None:
    """Wait until no event is unhandled."""
    await _until(world, "SELECT count(*) FROM provider_events WHERE handled_at IS NULL", 0)


async def _until(world: World, query: str, wanted: int) -> None:
    connection = await asyncpg.connect(world.database_url)
    try:
        async with asyncio.timeout(BOOKED_WITHIN_SECONDS):
            while True:
                if await connection.fetchval(query) == wanted:
                    return
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def burst(till: PaymentDriver, size: int) -> tuple[float, float]:
    """Send `size` webhooks at once, each for a different payment that has succeeded.

    Returns the seconds until all are stored, and until the last effect is booked.
    """
    made: list[dict[str, Any]] = []

    async def prepare(connection: Connection, _: int) -> None:
        payment = await till.create(connection)
        await till.pay(payment)
        made.append(payment)

    began_at = int(time.time())
    async with _connections(till.world, PREPARING) as connections:
        await _spread(connections, iter(range(size)), prepare)
    ours = {payment["id"] for payment in made}
    found = [event async for event in till.events(began_at)]
    requests = [till.webhook(each) for each in found if each["data"]["object"]["metadata"].get("payment_id") in ours]
    assert len(requests) == size, f"{len(requests)} events for {size} payments"
    succeeded = "SELECT count(*) FROM payments WHERE status = 'succeeded'"
    connection = await asyncpg.connect(till.world.database_url)
    before = await connection.fetchval(succeeded)
    await connection.close()
    async with _connections(till.world, SENDERS) as connections:
        began = time.perf_counter()
        await _spread(connections, iter(requests), _send)
        stored = time.perf_counter() - began
    await _until(till.world, succeeded, before + size)
    booked = time.perf_counter() - began
    await _settled(till.world)
    return stored, booked


async def run(world: World) -> list[BenchRow]:
    """Measure creation, single webhooks, then bursts that grow tenfold."""
    till = PaymentDriver(world)
    try:
        await till.close_queue()
        row, made = await _creation(till)
        rows = [row, *await _webhook_times(till, made)]
        smaller = 0.0
        for size in FULL_SIZES if os.environ.get(FULL) else SIZES:
            stored, booked = await burst(till, size)
            each = booked / size * 1000
            grown = f", {each / smaller:.2f} x as long each as with a tenth" if smaller else ""
            smaller = each
            note = f"{stored / size * 1000:.1f} ms each, {size / stored:,.0f}/s"
            rows.append(BenchRow(name=f"{size:,} webhooks at once, all stored", value=stored, unit="s", note=note))
            name = f"{size:,} webhooks at once, the last booked, each"
            note = f"{booked:.1f} s{grown}"
            rows.append(BenchRow(name=name, value=each, unit="ms", target=23, at_most=True, note=note))
    finally:
        await till.http.aclose()
    return rows
