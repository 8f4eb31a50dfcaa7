"""Requests to Stripe, and whether each failure may have had an effect."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest
import stripe

from domain.common.ids import make_id
from domain.payments.payment.snapshot import CreatePayment
from providers.payments.base import (
    CredentialsRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from providers.payments.stripe import StripeProvider, make_client
from tests.support.cases import for_each

PAYMENT = CreatePayment(
    payment_id="pay_1",
    org_id="org_1",
    amount_minor=1000,
    currency="EUR",
    description="100 credits",
    expires_at=datetime(2026, 1, 1, tzinfo=UTC),
)


class Pretended:
    """A network with configured responses that records requests."""

    def __init__(self, answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
        self.sent: list[httpx2.Request] = []
        self._answer = answer
        transport = httpx2.MockTransport(self._handle)
        self.client = make_client("sk_test_1", api_base="http://stripe.test", timeout_seconds=60, transport=transport)
        self.provider = StripeProvider(self.client, webhook_secrets=())

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        return self._answer(request)


def refusal(status: int, code: str | None = None, type_: str = "api_error", **headers: str) -> Pretended:
    error = {"type": type_, "message": "No."} | ({"code": code} if code else {})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Pretended(lambda _: httpx2.Response(status, json={"error": error}, headers=named))


def breaking(error: type[httpx2.TransportError]) -> Pretended:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error("broken", request=request)

    return Pretended(answer)


class TestErrors:
    @for_each(
        "network, changing, reading",
        [
            (breaking(httpx2.ConnectError), ProviderUnavailable, ProviderUnavailable),
            (breaking(httpx2.ConnectTimeout), ProviderUnavailable, ProviderUnavailable),
            (breaking(httpx2.PoolTimeout), ProviderUnavailable, ProviderUnavailable),
            (breaking(httpx2.ReadTimeout), OutcomeUnknown, ProviderUnavailable),
            (breaking(httpx2.WriteTimeout), OutcomeUnknown, ProviderUnavailable),
            (breaking(httpx2.ReadError), OutcomeUnknown, ProviderUnavailable),
            (breaking(httpx2.RemoteProtocolError), OutcomeUnknown, ProviderUnavailable),
            (refusal(429, "rate_limit"), ProviderUnavailable, ProviderUnavailable),
            (refusal(429, "lock_timeout"), ProviderUnavailable, ProviderUnavailable),
            (refusal(409, "lock_timeout"), ProviderUnavailable, ProviderUnavailable),
            (refusal(409, "idempotency_key_in_use", "idempotency_error"), OutcomeUnknown, ProviderUnavailable),
            (refusal(500), OutcomeUnknown, ProviderUnavailable),
            (refusal(503), OutcomeUnknown, ProviderUnavailable),
            (refusal(503, stripe_should_retry="true"), ProviderUnavailable, ProviderUnavailable),
            (refusal(400, "parameter_missing", "invalid_request_error"), ProviderRefused, ProviderRefused),
            (refusal(401, None, "invalid_request_error"), CredentialsRefused, CredentialsRefused),
            (refusal(403, None, "invalid_request_error"), CredentialsRefused, CredentialsRefused),
            (refusal(403, "account_invalid", "invalid_request_error"), CredentialsRefused, CredentialsRefused),
            (refusal(404, "resource_missing", "invalid_request_error"), ProviderRefused, ProviderRefused),
            (Pretended(lambda _: httpx2.Response(502, text="<html>")), OutcomeUnknown, ProviderUnavailable),
            (Pretended(lambda _: httpx2.Response(200, text="<html>")), OutcomeUnknown, ProviderUnavailable),
        ],
    )
    async def test_each_way_to_fail_says_whether_it_may_have_had_an_effect(
        self, network: Pretended, changing: type[ProviderError], reading: type[ProviderError]
    ):
        network.sent.clear()
        with pytest.raises(changing):
            await network.provider.create(PAYMENT, idempotency_key="key")
        assert len(network.sent) == 1  # the SDK repeats nothing by itself
        with pytest.raises(reading):
            await network.provider.retrieve("pi_1")
        assert len(network.sent) == 2

    async def test_reused_key_is_unknown_if_its_payment_cannot_be_looked_up(self):
        network = refusal(400, None, "idempotency_error")
        with pytest.raises(OutcomeUnknown):
            await network.provider.create(PAYMENT, idempotency_key="key")
        assert [request.method for request in network.sent] == ["POST", "GET"]
        with pytest.raises(ProviderRefused):
            await network.provider.retrieve("pi_1")

    async def test_a_card_error_without_a_payment_is_raised(self):
        network = refusal(402, "card_declined", "card_error")
        with pytest.raises(ProviderRefused) as refused:
            await network.provider.create(PAYMENT, idempotency_key="key")
        assert refused.value.code == "card_declined"


class TestRequests:
    async def sent(self, payment: CreatePayment) -> tuple[httpx2.Request, dict[str, str]]:
        network = refusal(400)
        with pytest.raises(ProviderRefused):
            await network.provider.create(payment, idempotency_key="payment:1:create")
        (request,) = network.sent
        return request, dict(httpx2.QueryParams(request.content.decode()))

    async def test_a_request_carries_its_key_and_nothing_of_this_machine(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        request, body = await self.sent(PAYMENT)
        assert request.headers["idempotency-key"] == "payment:1:create"
        assert request.headers["stripe-version"] == "2026-10-28.endive"
        assert "Bursar" in request.headers["user-agent"]
        assert "x-stripe-client-telemetry" not in request.headers
        assert "platform" not in request.headers["x-stripe-client-user-agent"]
        assert str(request.url) == "http://stripe.test/v1/payment_intents"
        assert body["metadata[payment_id]"] == "pay_1"
        assert not any(name.startswith("payment_method_types") for name in body)
        assert body["automatic_payment_methods[allow_redirects]"] == "never"

    async def test_a_stored_method_is_charged_without_its_payer(self):
        payment = replace(
            PAYMENT, customer_ref="cus_1", method_ref="pm_1", off_session=True, return_url="https://example.test"
        )
        _, body = await self.sent(payment)
        assert (body["customer"], body["payment_method"]) == ("cus_1", "pm_1")
        assert (body["confirm"], body["off_session"]) == ("true", "true")
        assert "return_url" not in body

    async def test_the_key_of_the_account_stays_with_its_client(self):
        refusal(400)
        assert stripe.api_key is None
        assert stripe.default_http_client is None


def test_client_ignores_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = make_client("sk_test_1", api_base=None, timeout_seconds=60)
    assert all(mount is None for mount in client._http._http._mounts.values())


async def test_a_list_reaches_back_to_when_the_payment_was_named():
    named = datetime(2026, 3, 1, 12, tzinfo=UTC)
    payment_id = make_id("pay", unix_ms=int(named.timestamp()) * 1000, entropy=bytes(10))
    network = Pretended(lambda _: httpx2.Response(200, json={"object": "list", "data": [], "has_more": False}))
    assert await network.provider.find(replace(PAYMENT, payment_id=payment_id), idempotency_key="key") is None
    since = int(network.sent[0].url.params["created[gte]"])
    assert 0 < named.timestamp() - since <= 3600
