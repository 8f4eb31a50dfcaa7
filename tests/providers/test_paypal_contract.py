"""The contract of every adapter, against the sandbox of PayPal."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from dev.sandbox.paypal.accounts import CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID
from dev.sandbox.paypal.certificates import Authority
from domain.payments.payment.snapshot import CreatePayment, Snapshot
from providers.payments.paypal import PayPalProvider
from runtime.identity import new_id
from tests.providers.contract import AdapterContract
from tests.providers.harness import Can, Webhook, Wire, key, paid_movement
from tests.support.paypal import Recorder, RunningPayPal, a_payment, running_paypal


class PayPalWire(Wire):
    def changes(self, request: httpx2.Request) -> bool:
        return request.method == "POST" and request.url.path != "/v1/oauth2/token"


class PayPalHarness:
    """The adapter, a payer who approves orders, and a wire between us and PayPal."""

    can = Can(find_unpaid=False, evidence=False)
    currency = "USD"
    amount_minor = 5000

    def __init__(self, paypal: RunningPayPal) -> None:
        self.paypal, self.wire = paypal, PayPalWire()
        self.http = httpx2.AsyncClient(
            base_url=paypal.url, timeout=60, transport=Recorder(paypal.exchanges, inner=self.wire)
        )
        self.provider = PayPalProvider(
            self.http,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            webhook_id=WEBHOOK_ID,
            trust_roots=paypal.roots(),
            clock=paypal.now,
        )

    def payment(self, *, manual_capture: bool = False) -> CreatePayment:
        return a_payment(new_id("pay"), self.amount_minor, self.currency, manual_capture=manual_capture)

    async def pay(self, snapshot: Snapshot) -> Snapshot:
        await self.paypal.control(f"orders/{snapshot.ref}/approve")
        return await self.provider.confirm(snapshot.ref, None, idempotency_key=key("confirm"))

    async def decline(self) -> Snapshot:
        order = await self.provider.create(self.payment(), idempotency_key=key())
        await self.paypal.control(f"orders/{order.ref}/plan", issue="INSTRUMENT_DECLINED")
        return await self.pay(order)

    def lose_next_answer(self) -> None:
        self.wire.lose_next_answer()

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        self.wire.cut(off=True)
        yield
        self.wire.cut(off=False)

    async def webhook(self, snapshot: Snapshot, *, age: timedelta = timedelta()) -> Webhook:
        capture = paid_movement(snapshot)
        sent_at = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "id": new_id("wh"),
            "event_type": "PAYMENT.CAPTURE.COMPLETED",
            "resource_type": "capture",
            "create_time": sent_at,
            "resource": {
                "id": capture.key,
                "custom_id": capture.payment_id,
                "supplementary_data": {"related_ids": {"order_id": snapshot.ref}},
            },
        }
        body = json.dumps(event).encode()
        authority = Authority(self.paypal.data_dir)
        signature = authority.sign(
            body, transmission_id="transmission", transmission_time=sent_at, webhook_id=WEBHOOK_ID
        )
        return body, {
            "paypal-transmission-id": "transmission",
            "paypal-transmission-time": sent_at,
            "paypal-transmission-sig": signature,
            "paypal-cert-url": f"{self.paypal.url}/v1/notifications/certs/{authority.certificate_id}",
            "paypal-auth-algo": "SHA256withRSA",
        }


class TestContract(AdapterContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[PayPalHarness]:
        async with running_paypal(tmp_path) as paypal:
            harness = PayPalHarness(paypal)
            yield harness
            await harness.http.aclose()
