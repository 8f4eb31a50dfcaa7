"""The sandbox of PayPal by itself: what survives, what is refused, what a payer sees, and how webhooks go wrong."""

import json
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from dev.sandbox.paypal import shapes
from dev.stack.migrate import ROOT
from dev.stack.temporal import free_port
from domain.payments.payment.snapshot import ProviderStatus
from tests.support.paypal import DOCUMENTS, a_payment, keep_chain, mismatches, running_inbox, running_paypal
from tests.support.paypal_openapi import published
from tests.support.sandboxes import await_health

AN_ORDER = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "USD", "value": "5.00"}}]}


@pytest.fixture
async def paypal(tmp_path):
    async with running_paypal(tmp_path) as running:
        yield running


@pytest.fixture
async def provider(paypal):
    return await paypal.provider()


@pytest.fixture
async def http(paypal):
    client = await paypal.http()
    form = {"grant_type": "client_credentials"}
    token = (await client.post("/v1/oauth2/token", data=form, auth=("sandbox-client", "sandbox-secret"))).json()
    client.headers["authorization"] = f"Bearer {token['access_token']}"
    return client


async def test_state_survives_a_restart(tmp_path):
    async with running_paypal(tmp_path) as paypal:
        paid = await paypal.paid(await paypal.provider(), a_payment())
    async with running_paypal(tmp_path) as paypal:
        provider = await paypal.provider()
        assert await provider.retrieve(paid.ref) == paid
        assert (await provider.create(a_payment(), idempotency_key="pay_1:create")).ref == paid.ref


def test_the_process_serves_and_signs_with_a_root_of_its_own(tmp_path):
    keep_chain(tmp_path)
    port = free_port()
    command = [sys.executable, "-m", "dev.sandbox.paypal", "--port", str(port), "--data", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        await_health(f"http://127.0.0.1:{port}", process)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}/_control", timeout=60) as http:
            health = http.get("/health").json()
            assert (health["status"], health["webhook_id"]) == ("ready", "SANDBOXWEBHOOK1")
            assert http.get("/root.pem").content == (tmp_path / "root.pem").read_bytes()
    finally:
        process.terminate()
        process.wait()


async def test_without_a_valid_token_nothing_is_answered(paypal):
    client = await paypal.http()
    for headers in ({}, {"authorization": "Bearer made-up"}, {"authorization": "Basic YTpi"}):
        assert (await client.get("/v2/checkout/orders/X", headers=headers)).status_code == 401
        assert (await client.post("/v2/checkout/orders", json=AN_ORDER, headers=headers)).status_code == 401
    assert await paypal.orders() == []


@pytest.mark.parametrize(
    ("body", "issue"),
    [
        ({}, "MISSING_REQUIRED_PARAMETER"),
        (AN_ORDER | {"intent": "GIVE"}, "INVALID_PARAMETER_SYNTAX"),
        (AN_ORDER | {"unknown": 1}, "INVALID_PARAMETER_SYNTAX"),
        (
            {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": "USD", "value": 5}}]},
            "INVALID_PARAMETER_SYNTAX",
        ),
    ],
)
async def test_a_request_out_of_shape_is_a_400(http, body, issue):
    response = await http.post("/v2/checkout/orders", json=body)
    assert (response.status_code, response.json()["details"][0]["issue"]) == (400, issue)


@pytest.mark.parametrize(
    ("currency", "value", "issue"),
    [
        ("BHD", "1.00", "INVALID_CURRENCY_CODE"),
        ("JPY", "1.50", "DECIMAL_PRECISION"),
        ("USD", "1.005", "DECIMAL_PRECISION"),
        ("USD", "0.00", "CANNOT_BE_ZERO_OR_NEGATIVE"),
    ],
)
async def test_an_amount_that_cannot_be_charged_is_a_422(http, currency, value, issue):
    order = {"intent": "CAPTURE", "purchase_units": [{"amount": {"currency_code": currency, "value": value}}]}
    response = await http.post("/v2/checkout/orders", json=order)
    assert (response.status_code, response.json()["details"][0]["issue"]) == (422, issue)


async def test_a_repeated_request_shows_what_the_first_made_as_it_is_now(paypal, http):
    headers = {"PayPal-Request-Id": "k", "Prefer": "return=representation"}
    first = await http.post("/v2/checkout/orders", json=AN_ORDER, headers=headers)
    await paypal.control(f"orders/{first.json()['id']}/approve")
    again = await http.post("/v2/checkout/orders", json=AN_ORDER, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["id"], again.json()["status"]) == (again.json()["id"], "APPROVED")


async def test_a_refused_request_is_not_remembered(paypal, http):
    order = (await http.post("/v2/checkout/orders", json=AN_ORDER)).json()["id"]
    capture = f"/v2/checkout/orders/{order}/capture"
    headers = {"PayPal-Request-Id": "k", "Prefer": "return=representation"}
    refused = await http.post(capture, json={}, headers=headers)
    assert (refused.status_code, refused.json()["details"][0]["issue"]) == (422, "ORDER_NOT_APPROVED")
    await paypal.control(f"orders/{order}/approve")
    assert (await http.post(capture, json={}, headers=headers)).json()["status"] == "COMPLETED"
    assert (await http.post(capture, json={}, headers=headers)).status_code == 200
    assert (await http.post(capture, json={})).json()["details"][0]["issue"] == "ORDER_ALREADY_CAPTURED"


async def test_answers_are_short_unless_the_whole_is_preferred(paypal, provider, http):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    [authorization] = (await paypal.orders())[0]["purchase_units"][0]["payments"]["authorizations"]
    assert held.status is ProviderStatus.AUTHORIZED
    voided = await http.post(f"/v2/payments/authorizations/{authorization['id']}/void")
    assert (voided.status_code, voided.content) == (204, b"")
    again = await http.post(f"/v2/payments/authorizations/{authorization['id']}/void")
    assert again.json()["details"][0]["issue"] == "PREVIOUSLY_VOIDED"
    assert (await http.post("/v2/checkout/orders", json=AN_ORDER)).json().keys() == {"id", "status", "links"}


async def test_a_payer_approves_on_the_page_and_comes_back_to_the_shop(provider):
    order = await provider.create(a_payment(description="<b>credits</b>"), idempotency_key="k")
    async with httpx2.AsyncClient(timeout=60) as payer:
        page = await payer.get(order.action.redirect_url)
        assert "&lt;b&gt;credits&lt;/b&gt;" in page.text
        assert "<b>credits" not in page.text
        answered = await payer.post(order.action.redirect_url, data={"answer": "approve"})
        back = urlsplit(answered.headers["location"])
        assert (answered.status_code, f"{back.scheme}://{back.netloc}{back.path}") == (303, "https://shop.example/back")
        assert parse_qs(back.query)["token"] == [order.ref]
        again = await payer.post(order.action.redirect_url, data={"answer": "approve"})
        assert "answered already" in again.text
    assert (await provider.confirm(order.ref, None, idempotency_key="c")).status is ProviderStatus.SUCCEEDED


async def test_a_payer_who_cancels_comes_back_and_nothing_is_approved(provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    async with httpx2.AsyncClient(timeout=60) as payer:
        answered = await payer.post(order.action.redirect_url, data={"answer": "cancel"})
    assert answered.headers["location"] == f"https://shop.example/back?token={order.ref}"
    assert await provider.retrieve(order.ref) == order


async def test_a_page_of_no_order_is_a_404(paypal):
    async with httpx2.AsyncClient(base_url=paypal.url, timeout=60) as payer:
        assert (await payer.get("/checkoutnow?token=NONE")).status_code == 404
        assert (await payer.post("/checkoutnow?token=NONE", data={"answer": "approve"})).status_code == 404


@pytest.fixture
def inbox():
    with running_inbox() as running:
        yield running


def types(inbox):
    taken = []
    while not inbox.received.empty():
        taken.append(json.loads(inbox.received.get_nowait()[0])["event_type"])
    return taken


APPROVED, COMPLETED = "CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"


@pytest.mark.parametrize(
    ("meddling", "expected"),
    [
        ({}, [APPROVED, COMPLETED]),
        ({"drop": 1}, [COMPLETED]),
        ({"duplicate": 2}, [APPROVED, APPROVED, COMPLETED, COMPLETED]),
        ({"reorder": True}, [COMPLETED, APPROVED]),
        ({"delay_seconds": 9999}, [APPROVED, COMPLETED]),
    ],
    ids=lambda one: "-".join(one) or "plain" if isinstance(one, dict) else "",
)
async def test_webhooks_are_dropped_doubled_and_shuffled_on_request(paypal, provider, inbox, meddling, expected):
    await paypal.control("webhooks", url=inbox.url, paused=True, **meddling)
    await paypal.paid(provider, a_payment())
    assert types(inbox) == []
    assert (await paypal.control("webhooks/flush"))["taken"] == len(expected)
    assert types(inbox) == expected


async def test_a_delayed_webhook_is_sent_when_its_time_has_come(paypal, provider, inbox):
    await paypal.control("webhooks", url=inbox.url, delay_seconds=3600)
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    assert types(inbox) == []
    await paypal.advance(hours=1)
    assert json.loads((await inbox.next())[0])["event_type"] == APPROVED


async def test_a_webhook_that_was_not_taken_is_sent_again_with_a_signature_of_its_own(paypal, provider, inbox):
    await paypal.control("webhooks", url=inbox.url, paused=True)
    inbox.answers = [500]
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    assert [(await paypal.control("webhooks/flush"))["taken"] for _ in range(3)] == [0, 1, 0]
    (body, first), (again, second) = [await inbox.next() for _ in range(2)]
    assert body == again
    assert first["paypal-transmission-id"] != second["paypal-transmission-id"]
    assert (await provider.verify_webhook(body, first)).event_id == (
        await provider.verify_webhook(again, second)
    ).event_id


async def test_every_kind_of_event_has_its_shape(paypal, provider, inbox):
    await paypal.control("webhooks", url=inbox.url, paused=True)
    paid = await paypal.paid(provider, a_payment("pay_1", 1000))
    held = await paypal.paid(provider, a_payment("pay_2", manual_capture=True))
    await provider.cancel(held.ref, idempotency_key="x")
    await paypal.control("refunds/hold", count=2)
    for number, end in enumerate(["complete", "fail"]):
        refund = await provider.refund(
            paid.ref, refund_id=f"rfd_{number}", amount_minor=100, reason=None, idempotency_key=end
        )
        await paypal.control(f"refunds/{refund.ref}/{end}")
    await paypal.control(f"captures/{paid.movements[0].key}/reverse")
    for end in ("complete", "deny"):
        order = await provider.create(a_payment(f"pay_{end}"), idempotency_key=end)
        await paypal.control(f"orders/{order.ref}/plan", hold=True)
        await paypal.control(f"orders/{order.ref}/approve")
        waiting = await provider.confirm(order.ref, None, idempotency_key=f"{end}1")
        assert waiting.status is ProviderStatus.PROCESSING
        captures = [one["purchase_units"][0]["payments"] for one in await paypal.orders() if one["id"] == order.ref]
        await paypal.control(f"captures/{captures[0]['captures'][0]['id']}/{end}")
    await paypal.control("webhooks/flush")
    events = [json.loads(inbox.received.get_nowait()[0]) for _ in range(inbox.received.qsize())]
    assert {event["event_type"] for event in events} == {
        "CHECKOUT.ORDER.APPROVED",
        "PAYMENT.AUTHORIZATION.CREATED",
        "PAYMENT.AUTHORIZATION.VOIDED",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.DENIED",
        "PAYMENT.CAPTURE.PENDING",
        "PAYMENT.CAPTURE.REFUNDED",
        "PAYMENT.CAPTURE.REVERSED",
        "PAYMENT.REFUND.FAILED",
        "PAYMENT.REFUND.PENDING",
    }
    resources = {
        "capture": shapes.CAPTURE,
        "refund": shapes.REFUND,
        "authorization": shapes.AUTHORIZATION,
        "checkout-order": shapes.ORDER,
    }
    wrong = [
        what
        for event in events
        for what in shapes.mismatches(shapes.EVENT, event)
        + shapes.mismatches(resources[event["resource_type"]], event["resource"])
    ]
    assert wrong == []
    check_published_events(events)


def check_published_events(events):
    if not DOCUMENTS:
        return
    documents = published(DOCUMENTS)
    schemas = {
        "capture": ("capture-2", "payments_payment_v2"),
        "refund": ("refund", "payments_payment_v2"),
        "authorization": ("authorization-2", "payments_payment_v2"),
        "checkout-order": ("order", "checkout_orders_v2"),
    }
    wrong = [
        what
        for event in events
        for what in documents.event(event) + documents.resource(*schemas[event["resource_type"]], event["resource"])
    ]
    assert wrong == []


async def test_the_shapes_notice_what_is_missing_unknown_or_of_another_type(paypal, provider):
    await provider.create(a_payment(), idempotency_key="k")
    request, response = paypal.exchanges[-1]
    order = response.json()

    def answered(body):
        return mismatches(request, httpx2.Response(201, json=body))

    assert answered(order) == []
    assert answered(order | {"extra": 1})
    assert answered({name: value for name, value in order.items() if name != "links"})
    assert answered(order | {"status": "PAID"})
    unit = order["purchase_units"][0] | {"amount": {"currency_code": "USD", "value": 12}}
    assert answered(order | {"purchase_units": [unit]})
