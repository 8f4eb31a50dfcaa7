"""Webhooks that come twice, late, early, in the wrong order or never, and answers that get lost."""

import asyncio

import pytest

from tests.e2e.conftest import good, new_key, refused
from tests.e2e.payments.paying import CARD, Payer, Sandboxes, until

pytestmark = pytest.mark.e2e


async def test_pitfall_02_webhooks_that_come_three_times_at_once_have_one_effect(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    await sandboxes.stripe("webhooks", duplicate=2)
    made = await payer.top_up("100.00", provider="stripe", hosted=True)
    await sandboxes.check_out(made["approval_url"])
    await payer.settled(made)
    await sandboxes.stripe("webhooks/flush")
    assert await payer.balance() == ("100.00", "0.00")
    assert [step["kind"] for step in await payer.timeline({"id": made["payment_id"]})].count("received") == 1


async def test_pitfall_11_shuffled_and_doubled_webhooks_end_in_the_providers_own_state(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    await sandboxes.stripe("webhooks", duplicate=1, reorder=600, seed=11)
    made = await payer.top_up("100.00", provider="stripe")
    path = f"/payments/{made['payment_id']}"
    await payer.caller.post(f"{path}/confirm", {"payment_method": "pm_card_chargeDeclined"})
    good(await payer.caller.post(f"{path}/confirm", {"payment_method": "pm_card_visa"}))
    payment = await payer.settled(made)
    good(await payer.refund(payment, "2.50"), 201)
    await sandboxes.stripe("dispute", charge=await payer.charge_of(payment))
    await payer.settled(payment, "disputed")
    await sandboxes.stripe("webhooks/flush")
    ended = await payer.look(payment)
    assert (ended["status"], ended["refunded_amount"], ended["disputed_amount"]) == ("disputed", "2.35", "7.65")
    # The bank takes the fee back as well, which was kept of the refund.
    assert await payer.balance() == ("0.00", "1.50")


async def test_payment_whose_webhooks_are_all_lost_is_found_by_asking(payer: Payer, sandboxes: Sandboxes) -> None:
    await sandboxes.stripe("webhooks", drop=1.0)
    made = await payer.top_up("100.00", provider="stripe", hosted=True)
    await sandboxes.check_out(made["approval_url"])
    await payer.settled(made)
    assert await payer.balance() == ("100.00", "0.00")


async def test_webhooks_that_come_after_everything_else_change_nothing(payer: Payer, sandboxes: Sandboxes) -> None:
    await sandboxes.stripe("webhooks", pause=True)
    payment = await payer.pay()
    good(await payer.refund(payment, "4.00"), 201)
    before = await payer.settled(payment, "partially_refunded")
    await sandboxes.stripe("webhooks")
    await sandboxes.stripe("webhooks/flush")
    after = await payer.look(payment)
    assert {name: after[name] for name in ("status", "received_amount", "refunded_amount", "granted")} == {
        name: before[name] for name in ("status", "received_amount", "refunded_amount", "granted")
    }
    assert await payer.balance() == ("60.00", "0.00")


async def test_pitfall_28_webhook_before_the_answer_that_made_the_payment_finds_it(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    """Stripe commits and stays silent: its webhooks are there long before the call that made the payment ends."""
    fault = {"mode": "timeout_after_commit", "path": "/v1/payment_intents", "method": "POST"}
    await sandboxes.stripe("faults", **fault)
    key, body = new_key(), {"amount": "100.00", **CARD}

    async def ask() -> object:
        return await payer.caller.post("/billing/topup", body, key=key)

    asking = asyncio.create_task(ask())
    found = await until(lambda: payer.caller.get("/payments"), lambda answer: good(answer)["data"] != [])
    [payment] = good(found)["data"]
    await payer.settled(payment)
    await asking
    made = await until(ask, lambda answer: answer.status_code != 409)
    assert good(made, 201)["payment_id"] == payment["id"]
    [intent] = await sandboxes.intents_of(payment["id"])
    assert len(await sandboxes.at_stripe("charges", payment_intent=intent["id"])) == 1
    assert await payer.balance() == ("100.00", "0.00")


@pytest.mark.parametrize("mode", ["500_after_commit", "close_after_commit"])
async def test_pitfall_10_lost_answer_is_looked_up_and_charges_once(
    payer: Payer, sandboxes: Sandboxes, mode: str
) -> None:
    await sandboxes.stripe("webhooks", drop=1.0)
    await sandboxes.stripe("faults", mode=mode, path="/v1/payment_intents", method="POST")
    payment = await payer.pay()
    [intent] = await sandboxes.intents_of(payment["id"])
    assert len(await sandboxes.at_stripe("charges", payment_intent=intent["id"])) == 1
    assert await payer.balance() == ("100.00", "0.00")


async def test_paypal_that_commits_and_stays_silent_captures_once(payer: Payer, sandboxes: Sandboxes) -> None:
    await sandboxes.paypal("webhooks", duplicate=5, reorder=True)
    made = await payer.top_up("100.00", provider="paypal")
    await sandboxes.paypal("faults", fault="timeout_after_commit", count=1, path="/capture")
    order = await sandboxes.approve(made["approval_url"])
    await payer.settled(made)
    await sandboxes.paypal("webhooks/flush")
    assert len(await sandboxes.captures_of(order)) == 1
    assert await payer.balance() == ("100.00", "0.00")


async def test_webhook_that_nobody_signed_is_refused(payer: Payer) -> None:
    forged = {"id": "evt_forged", "type": "payment_intent.succeeded", "data": {"object": {}}}
    refused(await payer.world.anonymous.post("/webhooks/stripe", forged, key=None), 400, "webhook.bad_signature")
    refused(await payer.world.anonymous.post("/webhooks/paypal", forged, key=None), 400, "webhook.bad_signature")
