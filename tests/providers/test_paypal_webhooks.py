"""Webhooks of PayPal: the signed are accepted; the forged, the stale, and certificates from elsewhere are refused."""

import asyncio
import base64
import itertools
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from providers.payments.base import BadSignature, ProviderUnavailable
from providers.payments.paypal import PayPalProvider
from providers.payments.paypal.provider import trusted_roots
from providers.payments.paypal.webhooks import CERT_NAMES
from sandbox.paypal.certificates import make_chain
from tests.support.paypal import a_chain, a_payment, running_inbox, running_paypal

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
    served: dict[str, httpx.Response] = field(default_factory=dict)
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

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.fetched.append(str(request.url))
        return self.served.get(str(request.url), httpx.Response(200, content=self.chain[1] + self.chain[0]))

    def provider(self, http: httpx.AsyncClient, **options) -> PayPalProvider:
        given = {
            "client_id": "i",
            "client_secret": "s",
            "webhook_id": self.webhook_id,
            "trust_roots": [x509.load_pem_x509_certificate(a_chain()[0])],
            "clock": lambda: self.now,
        }
        return PayPalProvider(http, **given | options)

    async def verify(self, body: bytes, headers: dict[str, str], **options):
        async with httpx.AsyncClient(base_url=self.base_url, transport=httpx.MockTransport(self.answer)) as http:
            return await self.provider(http, **options).verify_webhook(body, headers)


BODY = json.dumps(EVENT).encode()


async def test_what_the_sandbox_sends_is_accepted_and_names_the_payment(tmp_path):
    async with running_paypal(tmp_path) as paypal:
        provider = await paypal.provider()
        with running_inbox() as inbox:
            await paypal.control("webhooks", url=inbox.url)
            paid = await paypal.paid(provider, a_payment())
            capture = paid.movements[0].key
            approved, taken = [await provider.verify_webhook(*await inbox.next()) for _ in range(2)]
            refund = await provider.refund(
                paid.ref, refund_id="rfd_1", amount_minor=1, reason=None, idempotency_key="r"
            )
            refunded = await provider.verify_webhook(*await inbox.next())
    assert [one.type for one in (approved, taken)] == ["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"]
    assert [one.payment_id for one in (approved, taken)] == ["pay_1", "pay_1"]
    assert (approved.refs, taken.refs) == ((paid.ref,), (capture, paid.ref))
    assert (refunded.type, refunded.payment_id) == ("PAYMENT.CAPTURE.REFUNDED", None)
    assert refunded.refs == (refund.ref, capture)
    assert not taken.livemode
    assert taken.payload["id"] == taken.event_id


async def test_an_event_tells_when_whose_and_what_it_is():
    signer = Signer()
    event = await signer.verify(BODY, signer.headers(BODY))
    assert (event.event_id, event.type, event.payment_id) == ("WH-1", "PAYMENT.CAPTURE.COMPLETED", "pay_1")
    assert event.refs == ("CAPTURE1", "ORDER1")
    assert event.occurred_at == datetime(2026, 11, 20, 11, 59, tzinfo=UTC)
    assert event.livemode


async def test_a_certificate_is_fetched_once():
    signer = Signer()
    async with httpx.AsyncClient(base_url=signer.base_url, transport=httpx.MockTransport(signer.answer)) as http:
        provider = signer.provider(http)
        for _ in range(3):
            await provider.verify_webhook(BODY, signer.headers(BODY))
    assert signer.fetched == [CERT_URL]


async def test_certificates_are_fetched_once_for_all_who_wait_and_few_at_a_time():
    signer, busy, gate = Signer(), asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        signer.fetched.append(str(request.url))
        if len(signer.fetched) == 4:
            busy.set()
        await gate.wait()
        return httpx.Response(200, content=signer.chain[1] + signer.chain[0])

    async with httpx.AsyncClient(base_url=signer.base_url, transport=httpx.MockTransport(answer)) as http:
        provider = signer.provider(http)
        wanted = [asyncio.create_task(provider.verify_webhook(BODY, signer.headers(BODY))) for _ in range(20)]
        forged = [signer.headers(BODY, url=f"{CERT_URL}-{number}") for number in range(50)]
        told = asyncio.gather(*(provider.verify_webhook(BODY, headers) for headers in forged), return_exceptions=True)
        await busy.wait()
        gate.set()
        assert [event.event_id for event in await asyncio.gather(*wanted)] == ["WH-1"] * 20
        refused = [answer for answer in await told if isinstance(answer, ProviderUnavailable)]
    assert (len(refused), signer.fetched.count(CERT_URL), len(signer.fetched)) == (47, 1, 4)


async def test_a_body_that_was_changed_is_refused():
    signer = Signer()
    headers = signer.headers(BODY)
    with pytest.raises(BadSignature):
        await signer.verify(BODY.replace(b"pay_1", b"pay_2"), headers)


@pytest.mark.parametrize("header", ["transmission-id", "transmission-time"])
async def test_a_header_that_was_changed_is_refused(header):
    signer = Signer()
    changed = signer.headers(BODY) | {f"paypal-{header}": "2026-11-20T11:59:31Z"}
    with pytest.raises(BadSignature):
        await signer.verify(BODY, changed)


async def test_a_signature_for_another_webhook_is_refused():
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY, webhook="WEBHOOK2"))


@pytest.mark.parametrize(
    "header", ["transmission-id", "transmission-time", "transmission-sig", "cert-url", "auth-algo"]
)
async def test_an_unsigned_webhook_is_refused_and_nothing_is_fetched(header):
    signer = Signer()
    headers = signer.headers(BODY)
    del headers[f"paypal-{header}"]
    with pytest.raises(BadSignature):
        await signer.verify(BODY, headers)
    assert signer.fetched == []


@pytest.mark.parametrize("signature", ["!", "YQ==", base64.b64encode(b"\0" * 256).decode()])
async def test_a_signature_that_is_none_is_refused(signature):
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY) | {"paypal-transmission-sig": signature})


async def test_a_signature_with_something_beside_it_is_refused():
    signer = Signer()
    headers = signer.headers(BODY)
    headers["paypal-transmission-sig"] += "!"
    with pytest.raises(BadSignature):
        await signer.verify(BODY, headers)


@pytest.mark.parametrize("algorithm", ["SHA1withRSA", "none", "sha256withrsa"])
async def test_another_algorithm_is_refused(algorithm):
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY) | {"paypal-auth-algo": algorithm})


async def test_without_a_webhook_id_everything_is_refused():
    signer = Signer(webhook_id="")
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY, webhook=""))


@pytest.mark.parametrize(
    ("time", "accepted"),
    [
        ("2026-11-20T12:05:00Z", True),
        ("2026-11-17T12:00:00Z", True),  # PayPal repeats for three days
        ("2026-11-16T11:59:59Z", False),
        ("2026-11-20T12:10:01Z", False),
        ("yesterday", False),
    ],
)
async def test_a_recorded_transmission_is_refused_and_a_late_repetition_is_not(time, accepted):
    signer = Signer()
    headers = signer.headers(BODY, time=time)
    if accepted:
        assert (await signer.verify(BODY, headers)).event_id == "WH-1"
    else:
        with pytest.raises(BadSignature):
            await signer.verify(BODY, headers)


@pytest.mark.parametrize(
    "host", ["api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com"]
)
async def test_certificates_come_from_paypals_hosts(host):
    signer = Signer()
    url = f"https://{host}/v1/notifications/certs/CERT-1"
    assert (await signer.verify(BODY, signer.headers(BODY, url=url))).event_id == "WH-1"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://evil-api.paypal.com/v1/notifications/certs/CERT-1",
        "https://paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://evil.example@api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:443@evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:443/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../../../evil",
        "https://api.paypal.com/v1/notifications/certs/%2e%2e/evil",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?x=1",
        "https://api.paypal.com/v1/notifications/certs/CERT-1#x",
        "https://api.paypal.com/v1/notifications/certs/CERT-1/",
        "https://api.paypal.com//v1/notifications/certs/CERT-1",
        "https://api.paypal.com\\@evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com./v1/notifications/certs/CERT-1",
        "https://api.paypal.com/redirect?to=https://evil.example",
        "https://127.0.0.1/v1/notifications/certs/CERT-1",
        "http://127.0.0.1:8080/v1/notifications/certs/CERT-1",
        "http://169.254.169.254/v1/notifications/certs/CERT-1",
        "https:///v1/notifications/certs/CERT-1",
        "//api.paypal.com/v1/notifications/certs/CERT-1",
        "/v1/notifications/certs/CERT-1",
        "file:///v1/notifications/certs/CERT-1",
        " https://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/CERT-1\n",
        "https://[::1",
        "https://аpi.paypal.com/v1/notifications/certs/CERT-1",  # noqa: RUF001 (the point of it)
    ],
)
async def test_an_address_that_is_not_paypals_is_refused_and_not_fetched(url):
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY, url=url))
    assert signer.fetched == []


@pytest.mark.parametrize(
    ("base_url", "url", "accepted"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/notifications/certs/CERT-1", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081/v1/notifications/certs/CERT-1", False),
        ("http://127.0.0.1:8080", "http://localhost:8080/v1/notifications/certs/CERT-1", False),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080/v1/notifications/certs/CERT-1", False),
        ("https://api-m.paypal.com", "http://127.0.0.1:8080/v1/notifications/certs/CERT-1", False),
    ],
)
async def test_a_plain_address_is_only_that_of_a_sandbox_on_the_loopback(base_url, url, accepted):
    signer = Signer(base_url=base_url)
    headers = signer.headers(BODY, url=url)
    if accepted:
        assert not (await signer.verify(BODY, headers)).livemode
    else:
        with pytest.raises(BadSignature):
            await signer.verify(BODY, headers)
        assert signer.fetched == []


async def test_only_the_hosts_that_were_given_are_asked():
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY), cert_hosts=["api.sandbox.paypal.com"])
    assert signer.fetched == []


async def test_a_redirect_is_not_followed():
    signer = Signer()
    signer.served[CERT_URL] = httpx.Response(302, headers={"location": "https://evil.example/cert"})
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY))
    assert signer.fetched == [CERT_URL]


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        (httpx.Response(404), BadSignature),
        (httpx.Response(503), ProviderUnavailable),
        (httpx.Response(200, content=b"no certificate"), BadSignature),
        (httpx.Response(200, content=b""), BadSignature),
        (httpx.Response(200, content=a_chain()[1] + b"\n" * 100_000), BadSignature),
    ],
    ids=["missing", "unavailable", "text", "empty", "long"],
)
async def test_what_is_no_certificate_is_refused_and_a_silence_is_not_a_refusal(served, expected):
    signer = Signer()
    signer.served[CERT_URL] = served
    with pytest.raises(expected):
        await signer.verify(BODY, signer.headers(BODY))


async def test_a_certificate_under_another_root_is_refused():
    """The forger has the right name, a valid signature, and the certificate at PayPal's own address."""
    forger = Signer(chain=make_chain(CERT_NAMES[0]))
    with pytest.raises(BadSignature):
        await forger.verify(BODY, forger.headers(BODY))


async def test_the_sandboxes_root_is_not_among_those_of_https():
    roots = trusted_roots()
    assert len(roots) > 50
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY), trust_roots=roots)


@pytest.mark.parametrize("name", ["www.paypal.com", "evil.example", "messageverificationcerts.paypal.com.evil.example"])
async def test_a_trusted_certificate_for_another_name_is_refused(name):
    signer = Signer(chain=make_chain(name))
    root = x509.load_pem_x509_certificate(signer.chain[0])
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY), trust_roots=[root])


@pytest.mark.parametrize("name", CERT_NAMES)
async def test_live_and_sandbox_certificates_of_paypal_are_accepted(name):
    signer = Signer(chain=make_chain(name))
    root = x509.load_pem_x509_certificate(signer.chain[0])
    assert (await signer.verify(BODY, signer.headers(BODY), trust_roots=[root])).event_id == "WH-1"


@pytest.mark.parametrize("start", [NOW - timedelta(days=60), NOW + timedelta(days=1)], ids=["over", "not yet"])
async def test_a_certificate_that_is_not_valid_now_is_refused(start):
    signer = Signer(chain=make_chain(CERT_NAMES[0], not_before=start, lifetime=timedelta(days=30)))
    root = x509.load_pem_x509_certificate(signer.chain[0])
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY), trust_roots=[root])


async def test_a_kept_certificate_ends_when_it_ends():
    signer = Signer(chain=make_chain(CERT_NAMES[0], not_before=NOW - timedelta(days=1), lifetime=timedelta(days=2)))
    root = x509.load_pem_x509_certificate(signer.chain[0])
    async with httpx.AsyncClient(base_url=signer.base_url, transport=httpx.MockTransport(signer.answer)) as http:
        provider = signer.provider(http, trust_roots=[root])
        await provider.verify_webhook(BODY, signer.headers(BODY))
        signer.now = NOW + timedelta(days=2)
        with pytest.raises(BadSignature):
            await provider.verify_webhook(BODY, signer.headers(BODY))
    assert signer.fetched == [CERT_URL]


async def test_nothing_trusted_accepts_nothing():
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY), trust_roots=[])


#: What makes no event of it.
NO_EVENTS: list[Mapping[str, object]] = [
    {"resource": "CAPTURE1"},
    {"resource": [1]},
    {"resource": {"purchase_units": "O1"}},
    {"resource": {"links": [{}]}},
    *[{"create_time": moment} for moment in (None, 7, "now")],
    *[{"id": name} for name in (None, 7, "", "WH 1", "WH\x00", "\ud800", "W" * 256)],
    {"event_type": "t\x00"},
]


@pytest.mark.parametrize(
    "body",
    [
        *(b"[]", b"{}", b"not json", b"\xff", b"[" * 100_000),
        *(json.dumps(EVENT | dict(changed)).encode() for changed in NO_EVENTS),
    ],
    ids=itertools.count(),
)
async def test_what_is_signed_and_no_event_is_refused(body):
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(body, signer.headers(body))


@pytest.mark.parametrize(
    ("resource_type", "resource", "payment_id", "refs"),
    [
        ("checkout-order", {"id": "O1", "purchase_units": [{"custom_id": "pay_1"}]}, "pay_1", ("O1",)),
        ("", {"order_id": "O1", "purchase_units": [{"custom_id": "pay_1"}]}, "pay_1", ("O1",)),
        (
            "refund",
            {"id": "R1", "custom_id": "rfd_1", "links": [{"rel": "up", "href": "https://x/v2/payments/captures/C1"}]},
            None,
            ("R1", "C1"),
        ),
        ("dispute", {"disputed_transactions": [{"seller_transaction_id": "C1"}]}, None, ("C1",)),
        ("plan", {}, None, ()),
    ],
)
async def test_events_name_the_payment_or_the_objects_it_is_found_by(resource_type, resource, payment_id, refs):
    signer = Signer()
    body = json.dumps(EVENT | {"resource_type": resource_type, "resource": resource}).encode()
    event = await signer.verify(body, signer.headers(body))
    assert (event.payment_id, event.refs) == (payment_id, refs)
