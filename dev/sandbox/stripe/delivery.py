"""Webhooks on their way: signed, sent in parallel, and sent again with growing pauses until they are taken.

The signature is of the real time, which is what a receiver compares it with, however far the sandbox's clock has moved.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from typing import Any

import httpx2

from dev.sandbox.stripe.core import Sandbox

PAUSES_MS = (500, 1000, 2000, 4000, 8000, 15000, 30000, 60000, 60000, 60000)
IN_PARALLEL = 16
PATIENCE_SECONDS = 10
# The event is sent as it is stored; it has no receiver any more when its endpoint was disabled or deleted.
WANTED = """
    SELECT deliveries.event, events.body, endpoints.body, settings.value, attempts FROM deliveries
    LEFT JOIN objects AS events ON events.id = deliveries.event
    LEFT JOIN objects AS endpoints
        ON endpoints.id = deliveries.endpoint AND json_extract(endpoints.body, '$.status') = 'enabled'
    LEFT JOIN settings ON settings.name = 'secrets/' || deliveries.endpoint
    WHERE deliveries.seq = ? AND state = 'waiting'
"""


def signature(payload: str, secrets: list[str], at: int) -> str:
    """Returns the `Stripe-Signature` of a payload: the time, and an HMAC-SHA256 for each secret in force."""
    signed = f"{at}.{payload}".encode()
    return ",".join(
        [f"t={at}", *(f"v1={hmac.new(each.encode(), signed, hashlib.sha256).hexdigest()}" for each in secrets)]
    )


class Deliverer:
    """Sends what waits to be sent, for as long as the sandbox runs.

    Args:
        sandbox: Whose events these are.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.under_way: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Sends due deliveries, until it is cancelled."""
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(PATIENCE_SECONDS, pool=None)) as http:
            self.http = http
            try:
                while True:
                    self.sandbox.emitted.clear()
                    wait = await self.start_due()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.sandbox.emitted.wait(), wait)
            finally:
                for each in self.under_way.values():
                    each.cancel()
                await asyncio.gather(*self.under_way.values(), return_exceptions=True)

    async def start_due(self) -> Any:
        """Starts sending what is due as far as there is room; returns the seconds to the next, None when none waits."""
        if self.sandbox.weather.pause or len(self.under_way) >= IN_PARALLEL:
            return None
        now = now_ms()
        async with self.sandbox.lock:
            rows = self.sandbox.store.sql.execute(
                "SELECT seq, due_ms FROM deliveries WHERE state = 'waiting' ORDER BY due_ms, seq LIMIT ?",
                (2 * IN_PARALLEL,),
            ).fetchall()
        for seq, due_ms in rows:
            if seq in self.under_way:
                continue
            if due_ms > now:
                return (due_ms - now) / 1000
            if len(self.under_way) >= IN_PARALLEL:
                return None
            self.start(seq)
        return None

    def start(self, seq: int) -> asyncio.Task[None]:
        """Starts one delivery; its end makes room for the next."""
        running = self.under_way[seq] = asyncio.create_task(self.deliver(seq))

        def ended(_: asyncio.Task[None]) -> None:
            del self.under_way[seq]
            self.sandbox.emitted.set()

        running.add_done_callback(ended)
        return running

    async def flush(self) -> None:
        """Sends everything that waits once, however long it had still to wait, and returns when all has been tried."""
        async with self.sandbox.lock:
            rows = self.sandbox.store.sql.execute(
                "SELECT seq FROM deliveries WHERE state = 'waiting' ORDER BY seq"
            ).fetchall()
        left = [row[0] for row in rows]
        while left:
            batch, left = left[:IN_PARALLEL], left[IN_PARALLEL:]
            await asyncio.wait([self.under_way.get(seq) or self.start(seq) for seq in batch])

    async def deliver(self, seq: int) -> None:
        """Sends one webhook once and records how that went."""
        store = self.sandbox.store
        async with self.sandbox.lock:
            row = store.sql.execute(WANTED, (seq,)).fetchone()
        if row is None:
            return
        event_id, payload, endpoint, secrets, attempts = row
        state, due_ms = "failed", 0
        url = json.loads(endpoint)["url"] if endpoint is not None else None
        if payload is not None and url is not None:
            if await self.taken(url, payload, json.loads(secrets)):
                state = "delivered"
            elif attempts < len(PAUSES_MS):
                state, due_ms = "waiting", now_ms() + PAUSES_MS[attempts]
        async with self.sandbox.lock:
            with store.transaction():
                store.sql.execute(
                    "UPDATE deliveries SET state = ?, due_ms = ?, attempts = attempts + 1 WHERE seq = ?",
                    (state, due_ms, seq),
                )
                if state == "delivered":
                    store.sql.execute(
                        "UPDATE objects SET body = json_set(body, '$.pending_webhooks',"
                        " max(0, json_extract(body, '$.pending_webhooks') - 1)) WHERE id = ?",
                        (event_id,),
                    )

    async def taken(self, url: str, payload: str, secrets: list[str]) -> bool:
        """Sends a payload and returns whether the receiver took it with a 2xx."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(payload, secrets, int(time.time())),
            "User-Agent": "Stripe/1.0 (sandbox)",
        }
        try:
            return (await self.http.post(url, content=payload, headers=headers)).is_success
        except httpx2.HTTPError:
            return False


def now_ms() -> int:
    """Returns the real time in milliseconds."""
    return time.time_ns() // 1_000_000
