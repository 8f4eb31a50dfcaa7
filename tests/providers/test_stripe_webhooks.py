"""Webhooks of Stripe: the signed are accepted, whichever secret signed them; what is no event is refused."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from providers.payments.base import BadSignature
from providers.payments.stripe import StripeProvider
from runtime.identity import new_id
from tests.providers.harness import key
from tests.providers.stripe_harness import SECRETS, SandboxHarness, paid_with, signed
from tests.support.cases import for_each

AN_EVENT = {
    "id": "evt_1",
    "type": "payment_intent.succeeded",
    "created": 1_800_000_000,
    "livemode": False,
    "data": {"object": {"id": "pi_1"}},
}
#: What makes no event of it.
NO_EVENTS: list[Mapping[str, object]] = [
    {"data": {"object": "pi_1"}},
    {"data": {"object": None}},
    {"data": {"object": []}},
    {"data": {"object": {}, "previous_attributes": "all"}},
    *[{"created": moment} for moment in (10**18, "now", None)],
    *[{"id": name} for name in (None, 7, "", "evt 1", "evt\x00", "\ud800", "e" * 256)],
    {"type": "t\x00"},
]


class TestWebhooks:
    async def test_each_secret_in_use_is_accepted(self, sandbox: SandboxHarness):
        body, _ = await sandbox.webhook(await paid_with(sandbox))
        for secret in SECRETS:
            again, headers = signed(body.decode(), secret)
            event = await sandbox.provider.verify_webhook(again, headers)
            assert event.type == "payment_intent.succeeded"
        _, headers = signed(body.decode(), "whsec_other")
        with pytest.raises(BadSignature):
            await sandbox.provider.verify_webhook(body, headers)

    async def test_invoice_names_its_subscription(self, sandbox: SandboxHarness):
        parent = {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}}
        thing = {"id": "in_2", "object": "invoice", "customer": "cus_1", "parent": parent}
        body = json.dumps({**AN_EVENT, "type": "invoice.paid", "data": {"object": thing}})
        event = await sandbox.provider.verify_webhook(*signed(body, SECRETS[0]))
        assert event.refs == ("in_2", "sub_1", "cus_1")

    @pytest.mark.parametrize("secrets", [(), ("",), (" ",)])
    async def test_without_a_secret_all_webhooks_are_refused(self, sandbox: SandboxHarness, secrets: tuple[str, ...]):
        body, headers = await sandbox.webhook(await paid_with(sandbox))
        closed = StripeProvider(sandbox.client, webhook_secrets=secrets)
        with pytest.raises(BadSignature):
            await closed.verify_webhook(body, headers)
        with pytest.raises(BadSignature):
            await closed.verify_webhook(*signed(body.decode(), secrets[0] if secrets else ""))

    async def test_an_event_that_was_signed_in_the_future_is_refused(self, sandbox: SandboxHarness):
        body = json.dumps(AN_EVENT)
        for age in (timedelta(), -timedelta(seconds=60)):
            event = await sandbox.provider.verify_webhook(*signed(body, SECRETS[0], age=age))
            assert event.event_id == "evt_1"
        for age in (-timedelta(hours=1), timedelta(hours=1)):
            with pytest.raises(BadSignature):
                await sandbox.provider.verify_webhook(*signed(body, SECRETS[0], age=age))

    @pytest.mark.parametrize(
        ("body", "header"),
        [
            (b"\xff\xfe", "t=1,v1=aa"),
            (b"{}", "t=1,v1=\u00e9"),
            (b"{}", "nonsense"),
            (b"{}", "t=9" + "9" * 400 + ",v1=aa"),
            (b"{}", ""),
        ],
    )
    async def test_nonsense_is_refused(self, sandbox: SandboxHarness, body: bytes, header: str):
        with pytest.raises(BadSignature):
            await sandbox.provider.verify_webhook(body, {"stripe-signature": header})

    @for_each(
        "body",
        [
            *("[]", "7", '{"id": "evt_1"}', '{"id": 1, "data": null}', "{", '{"data": {"object": []}}', "[" * 100_000),
            *(json.dumps(AN_EVENT | dict(changed)) for changed in NO_EVENTS),
        ],
    )
    async def test_a_signed_body_that_is_no_event_is_refused(self, sandbox: SandboxHarness, body: str):
        with pytest.raises(BadSignature):
            await sandbox.provider.verify_webhook(*signed(body, SECRETS[0]))

    async def test_every_event_has_references_to_its_payment(self, sandbox: SandboxHarness):
        paid = await paid_with(sandbox)
        opened = await sandbox.control("dispute", payment_intent=paid.ref)
        other = await paid_with(sandbox)
        await sandbox.provider.refund(
            other.ref, refund_id=new_id("ref"), amount_minor=100, reason=None, idempotency_key=key("refund")
        )
        events = await sandbox.client.v1.events.list_async({"limit": 100})
        seen = set()
        for event in events.data:
            told = await sandbox.provider.verify_webhook(*signed(str(event), SECRETS[0]))
            seen.add(told.type)
            assert told.refs[0] == event.data.object["id"]
            assert {paid.ref, other.ref} & set(told.refs), told.type
            if not told.type.startswith("charge.dispute"):
                assert told.payment_id
            else:
                assert opened["id"] in told.refs
        assert {"payment_intent.succeeded", "charge.refunded", "charge.dispute.created"} <= seen
