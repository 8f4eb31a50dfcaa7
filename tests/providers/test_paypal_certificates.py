"""Certificates that sign PayPal's webhooks: from its own hosts, under a trusted root, for its name, and valid now."""

import asyncio
from datetime import timedelta

import httpx2
import pytest
from cryptography import x509

from dev.sandbox.paypal.certificates import make_chain
from providers.payments.base import BadSignature, ProviderUnavailable
from providers.payments.paypal.provider import trusted_roots
from providers.payments.paypal.webhooks import CERT_NAMES
from tests.providers.paypal_signer import BODY, CERT_URL, NOW, Signer
from tests.support.cases import for_each
from tests.support.paypal import a_chain


async def test_a_certificate_is_fetched_once():
    signer = Signer()
    async with httpx2.AsyncClient(base_url=signer.base_url, transport=httpx2.MockTransport(signer.answer)) as http:
        provider = signer.provider(http)
        for _ in range(3):
            await provider.verify_webhook(BODY, signer.headers(BODY))
    assert signer.fetched == [CERT_URL]


async def test_certificates_are_fetched_once_and_few_at_a_time():
    signer, busy, gate = Signer(), asyncio.Event(), asyncio.Event()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        signer.fetched.append(str(request.url))
        if len(signer.fetched) == 4:
            busy.set()
        await gate.wait()
        return httpx2.Response(200, content=signer.chain[1] + signer.chain[0])

    async with httpx2.AsyncClient(base_url=signer.base_url, transport=httpx2.MockTransport(answer)) as http:
        provider = signer.provider(http)
        wanted = [asyncio.create_task(provider.verify_webhook(BODY, signer.headers(BODY))) for _ in range(20)]
        forged = [signer.headers(BODY, url=f"{CERT_URL}-{number}") for number in range(50)]
        told = asyncio.gather(*(provider.verify_webhook(BODY, headers) for headers in forged), return_exceptions=True)
        await busy.wait()
        gate.set()
        assert [event.event_id for event in await asyncio.gather(*wanted)] == ["WH-1"] * 20
        refused = [answer for answer in await told if isinstance(answer, ProviderUnavailable)]
    assert (len(refused), signer.fetched.count(CERT_URL), len(signer.fetched)) == (47, 1, 4)


@pytest.mark.parametrize(
    "host", ["api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com"]
)
async def test_certificates_come_from_paypals_hosts(host):
    signer = Signer()
    url = f"https://{host}/v1/notifications/certs/CERT-1"
    assert (await signer.verify(BODY, signer.headers(BODY, url=url))).event_id == "WH-1"


@for_each(
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


async def test_only_allowed_hosts_are_requested():
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY), cert_hosts=["api.sandbox.paypal.com"])
    assert signer.fetched == []


async def test_a_redirect_is_not_followed():
    signer = Signer()
    signer.served[CERT_URL] = httpx2.Response(302, headers={"location": "https://evil.example/cert"})
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY))
    assert signer.fetched == [CERT_URL]


@for_each(
    "served, expected",
    lambda: [
        (httpx2.Response(404), BadSignature),
        (httpx2.Response(503), ProviderUnavailable),
        (httpx2.Response(200, content=b"no certificate"), BadSignature),
        (httpx2.Response(200, content=b""), BadSignature),
        (httpx2.Response(200, content=a_chain()[1] + b"\n" * 100_000), BadSignature),
    ],
)
async def test_invalid_certificate_is_refused_and_an_outage_is_unavailable(served, expected):
    signer = Signer()
    signer.served[CERT_URL] = served
    with pytest.raises(expected):
        await signer.verify(BODY, signer.headers(BODY))


async def test_a_certificate_under_another_root_is_refused():
    """The forger has the right name, a valid signature, and the certificate at PayPal's own address."""
    forger = Signer(chain=make_chain(CERT_NAMES[0], not_before=NOW - timedelta(days=1)))
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
    signer = Signer(chain=make_chain(name, not_before=NOW - timedelta(days=1)))
    root = x509.load_pem_x509_certificate(signer.chain[0])
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY), trust_roots=[root])


@pytest.mark.parametrize("name", CERT_NAMES)
async def test_live_and_sandbox_certificates_of_paypal_are_accepted(name):
    signer = Signer(chain=make_chain(name, not_before=NOW - timedelta(days=1)))
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
    async with httpx2.AsyncClient(base_url=signer.base_url, transport=httpx2.MockTransport(signer.answer)) as http:
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
