"""Webhooks of PayPal: verifies their signature, and reads their events.

PayPal signs `{transmission id}|{transmission time}|{webhook id}|{CRC-32 of the body, in decimal}` with RSA and SHA-256,
and names the address of the certificate in a header. Whoever sends a webhook chooses that header, so the address proves
nothing: it is fetched only from hosts of the allow-list, and what is fetched must chain up to a root that is trusted
and be issued for one of PayPal's names for this purpose.
"""

import asyncio
import base64
import binascii
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from domain.payments.payment.snapshot import ProviderEvent
from providers.payments.base import BadSignature, ProviderUnavailable
from providers.payments.events import NO_EVENT, event_name
from providers.payments.paypal.snapshots import capture_of, parse_time

CERT_HOSTS = ("api.paypal.com", "api-m.paypal.com", "api.sandbox.paypal.com", "api-m.sandbox.paypal.com")
#: Names that PayPal's signing certificates are issued for, live and sandbox.
CERT_NAMES = ("messageverificationcerts.paypal.com", "messageverificationcerts.sandbox.paypal.com")
#: PayPal repeats an undelivered webhook for three days; an older transmission is somebody's recording.
MAX_AGE = timedelta(days=4)
#: How far PayPal's clock may be ahead of ours.
MAX_SKEW = timedelta(minutes=10)

_CERT_PATH = re.compile(r"/v1/notifications/certs/[A-Za-z0-9_-]{1,100}")
_MAX_CERT_BYTES = 64 * 1024
_MAX_CERTS_KEPT = 16
_MAX_FETCHES = 4
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SIGNED_HEADERS = ("transmission-id", "transmission-time", "transmission-sig", "cert-url", "auth-algo")


class WebhookVerifier:
    """Accepts what PayPal signed for one webhook id, and nothing else."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        *,
        webhook_id: str,
        cert_hosts: Sequence[str],
        trust_roots: Sequence[x509.Certificate],
        clock: Callable[[], datetime],
    ) -> None:
        """Take the client whose `base_url` is PayPal's API, and whom to trust; without webhook id all are refused."""
        self._http = http
        self._webhook_id = webhook_id
        self._cert_hosts = frozenset(cert_hosts)
        self._store = Store(list(trust_roots)) if trust_roots else None
        self._clock = clock
        self._chains: dict[str, list[x509.Certificate]] = {}
        self._fetching: dict[str, asyncio.Task[list[x509.Certificate]]] = {}

    async def verify(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Raise `BadSignature` if the body is not PayPal's, `ProviderUnavailable` if that cannot be told now."""
        if not self._webhook_id:
            raise BadSignature("No PayPal webhook id is configured, so webhooks cannot be verified.")
        signed = {name: headers.get(f"paypal-{name}", "") for name in _SIGNED_HEADERS}
        if not all(signed.values()):
            raise BadSignature("The webhook is not signed: a PayPal-… header is missing.")
        if signed["auth-algo"] != "SHA256withRSA":
            raise BadSignature("The webhook's signature algorithm is not SHA256withRSA.")
        self._check_age(signed["transmission-time"])
        key = self._trusted_key(await self._chain(self._checked_url(signed["cert-url"])))
        message = "|".join(
            (signed["transmission-id"], signed["transmission-time"], self._webhook_id, str(zlib.crc32(body)))
        )
        try:
            signature = base64.b64decode(signed["transmission-sig"], validate=True)
            key.verify(signature, message.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise BadSignature("The webhook's signature does not match its body.") from error

    def _check_age(self, transmission_time: str) -> None:
        try:
            age = self._clock() - parse_time(transmission_time)
        except (OverflowError, ValueError) as error:
            raise BadSignature("The webhook's transmission time cannot be read.") from error
        if not -MAX_SKEW <= age <= MAX_AGE:
            raise BadSignature("The webhook's transmission time is too old or in the future.")

    def _checked_url(self, text: str) -> httpx2.URL:
        """Return the certificate's address in the one form that is allowed, or refuse it."""
        try:
            url = httpx2.URL(text)
            host = url.host
        except (httpx2.InvalidURL, ValueError) as error:  # the latter: a host that is written as IDNA and is none
            raise BadSignature("The certificate's URL is invalid.") from error
        api = self._http.base_url
        ours = url.scheme == "http" and api.host in _LOOPBACK and _origin(url) == _origin(api)
        paypals = url.scheme == "https" and host in self._cert_hosts and url.port is None
        # Compared as a whole, so that nothing that a parser drops or reads otherwise is left in it.
        if (
            (ours or paypals)
            and _CERT_PATH.fullmatch(url.path)
            and text == f"{url.scheme}://{_origin(url)[1]}{url.path}"
        ):
            return url
        raise BadSignature("The certificate's URL is not PayPal's.")

    async def _chain(self, url: httpx2.URL) -> list[x509.Certificate]:
        """Return what is at an address, fetched once however many ask, and few addresses at a time.

        Anybody can send webhooks that name certificates at PayPal, so the number of requests is limited: they must not
            flood PayPal or use up the connections for payments.
        """
        address = str(url)
        if address not in self._chains:
            fetching = self._fetching.get(address)
            if fetching is None:
                if len(self._fetching) >= _MAX_FETCHES:
                    raise ProviderUnavailable("Too many certificates are being fetched.", code="paypal.certificate")
                fetching = self._fetching[address] = asyncio.create_task(self._fetch(url))
                fetching.add_done_callback(lambda _: self._fetching.pop(address))
            # Who asked first may go away; the others still wait.
            chain = await asyncio.shield(fetching)
            if address not in self._chains and len(self._chains) >= _MAX_CERTS_KEPT:
                self._chains.pop(next(iter(self._chains)))
            self._chains[address] = chain
        return self._chains[address]

    async def _fetch(self, url: httpx2.URL) -> list[x509.Certificate]:
        pem = b""
        try:
            async with self._http.stream("GET", url, follow_redirects=False) as response:
                if response.status_code >= 500 or response.status_code == 429:
                    raise ProviderUnavailable("PayPal's certificate cannot be fetched now.", code="paypal.certificate")
                if response.status_code != 200:
                    raise BadSignature("There is no certificate at the webhook's certificate URL.")
                async for part in response.aiter_bytes():
                    pem += part
                    if len(pem) > _MAX_CERT_BYTES:
                        raise BadSignature("The webhook's certificate is too long.")
        except httpx2.TransportError as error:
            raise ProviderUnavailable(
                "PayPal's certificate cannot be fetched now.", code="paypal.certificate"
            ) from error
        try:
            return x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise BadSignature("The content of the webhook's certificate URL is not a certificate.") from error

    def _trusted_key(self, chain: Sequence[x509.Certificate]) -> rsa.RSAPublicKey:
        """Return the key of the first certificate if the chain is trusted at this moment, though it was kept."""
        if self._store is None:
            raise BadSignature("No root certificate is trusted, so no certificate can be verified.")
        policy = PolicyBuilder().store(self._store).time(self._clock().replace(tzinfo=None))
        for name in CERT_NAMES:
            try:
                policy.build_server_verifier(x509.DNSName(name)).verify(chain[0], list(chain[1:]))
            except VerificationError:
                continue
            key = chain[0].public_key()
            if isinstance(key, rsa.RSAPublicKey):
                return key
        raise BadSignature("The webhook's certificate is invalid, untrusted, or not issued for PayPal's webhooks.")


def provider_event(body: bytes, *, livemode: bool) -> ProviderEvent:
    """Read a verified event: which payment of ours it is about, and which objects of PayPal's."""
    try:
        return _event(json.loads(body), livemode=livemode)
    except NO_EVENT as error:
        raise BadSignature("The webhook is signed, but is not an event.", code="webhook.malformed") from error


def _event(event: Mapping[str, Any], *, livemode: bool) -> ProviderEvent:
    resource = event.get("resource") or {}
    unit = (resource.get("purchase_units") or [{}])[0]
    related = resource.get("supplementary_data", {}).get("related_ids", {})
    # A refund's custom id names our refund, not the payment.
    carrier = {} if event.get("resource_type") == "refund" else resource
    disputed = (item.get("seller_transaction_id") for item in resource.get("disputed_transactions") or ())
    ids = (resource.get("id"), resource.get("order_id"), capture_of(resource), *related.values(), *disputed)
    payment_id = carrier.get("custom_id") or unit.get("custom_id")
    return ProviderEvent(
        event_id=event_name(event, "id"),
        type=event_name(event, "event_type"),
        occurred_at=parse_time(event["create_time"]),
        payment_id=payment_id if isinstance(payment_id, str) else None,
        refs=tuple(dict.fromkeys(ref for ref in ids if isinstance(ref, str))),
        livemode=livemode,
        payload=event,
    )


def _origin(url: httpx2.URL) -> tuple[str, str]:
    return url.scheme, url.netloc.decode("ascii")
