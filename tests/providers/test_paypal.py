"""The PayPal adapter against the sandbox: what each call leaves behind, and what each silence means."""

import asyncio
import socket

import httpx
import pytest

from domain.payment.snapshot import NOT_FOUND, DisputeEvidence, MovementKind, ProviderStatus, RefundStatus
from providers.payments.base import OutcomeUnknown, ProviderRefused, ProviderUnavailable
from providers.payments.paypal import PayPalProvider
from providers.payments.paypal.amounts import SUPPORTED, WITHOUT_DECIMALS, from_paypal, to_paypal
from providers.payments.paypal.snapshots import snapshot
from tests.support.paypal import a_payment, running_paypal


@pytest.fixture
async def paypal(tmp_path):
    async with running_paypal(tmp_path) as running:
        yield running


@pytest.fixture
async def provider(paypal):
    return await paypal.provider()


async def test_create_asks_the_payer_to_approve_and_carries_our_id(paypal, provider):
    order = await provider.create(a_payment(amount_minor=1205), idempotency_key="k")
    assert (order.status, order.amount_minor, order.currency) == (ProviderStatus.REQUIRES_ACTION, 1205, "USD")
    assert order.action.redirect_url == f"{paypal.url}/checkoutnow?token={order.ref}"
    [unit] = (await paypal.orders())[0]["purchase_units"]
    assert (unit["custom_id"], unit["invoice_id"], unit["amount"]["value"]) == ("pay_1", "pay_1", "12.05")


async def test_an_approved_order_is_taken_and_its_charge_tells_the_fee(paypal, provider):
    paid = await paypal.paid(provider, a_payment())
    [charge] = paid.movements
    assert paid.status is ProviderStatus.SUCCEEDED
    assert (charge.kind, charge.amount_minor, charge.fee_minor) == (MovementKind.CHARGE, 1234, 92)
    assert (charge.payment_id, charge.ref) == ("pay_1", paid.ref)
    assert await provider.retrieve(paid.ref) == paid


async def test_an_order_that_is_not_approved_still_requires_its_payer(provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    assert await provider.confirm(order.ref, None, idempotency_key="c") == order


async def test_an_approved_order_requires_nothing_more_of_the_payer(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    approved = await provider.retrieve(order.ref)
    assert (approved.status, approved.action) == (ProviderStatus.REQUIRES_ACTION, None)
    links = [{"rel": "approve", "href": "https://paypal.test"}]
    assert snapshot((await paypal.orders())[0] | {"links": links}) == approved


async def test_a_second_confirm_with_another_key_takes_nothing_more(paypal, provider):
    paid = await paypal.paid(provider, a_payment())
    assert await provider.confirm(paid.ref, None, idempotency_key="another") == paid


async def test_two_confirms_at_once_take_the_money_once(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    both = await asyncio.gather(*(provider.confirm(order.ref, None, idempotency_key=key) for key in ("a", "b")))
    assert both[0] == both[1]
    assert len(both[0].movements) == 1


@pytest.mark.parametrize("key", ["k", "k" * 109, "k" * 200], ids=len)
async def test_the_same_key_gives_the_same_order_however_long_it_is(paypal, provider, key):
    first, second = [await provider.create(a_payment(), idempotency_key=key) for _ in range(2)]
    assert first == second
    assert len(await paypal.orders()) == 1


async def test_a_declined_instrument_sends_the_payer_back_to_choose_another(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control(f"orders/{order.ref}/plan", issue="INSTRUMENT_DECLINED")
    declined = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (declined.status, declined.decline.code) == (ProviderStatus.REQUIRES_ACTION, "INSTRUMENT_DECLINED")
    assert declined.action.redirect_url == f"{paypal.url}/checkoutnow?token={order.ref}"
    await paypal.control(f"orders/{order.ref}/plan", issue=None)
    assert (await provider.confirm(order.ref, None, idempotency_key="2")).status is ProviderStatus.SUCCEEDED


@pytest.mark.parametrize("manual", [False, True])
async def test_a_payment_that_is_not_allowed_fails_as_a_result(paypal, provider, manual):
    order = await provider.create(a_payment(manual_capture=manual), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control(f"orders/{order.ref}/plan", issue="PAYER_CANNOT_PAY")
    failed = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (failed.status, failed.decline.code, failed.movements) == (ProviderStatus.FAILED, "PAYER_CANNOT_PAY", ())


async def test_more_action_of_the_payer_is_no_decline(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control(f"orders/{order.ref}/plan", issue="PAYER_ACTION_REQUIRED")
    waiting = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (waiting.status, waiting.decline) == (ProviderStatus.REQUIRES_ACTION, None)


@pytest.mark.parametrize(("end", "status"), [("complete", ProviderStatus.SUCCEEDED), ("deny", ProviderStatus.FAILED)])
async def test_a_pending_capture_moves_nothing_until_it_ends(paypal, provider, end, status):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/plan", hold=True)
    await paypal.control(f"orders/{order.ref}/approve")
    pending = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (pending.status, pending.movements) == (ProviderStatus.PROCESSING, ())
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(order.ref, refund_id="rfd_1", amount_minor=1, reason=None, idempotency_key="r")
    assert refused.value.code == "PENDING_CAPTURE"
    capture = (await paypal.orders())[0]["purchase_units"][0]["payments"]["captures"][0]
    await paypal.control(f"captures/{capture['id']}/{end}")
    ended = await provider.retrieve(order.ref)
    assert (ended.status, len(ended.movements)) == (status, int(end == "complete"))
    assert (ended.decline is None) == (end == "complete")


async def test_an_authorization_is_captured_in_part_and_once(paypal, provider):
    held = await paypal.paid(provider, a_payment(amount_minor=5000, manual_capture=True))
    assert (held.status, held.authorized_minor, held.movements) == (ProviderStatus.AUTHORIZED, 5000, ())
    taken = await provider.capture(held.ref, 3000, idempotency_key="c1")
    assert (taken.status, taken.authorized_minor) == (ProviderStatus.SUCCEEDED, 0)
    assert [charge.amount_minor for charge in taken.movements] == [3000]
    [authorization] = (await paypal.orders())[0]["purchase_units"][0]["payments"]["authorizations"]
    assert authorization["status"] == "CAPTURED"  # for good, so the rest is released
    assert await provider.capture(held.ref, 2000, idempotency_key="c2") == taken
    assert await provider.cancel(held.ref, idempotency_key="x") == taken


async def test_more_than_was_authorized_is_refused(paypal, provider):
    held = await paypal.paid(provider, a_payment(amount_minor=5000, manual_capture=True))
    with pytest.raises(ProviderRefused) as refused:
        await provider.capture(held.ref, 5001, idempotency_key="c")
    assert refused.value.code == "MAX_CAPTURE_AMOUNT_EXCEEDED"
    assert await provider.retrieve(held.ref) == held


async def test_an_authorization_is_voided_and_cannot_be_captured_then(paypal, provider):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    cancelled = await provider.cancel(held.ref, idempotency_key="x")
    assert (cancelled.status, cancelled.authorized_minor) == (ProviderStatus.CANCELLED, 0)
    assert await provider.cancel(held.ref, idempotency_key="y") == cancelled
    with pytest.raises(ProviderRefused):
        await provider.capture(held.ref, 100, idempotency_key="c")


async def test_an_authorization_that_ended_is_told_as_expired(paypal, provider):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    await paypal.advance(days=30)
    assert (await provider.capture(held.ref, 100, idempotency_key="c")).status is ProviderStatus.EXPIRED


async def test_an_order_that_was_not_taken_is_cancelled_and_a_paid_one_stays_paid(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    assert (await provider.cancel(order.ref, idempotency_key="x")).status is ProviderStatus.CANCELLED
    paid = await paypal.paid(provider, a_payment("pay_2"))
    assert await provider.cancel(paid.ref, idempotency_key="x") == paid


async def test_refunds_are_bounded_by_what_remains(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    first = await provider.refund(
        paid.ref, refund_id="rfd_1", amount_minor=400, reason="too\nmany ", idempotency_key="r1"
    )
    assert (first.refund_id, first.status, first.amount_minor) == ("rfd_1", RefundStatus.SUCCEEDED, 400)
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(paid.ref, refund_id="rfd_2", amount_minor=601, reason=None, idempotency_key="r2")
    assert refused.value.code == "REFUND_AMOUNT_EXCEEDED"
    await provider.refund(paid.ref, refund_id="rfd_3", amount_minor=600, reason=None, idempotency_key="r3")
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(paid.ref, refund_id="rfd_4", amount_minor=1, reason=None, idempotency_key="r4")
    assert refused.value.code == "CAPTURE_FULLY_REFUNDED"
    after = await provider.retrieve(paid.ref)
    assert after.status is ProviderStatus.SUCCEEDED
    assert [(one.refund_id, one.amount_minor) for one in after.refunds] == [("rfd_1", 400), ("rfd_3", 600)]
    assert [(one.kind, one.amount_minor) for one in after.movements] == [
        (MovementKind.CHARGE, 1000),
        (MovementKind.REFUND, -400),
        (MovementKind.REFUND, -600),
    ]
    assert [one.key for one in after.movements[1:]] == [one.ref for one in after.refunds]
    assert (await paypal.orders())[0]["purchase_units"][0]["payments"]["refunds"][0]["note_to_payer"] == "too many"


async def test_one_refund_id_gives_one_refund_whatever_the_key(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    first, second = [
        await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=300, reason=None, idempotency_key=key)
        for key in ("a", "b")
    ]
    assert first == second == await provider.find_refund(paid.ref, refund_id="rfd_1", idempotency_key="a")
    assert len((await provider.retrieve(paid.ref)).refunds) == 1
    assert sum(request.url.path.endswith("/refund") for request, _ in paypal.exchanges) == 1
    [kept] = (await paypal.orders())[0]["purchase_units"][0]["payments"]["refunds"]
    assert (kept["custom_id"], kept["invoice_id"]) == ("rfd_1", "rfd_1")
    assert await provider.find_refund(paid.ref, refund_id="rfd_2", idempotency_key="c") is None


@pytest.mark.parametrize(("end", "status"), [("complete", RefundStatus.SUCCEEDED), ("fail", RefundStatus.FAILED)])
async def test_a_pending_refund_moves_nothing_until_it_ends(paypal, provider, end, status):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    await paypal.control("refunds/hold", count=1)
    pending = await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=999, reason=None, idempotency_key="r")
    assert pending.status is RefundStatus.PENDING
    assert (await provider.retrieve(paid.ref)).movements == paid.movements
    await paypal.control(f"refunds/{pending.ref}/{end}")
    after = await provider.retrieve(paid.ref)
    assert (after.refunds[0].status, len(after.movements)) == (status, 2 if end == "complete" else 1)
    assert (after.refunds[0].failure is None) == (end == "complete")


async def test_a_refund_made_at_paypals_site_is_not_taken_for_ours(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    client = await paypal.client()
    body = {"amount": {"currency_code": "USD", "value": "1.00"}, "invoice_id": "pay_1"}
    await client.post(f"/v2/payments/captures/{paid.movements[0].key}/refund", body, key=None)
    after = await provider.retrieve(paid.ref)
    assert [one.refund_id for one in after.refunds] == [None]
    assert [one.kind for one in after.movements] == [MovementKind.CHARGE, MovementKind.REFUND]


async def test_a_reversed_capture_takes_back_what_remains(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=300, reason=None, idempotency_key="r")
    capture = paid.movements[0].key
    await paypal.control(f"captures/{capture}/reverse")
    after = await provider.retrieve(paid.ref)
    assert (after.status, len(after.refunds)) == (ProviderStatus.SUCCEEDED, 1)
    reversal = after.movements[-1]
    assert (reversal.kind, reversal.key) == (MovementKind.REVERSAL, f"{capture}:reversal")
    assert sum(one.amount_minor for one in after.movements) == 0
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(paid.ref, refund_id="rfd_2", amount_minor=1, reason=None, idempotency_key="r2")
    assert refused.value.code == "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK"


async def test_pitfall_10_an_order_made_in_silence_is_the_one_that_the_same_key_gives(paypal, provider):
    hasty = await paypal.provider(patience=1)
    await paypal.control("faults", fault="timeout_after_commit", path="/v2/checkout/orders")
    with pytest.raises(OutcomeUnknown):
        await hasty.create(a_payment(), idempotency_key="k")
    assert await provider.find(a_payment(), idempotency_key="k") is None
    order = await provider.create(a_payment(), idempotency_key="k")
    assert [one["id"] for one in await paypal.orders()] == [order.ref]


async def test_pitfall_09_money_taken_in_silence_is_found_and_not_taken_again(paypal, provider):
    hasty = await paypal.provider(patience=1)
    order = await hasty.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control("faults", fault="timeout_after_commit", path="/capture")
    with pytest.raises(OutcomeUnknown):
        await hasty.confirm(order.ref, None, idempotency_key="c")
    found = await provider.find(a_payment(), idempotency_key="k")
    assert found.status is ProviderStatus.SUCCEEDED
    assert found == await provider.retrieve(order.ref) == await provider.confirm(order.ref, None, idempotency_key="c")
    assert len(found.movements) == 1


async def test_a_held_payment_is_found_by_our_id_too(paypal, provider):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    assert await provider.find(a_payment(manual_capture=True), idempotency_key="k") == held
    taken = await provider.capture(held.ref, 1234, idempotency_key="c")
    assert await provider.find(a_payment(manual_capture=True), idempotency_key="k") == taken


async def test_a_request_that_never_arrived_is_unknown_too(paypal, provider):
    hasty = await paypal.provider(patience=1)
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
    hasty = await paypal.provider(patience=1)
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
    async with httpx.AsyncClient() as plain:
        reads = iter([True, False])

        async def answer(request):
            if request.method == "GET" and not next(reads):
                return httpx.Response(503, json={"name": "SERVICE_UNAVAILABLE"})
            sent = await plain.send(request)
            return httpx.Response(sent.status_code, content=sent.content)

        async with httpx.AsyncClient(base_url=paypal.url, transport=httpx.MockTransport(answer)) as http:
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
    hasty = await paypal.provider(patience=1)
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
        (httpx.ConnectError("refused"), ProviderUnavailable),
        (httpx.ConnectTimeout("slow"), ProviderUnavailable),
        (httpx.PoolTimeout("busy"), ProviderUnavailable),
        (httpx.ReadTimeout("silent"), OutcomeUnknown),
        (httpx.WriteError("reset"), OutcomeUnknown),
        (httpx.ReadError("reset"), OutcomeUnknown),
        (httpx.RemoteProtocolError("cut off"), OutcomeUnknown),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else one.__name__,
)
async def test_a_broken_connection_tells_whether_the_request_was_sent(error, expected):
    def answer(request):
        if request.url.path == "/v1/oauth2/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        raise error

    async with httpx.AsyncClient(base_url="https://paypal.test", transport=httpx.MockTransport(answer)) as http:
        provider = PayPalProvider(http, client_id="i", client_secret="s", webhook_id="w", trust_roots=[])
        with pytest.raises(expected):
            await provider.create(a_payment(), idempotency_key="k")
        with pytest.raises(ProviderUnavailable):
            await provider.retrieve("ORDER")


async def test_nobody_listening_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        provider = PayPalProvider(http, client_id="i", client_secret="s", webhook_id="w", trust_roots=[])
        with pytest.raises(ProviderUnavailable):
            await provider.create(a_payment(), idempotency_key="k")


async def test_a_success_that_cannot_be_read_is_unknown():
    def answer(request):
        if request.url.path == "/v1/oauth2/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        return httpx.Response(201, text="<html>")

    async with httpx.AsyncClient(base_url="https://paypal.test", transport=httpx.MockTransport(answer)) as http:
        provider = PayPalProvider(http, client_id="i", client_secret="s", webhook_id="w", trust_roots=[])
        with pytest.raises(OutcomeUnknown):
            await provider.create(a_payment(), idempotency_key="k")
        with pytest.raises(ProviderUnavailable):
            await provider.retrieve("ORDER")


def tokens_asked(paypal):
    return sum(request.url.path == "/v1/oauth2/token" for request, _ in paypal.exchanges)


async def test_one_token_serves_many_calls_at_once(paypal, provider):
    await asyncio.gather(*(provider.create(a_payment(f"pay_{n}"), idempotency_key=str(n)) for n in range(5)))
    assert tokens_asked(paypal) == 1


async def test_a_token_is_renewed_before_it_ends_and_when_it_is_refused(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.advance(hours=9)
    await provider.retrieve(order.ref)
    assert tokens_asked(paypal) == 2
    assert all(response.is_success for _, response in paypal.exchanges)
    await paypal.control("tokens/revoke")
    await asyncio.gather(*(provider.retrieve(order.ref) for _ in range(3)))
    assert tokens_asked(paypal) == 3


async def test_wrong_credentials_are_refused_without_telling_them(paypal):
    provider = await paypal.provider(client_secret="wrong-secret")
    with pytest.raises(ProviderRefused) as refused:
        await provider.create(a_payment(), idempotency_key="k")
    assert refused.value.code == "invalid_client"
    assert "wrong-secret" not in refused.value.detail


async def test_an_unknown_order_is_refused(provider):
    with pytest.raises(ProviderRefused) as refused:
        await provider.retrieve("UNKNOWN1")
    assert refused.value.code == NOT_FOUND


async def test_what_paypal_is_not_used_for_is_refused_in_a_sentence(provider):
    with pytest.raises(ProviderRefused, match="Resolution Center"):
        await provider.submit_evidence("PP-D-1", DisputeEvidence(text="no"), idempotency_key="k")
    with pytest.raises(ProviderRefused, match="stored payment methods"):
        await provider.create(a_payment(method_ref="pm_1"), idempotency_key="k")


@pytest.mark.parametrize(
    ("currency", "minor", "value"),
    [("USD", 5, "0.05"), ("JPY", 1500, "1500"), ("HUF", 150_000, "1500"), ("TWD", 100, "1")],
)
async def test_amounts_go_there_and_come_back_in_paypals_own_decimals(paypal, provider, currency, minor, value):
    payment = a_payment(currency=currency, amount_minor=minor)
    order = await provider.create(payment, idempotency_key="k")
    assert (order.amount_minor, order.currency) == (minor, currency)
    assert (await paypal.orders())[0]["purchase_units"][0]["amount"]["value"] == value


async def test_a_whole_unit_currency_is_charged_and_refunded(paypal, provider):
    paid = await paypal.paid(provider, a_payment(currency="HUF", amount_minor=150_000))
    refund = await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=50_000, reason=None, idempotency_key="r")
    assert (paid.movements[0].fee_minor, refund.amount_minor) == (5300, 50_000)
    with pytest.raises(ProviderRefused):
        await provider.refund(paid.ref, refund_id="rfd_2", amount_minor=50, reason=None, idempotency_key="r2")


@pytest.mark.parametrize(("currency", "minor"), [("HUF", 150), ("TWD", 1), ("BHD", 1000), ("CREDIT", 1), ("USD", 0)])
async def test_an_amount_that_paypal_cannot_take_is_never_sent(paypal, provider, currency, minor):
    with pytest.raises(ProviderRefused):
        await provider.create(a_payment(currency=currency, amount_minor=minor), idempotency_key="k")
    assert paypal.exchanges == []


@pytest.mark.parametrize("currency", sorted(SUPPORTED))
def test_every_currency_reads_back_what_it_writes(currency):
    for minor in (100, 1_000_000, 123_400):
        written = to_paypal(minor, currency)
        assert ("." in written["value"]) == (currency not in WITHOUT_DECIMALS)
        assert from_paypal(written) == minor


@pytest.mark.parametrize("value", ["0.001", "NaN", "", None])
def test_an_amount_that_the_books_cannot_hold_is_refused(value):
    with pytest.raises(ProviderRefused):
        from_paypal({"currency_code": "USD", "value": value})
