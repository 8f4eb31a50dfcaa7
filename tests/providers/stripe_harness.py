"""Stripe for tests: the adapter against the sandbox of this repository, or against Stripe's own test mode."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import stripe

from dev.sandbox.stripe.app import build
from dev.sandbox.stripe.core import Sandbox
from dev.sandbox.stripe.store import Store
from domain.payments.payment.snapshot import CreatePayment, Snapshot
from providers.payments.stripe import Client, StripeProvider, make_client
from runtime.identity import new_id
from tests.providers.harness import Can, Webhook, Wire, key
from tests.support.sandboxes import STRIPE_KEY, serving

SECRETS = ("whsec_old", "whsec_new")
RETURN_URL = "https://example.test/back"


class StripeHarness:
    """The adapter, a payer with a card, and a wire between us and Stripe."""

    can = Can()
    currency = "USD"
    amount_minor = 5000

    def __init__(self, client: Client, wire: Wire) -> None:
        self.client, self.wire = client, wire
        self.provider = StripeProvider(client, webhook_secrets=SECRETS, livemode=False)

    def payment(self, **changes: Any) -> CreatePayment:
        terms: dict[str, Any] = {
            "payment_id": new_id("pay"),
            "org_id": "org_1",
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "description": "50 credits",
            "expires_at": datetime.now(UTC) + timedelta(hours=1),
        }
        return CreatePayment(**terms | changes)

    async def pay(self, snapshot: Snapshot, method: str = "pm_card_visa") -> Snapshot:
        assert snapshot.action is not None
        assert snapshot.action.client_secret
        await self.client.v1.payment_intents.confirm_async(snapshot.ref, {"payment_method": method})
        return await self.provider.retrieve(snapshot.ref)

    async def decline(self) -> Snapshot:
        payment = self.payment(method_ref="pm_card_visa_chargeDeclined", off_session=True)
        return await self.provider.create(payment, idempotency_key=key())

    def lose_next_answer(self) -> None:
        self.wire.lose_next_answer()

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        self.wire.cut(off=True)
        yield
        self.wire.cut(off=False)

    async def _event(self, ref: str) -> stripe.Event:
        for _ in range(30):  # Stripe itself lists an event a moment after it has happened
            events = await self.client.v1.events.list_async({"type": "payment_intent.succeeded", "limit": 20})
            for event in events.data:
                if event.data.object["id"] == ref:
                    return event
        raise LookupError(f"no event tells of {ref}")

    async def webhook(self, snapshot: Snapshot, *, age: timedelta = timedelta()) -> Webhook:
        event = await self._event(snapshot.ref)
        return signed(json.dumps(event.to_dict()), SECRETS[0], age=age)


def signed(body: str, secret: str, *, age: timedelta = timedelta()) -> Webhook:
    at = int(time.time() - age.total_seconds())
    header = stripe.WebhookSignature.generate_signature_header(body, secret, at)
    return body.encode(), {"stripe-signature": header}


@asynccontextmanager
async def at_stripe(api_key: str) -> AsyncIterator[StripeHarness]:
    """Against Stripe itself, with a key of its test mode."""
    wire = Wire()
    client = make_client(api_key, api_base=None, timeout_seconds=60, transport=wire)
    yield StripeHarness(client, wire)
    await client.aclose()


class SandboxHarness(StripeHarness):
    """The same with the hands that only a sandbox has."""

    def __init__(self, client: Client, wire: Wire, url: str) -> None:
        super().__init__(client, wire)
        self.url = url

    async def control(self, act: str, **body: Any) -> dict[str, Any]:
        async with httpx2.AsyncClient(timeout=60) as http:
            answer = await http.post(f"{self.url}/_control/{act}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@asynccontextmanager
async def in_sandbox(directory: Path) -> AsyncIterator[SandboxHarness]:
    """Against a sandbox in this process, which checks each of its answers against Stripe's specification."""
    sandbox = Sandbox(Store(directory / "stripe.sqlite"), check_answers=True)
    with serving(build(sandbox)) as url:
        sandbox.base_url = url
        wire = Wire()
        client = make_client(STRIPE_KEY, api_base=url, timeout_seconds=60, transport=wire)
        yield SandboxHarness(client, wire, url)
        await client.aclose()
    sandbox.store.close()


async def paid_with(sandbox: SandboxHarness, method: str = "pm_card_visa") -> Snapshot:
    payment = sandbox.payment(method_ref=method)
    return await sandbox.provider.create(payment, idempotency_key=key())
