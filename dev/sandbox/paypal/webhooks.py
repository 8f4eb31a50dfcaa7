"""Webhooks: every change is signed and delivered until it is accepted, unless the control surface says otherwise."""

import asyncio
import json
import secrets
import uuid
from datetime import UTC, datetime, timedelta

import httpx2

from dev.sandbox.paypal.certificates import Authority
from dev.sandbox.paypal.orders import moment
from dev.sandbox.paypal.store import Json, Store

#: As PayPal: 25 attempts in three days.
MAX_ATTEMPTS = 25
LONGEST_PAUSE = timedelta(hours=3)
ALL_TIMES = datetime.max.replace(tzinfo=UTC)
VERSIONS = {"capture": "2.0", "refund": "2.0", "authorization": "2.0", "checkout-order": "2.0"}
#: What the control surface can set, and how it is when nothing was set.
MEDDLING: Json = {"url": None, "paused": False, "delay_seconds": 0, "drop": 0, "duplicate": 0, "reorder": False}


class Webhooks:
    """Queues events in the store and sends them."""

    def __init__(self, store: Store, authority: Authority, *, base_url: str, webhook_id: str) -> None:
        """Take the store, the signer, the address of the certificate, and the id that signatures are for."""
        self._store = store
        self._authority = authority
        self._base_url = base_url
        self.webhook_id = webhook_id
        self.wake = asyncio.Event()

    def meddling(self) -> Json:
        """Return how deliveries are treated now."""
        return {**MEDDLING, **self._store.setting("webhooks", {})}

    def notify(self, event_type: str, resource_type: str, resource: Json) -> None:
        """Queue an event in the transaction that made it true."""
        event_id = f"WH-{secrets.token_hex(9).upper()[:17]}-{secrets.token_hex(9).upper()[:17]}"
        event = {
            "id": event_id,
            "event_version": "1.0",
            "create_time": moment(self._store.now()),
            "resource_type": resource_type,
            "event_type": event_type,
            "summary": f"{event_type} for {resource['id']}",
            "resource_version": VERSIONS[resource_type],
            "resource": resource,
            "links": [{"href": f"{self._base_url}/v1/notifications/webhooks-events/{event_id}", "rel": "self"}],
        }
        meddling = self.meddling()
        dropped, doubled = meddling["drop"] > 0, meddling["duplicate"] > 0
        due_at = self._store.now() + timedelta(seconds=meddling["delay_seconds"])
        for _ in range(2 if doubled and not dropped else 1):
            self._store.add_delivery(event, due_at, "dropped" if dropped else "waiting")
        if dropped or doubled:
            counted = "drop" if dropped else "duplicate"
            self._store.set("webhooks", meddling | {counted: meddling[counted] - 1})
        self.wake.set()

    def headers(self, body: bytes) -> dict[str, str]:
        """Sign a transmission of a body."""
        transmission_id, transmission_time = str(uuid.uuid1()), self._store.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        signature = self._authority.sign(
            body, transmission_id=transmission_id, transmission_time=transmission_time, webhook_id=self.webhook_id
        )
        return {
            "content-type": "application/json",
            "paypal-transmission-id": transmission_id,
            "paypal-transmission-time": transmission_time,
            "paypal-transmission-sig": signature,
            "paypal-cert-url": f"{self._base_url}/v1/notifications/certs/{self._authority.certificate_id}",
            "paypal-auth-algo": "SHA256withRSA",
        }

    async def run(self) -> None:
        """Send what is due, for as long as the sandbox lives."""
        async with httpx2.AsyncClient(timeout=10) as http:
            while True:
                self.wake.clear()
                meddling = self.meddling()
                held = meddling["paused"] or meddling["url"] is None
                if not held:
                    await self.send(http, everything=False)
                next_due_at = None if held else self._store.next_due_at()
                pause = (next_due_at - self._store.now()).total_seconds() if next_due_at else None
                try:
                    # What is due and was left alone by `reorder` is not hurried.
                    async with asyncio.timeout(None if pause is None else max(pause, 0.2)):
                        await self.wake.wait()
                except TimeoutError:
                    continue

    async def send(self, http: httpx2.AsyncClient, *, everything: bool) -> int:
        """Send what is due, or everything that waits; return how many were taken."""
        meddling, taken = self.meddling(), 0
        due = self._store.deliveries(waiting_until=ALL_TIMES if everything else self._store.now())
        if meddling["reorder"]:
            # Nothing can overtake anything while it is alone.
            due = due[::-1] if len(due) > 1 or everything else []
        for item in due if meddling["url"] else ():
            taken += await self._attempt(http, meddling["url"], item)
        return taken

    async def _attempt(self, http: httpx2.AsyncClient, url: str, item: Json) -> bool:
        body = json.dumps(item["event"]).encode()
        try:
            taken = (await http.post(url, content=body, headers=self.headers(body))).is_success
        except httpx2.TransportError:
            taken = False
        attempts = item["attempts"] + 1
        pause = min(timedelta(seconds=2**attempts), LONGEST_PAUSE)
        state = "sent" if taken else "waiting" if attempts < MAX_ATTEMPTS else "given up"
        self._store.update_delivery(item["id"], due_at=self._store.now() + pause, attempts=attempts, state=state)
        return taken
