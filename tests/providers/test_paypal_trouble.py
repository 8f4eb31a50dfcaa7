"""Outages and errors of PayPal: completed calls are found, others are unknown."""

import socket

import httpx2
import pytest

from domain.payments.payment.snapshot import ProviderStatus
from providers.payments.base import CredentialsRefused, OutcomeUnknown, ProviderUnavailable
from providers.payments.paypal import PayPalProvider
from tests.support.paypal import a_payment


async def test_pitfall_10_order_with_a_lost_response_is_returned_for_its_key(paypal, provider):
    hasty = await paypal.hasty()
    await paypal.control("faults", fault="timeout_after_commit", path="/v2/checkout/orders")
    with pytest.raises(OutcomeUnknown):
        await hasty.create(a_payment(), idempotency_key="k")
    assert await provider.find(a_payment(), idempotency_key="k") is None
    order = await provider.create(a_payment(), idempotency_key="k")
    assert [one["id"] for one in await paypal.orders()] == [order.ref]


async def test_pitfall_09_capture_with_a_lost_response_is_found_and_not_repeated(paypal, provider):
    hasty = await paypal.hasty()
    order = await hasty.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control("faults", fault="timeout_after_commit", path="/capture")
    with pytest.raises(OutcomeUnknown):
        await hasty.confirm(order.ref, None, idempotency_key="c")
    found = await provider.find(a_payment(), idempotency_key="k")
    assert found.status is ProviderStatus.SUCCEEDED
    assert found == await provider.retrieve(order.ref) == await provider.confirm(order.ref, None, idempotency_key="c")
    assert len(found.movements) == 1


async def test_credentials_that_paypal_rejects_say_nothing_of_a_refund(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    wrong = await paypal.provider(client_secret="rotated")
    with pytest.raises(CredentialsRefused):
        await wrong.refund(paid.ref, refund_id="rfd_1", amount_minor=600, reason=None, idempotency_key="r")


async def test_a_held_payment_is_found_by_our_id_too(paypal, provider):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    assert await provider.find(a_payment(manual_capture=True), idempotency_key="k") == held
    taken = await provider.capture(held.ref, 1234, idempotency_key="c")
    assert await provider.find(a_payment(manual_capture=True), idempotency_key="k") == taken


async def test_a_request_that_never_arrived_is_unknown_too(paypal, provider):
    hasty = await paypal.hasty()
    await paypal.control("faults", fault="timeout_before", path="/v2/checkout/orders")
    with pytest.raises(OutcomeUnknown):
        await hasty.create(a_payment(), idempotency_key="k")
    assert await paypal.orders() == []


async def test_pitfall_27_a_forgotten_key_makes_another_order_that_can_never_be_paid_as_well(paypal, provider):
    first = await provider.create(a_payment(), idempotency_key="k")
    await paypal.advance(hours=7)
    second = await provider.create(a_payment(), idempotency_key="k")
    assert first.ref != second.ref
    for order in (first, second):
        await paypal.control(f"orders/{order.ref}/approve")
    paid = await provider.confirm(first.ref, None, idempotency_key="1")
    with pytest.raises(OutcomeUnknown) as unknown:
        await provider.confirm(second.ref, None, idempotency_key="2")
    assert unknown.value.code == "DUPLICATE_INVOICE_ID"
    assert await provider.find(a_payment(), idempotency_key="k") == paid
    await paypal.advance(hours=7)
    assert await provider.create(a_payment(), idempotency_key="k") == paid


async def test_a_refund_made_in_silence_is_found_and_not_made_again(paypal, provider):
    hasty = await paypal.hasty()
    paid = await paypal.paid(hasty, a_payment(amount_minor=1000))
    await paypal.control("faults", fault="timeout_after_commit", path="/refund")
    asked = {"refund_id": "rfd_1", "amount_minor": 600, "reason": None, "idempotency_key": "r"}
    with pytest.raises(OutcomeUnknown):
        await hasty.refund(paid.ref, **asked)
    found = await provider.find_refund(paid.ref, refund_id="rfd_1", idempotency_key="r")
    assert found == await provider.refund(paid.ref, **asked)
    assert [one.amount_minor for one in (await provider.retrieve(paid.ref)).refunds] == [600]


async def test_an_error_while_capturing_is_unknown_and_the_same_key_captures(paypal, provider):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    await paypal.control("faults", fault="error_500", path="/v2/payments/authorizations")
    with pytest.raises(OutcomeUnknown):
        await provider.capture(held.ref, 1234, idempotency_key="c")
    assert (await provider.capture(held.ref, 1234, idempotency_key="c")).status is ProviderStatus.SUCCEEDED


async def test_a_change_that_cannot_be_read_afterwards_is_unknown(paypal):
    """The first read of the order answers, the void is made, and the second read is turned away."""
    given = await paypal.paid(await paypal.provider(), a_payment(manual_capture=True))
    async with httpx2.AsyncClient(timeout=60) as plain:
        reads = iter([True, False])

        async def answer(request):
            if request.method == "GET" and not next(reads):
                return httpx2.Response(503, json={"name": "SERVICE_UNAVAILABLE"})
            sent = await plain.send(request)
            return httpx2.Response(sent.status_code, content=sent.content)

        async with httpx2.AsyncClient(base_url=paypal.url, transport=httpx2.MockTransport(answer)) as http:
            credentials = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "webhook_id": ""}
            provider = PayPalProvider(http, **credentials, trust_roots=[])
            with pytest.raises(OutcomeUnknown):
                await provider.cancel(given.ref, idempotency_key="x")
    assert (await (await paypal.provider()).retrieve(given.ref)).status is ProviderStatus.CANCELLED


@pytest.mark.parametrize(
    ("fault", "creating", "reading"),
    [
        ("error_500", OutcomeUnknown, ProviderUnavailable),
        ("error_429", ProviderUnavailable, ProviderUnavailable),
        ("error_503", ProviderUnavailable, ProviderUnavailable),
        ("timeout_before", OutcomeUnknown, ProviderUnavailable),
    ],
)
async def test_errors_tell_whether_something_may_have_happened(paypal, fault, creating, reading):
    hasty = await paypal.hasty()
    order = await hasty.create(a_payment(), idempotency_key="k")
    await paypal.control("faults", fault=fault, count=2, path="/v2/checkout/orders")
    with pytest.raises(creating):
        await hasty.create(a_payment("pay_2"), idempotency_key="k2")
    with pytest.raises(reading):
        await hasty.retrieve(order.ref)
    assert await hasty.retrieve(order.ref) == order


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (httpx2.ConnectError("refused"), ProviderUnavailable),
        (httpx2.ConnectTimeout("slow"), ProviderUnavailable),
        (httpx2.PoolTimeout("busy"), ProviderUnavailable),
        (httpx2.ReadTimeout("silent"), OutcomeUnknown),
        (httpx2.WriteError("reset"), OutcomeUnknown),
        (httpx2.ReadError("reset"), OutcomeUnknown),
        (httpx2.RemoteProtocolError("cut off"), OutcomeUnknown),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else one.__name__,
)
async def test_broken_connection_shows_whether_the_request_was_sent(error, expected):
    def answer(request):
        if request.url.path == "/v1/oauth2/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        raise error

    async with httpx2.AsyncClient(base_url="https://paypal.test", transport=httpx2.MockTransport(answer)) as http:
        provider = PayPalProvider(http, client_id="i", client_secret="s", webhook_id="w", trust_roots=[])
        with pytest.raises(expected):
            await provider.create(a_payment(), idempotency_key="k")
        with pytest.raises(ProviderUnavailable):
            await provider.retrieve("ORDER")


async def test_refused_connection_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        provider = PayPalProvider(http, client_id="i", client_secret="s", webhook_id="w", trust_roots=[])
        with pytest.raises(ProviderUnavailable):
            await provider.create(a_payment(), idempotency_key="k")


async def test_a_success_that_cannot_be_read_is_unknown():
    def answer(request):
        if request.url.path == "/v1/oauth2/token":
            return httpx2.Response(200, json={"access_token": "t", "expires_in": 3600})
        return httpx2.Response(201, text="<html>")

    async with httpx2.AsyncClient(base_url="https://paypal.test", transport=httpx2.MockTransport(answer)) as http:
        provider = PayPalProvider(http, client_id="i", client_secret="s", webhook_id="w", trust_roots=[])
        with pytest.raises(OutcomeUnknown):
            await provider.create(a_payment(), idempotency_key="k")
        with pytest.raises(ProviderUnavailable):
            await provider.retrieve("ORDER")
