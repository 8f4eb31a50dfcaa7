"""Webhooks of PayPal: the signed are accepted; the forged, the stale, and what is no event are refused."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from providers.payments.base import BadSignature
from tests.providers.paypal_signer import BODY, EVENT, Signer
from tests.support.cases import for_each
from tests.support.paypal import a_payment, running_inbox, running_paypal


async def test_webhook_of_the_sandbox_is_accepted_and_names_the_payment(tmp_path):
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


async def test_event_has_time_payment_and_type():
    signer = Signer()
    event = await signer.verify(BODY, signer.headers(BODY))
    assert (event.event_id, event.type, event.payment_id) == ("WH-1", "PAYMENT.CAPTURE.COMPLETED", "pay_1")
    assert event.refs == ("CAPTURE1", "ORDER1")
    assert event.occurred_at == datetime(2026, 11, 20, 11, 59, tzinfo=UTC)
    assert event.livemode


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
async def test_invalid_signature_is_refused(signature):
    signer = Signer()
    with pytest.raises(BadSignature):
        await signer.verify(BODY, signer.headers(BODY) | {"paypal-transmission-sig": signature})


async def test_signature_with_additional_bytes_is_refused():
    signer = Signer()
    headers = signer.headers(BODY)
    headers["paypal-transmission-sig"] += "!"
    with pytest.raises(BadSignature):
        await signer.verify(BODY, headers)


@pytest.mark.parametrize("host", ["xn--a", "xn--", "a..b", "[", "\u2100"])
async def test_invalid_certificate_host_is_refused(host):
    signer = Signer()
    headers = signer.headers(BODY) | {"paypal-cert-url": f"https://{host}/v1/notifications/certs/CERT-1"}
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
        ("0001-01-01T00:00:00+23:59", False),
        ("9999-12-31T23:59:59-23:59", False),
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


@for_each(
    "body",
    [
        *(b"[]", b"{}", b"not json", b"\xff", b"[" * 100_000),
        *(json.dumps(EVENT | dict(changed)).encode() for changed in NO_EVENTS),
    ],
)
async def test_signed_body_that_is_not_an_event_is_refused(body):
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
