"""PayPal as its webhooks show it, for tests: certificates at addresses, and a key that signs."""

import base64
import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from providers.payments.paypal import PayPalProvider
from tests.support.paypal import a_chain

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CERT_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594"
EVENT = {
    "id": "WH-1",
    "event_type": "PAYMENT.CAPTURE.COMPLETED",
    "resource_type": "capture",
    "create_time": "2026-11-20T11:59:00Z",
    "resource": {
        "id": "CAPTURE1",
        "custom_id": "pay_1",
        "supplementary_data": {"related_ids": {"order_id": "ORDER1"}},
    },
}


@dataclass
class Signer:
    """PayPal as its webhooks show it: certificates at addresses, and a key that signs."""

    chain: tuple[bytes, bytes, bytes] = field(default_factory=a_chain)
    base_url: str = "https://api-m.paypal.com"
    served: dict[str, httpx2.Response] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    now: datetime = NOW
    webhook_id: str = "WEBHOOK1"

    def headers(self, body: bytes, **changed: str) -> dict[str, str]:
        signed = {"id": "trans-1", "time": "2026-11-20T11:59:30Z", "webhook": "WEBHOOK1", "url": CERT_URL} | changed
        message = f"{signed['id']}|{signed['time']}|{signed['webhook']}|{zlib.crc32(body)}".encode()
        key = serialization.load_pem_private_key(self.chain[2], password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return {
            "paypal-transmission-id": signed["id"],
            "paypal-transmission-time": signed["time"],
            "paypal-transmission-sig": base64.b64encode(
                key.sign(message, padding.PKCS1v15(), hashes.SHA256())
            ).decode(),
            "paypal-cert-url": signed["url"],
            "paypal-auth-algo": "SHA256withRSA",
        }

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.fetched.append(str(request.url))
        return self.served.get(str(request.url), httpx2.Response(200, content=self.chain[1] + self.chain[0]))

    def provider(self, http: httpx2.AsyncClient, **options) -> PayPalProvider:
        given = {
            "client_id": "i",
            "client_secret": "s",
            "webhook_id": self.webhook_id,
            "trust_roots": [x509.load_pem_x509_certificate(a_chain()[0])],
            "clock": lambda: self.now,
        }
        return PayPalProvider(http, **given | options)

    async def verify(self, body: bytes, headers: dict[str, str], **options):
        async with httpx2.AsyncClient(base_url=self.base_url, transport=httpx2.MockTransport(self.answer)) as http:
            return await self.provider(http, **options).verify_webhook(body, headers)


BODY = json.dumps(EVENT).encode()
