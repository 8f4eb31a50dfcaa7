"""Credits bought by every provider, over HTTP, on the running stack."""

import asyncio
from typing import Any

import pytest

from tests.e2e.conftest import good, new_key, refused
from tests.e2e.payments.paying import CARD, Json, Payer, Sandboxes, until
from tests.e2e.payments.test_subscriptions import stored

#: A card that can be stored, and whose charges are declined.
DECLINED = "pm_card_chargeCustomerFail"

pytestmark = pytest.mark.e2e


async def test_card_buys_credits_at_once_and_its_fee_is_booked(payer: Payer, sandboxes: Sandboxes) -> None:
    made = await payer.top_up("100.00", **CARD)
    assert made == {
        "payment_id": made["payment_id"],
        "credits": "100.00",
        "status": "succeeded",
        "charge": {"amount": "10.00", "currency": "USD"},
    }
    assert await payer.balance() == ("100.00", "0.00")
    timeline = await payer.timeline({"id": made["payment_id"]})
    received = [step["details"] for step in timeline if step["kind"] == "received"]
    [intent] = await sandboxes.intents_of(made["payment_id"])
    [charge] = await sandboxes.at_stripe("charges", payment_intent=intent["id"])
    assert received == [{"amount": "10.00", "currency": "USD", "fee": "0.59", "movement": charge["id"]}]
    assert (charge["amount"], charge["paid"]) == (1000, True)


async def test_card_of_somebody_else_is_refused_like_one_that_does_not_exist(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    made = await payer.top_up("100.00", provider="stripe")
    path, told = f"/payments/{made['payment_id']}/confirm", []
    for method in (await sandboxes.stored_card(), "pm_1Qnobodyhasthisone"):
        document = refused(await payer.caller.post(path, {"payment_method": method}), 409, "payment.refused")
        told.append({name: value for name, value in document.items() if name != "request_id"})
    assert told[0] == told[1]
    assert (await payer.look(made))["status"] == "requires_action"


async def test_hosted_checkout_buys_a_package(payer: Payer, sandboxes: Sandboxes) -> None:
    made = good(await payer.caller.post("/billing/credits/purchase", {"package": "jumbo"}), 201)
    assert (made["credits"], made["charge"]) == ("5000.00", {"amount": "349.90", "currency": "USD"})
    assert await payer.balance() == ("0.00", "0.00")
    await sandboxes.check_out(made["url"])
    assert (await payer.settled(made))["package"] == "jumbo"
    assert await payer.balance() == ("5000.00", "0.00")
    [bought] = good(await payer.caller.get("/billing/credits/history"))["data"]
    assert (bought["credits"], bought["paid"]) == ("5000.00", {"amount": "349.90", "currency": "USD"})


async def test_paypal_buys_credits_once_the_payer_has_approved(payer: Payer, sandboxes: Sandboxes) -> None:
    made = await payer.top_up("100.00", provider="paypal")
    assert made["status"] == "requires_action"
    early = good(await payer.caller.post(f"/payments/{made['payment_id']}/confirm"))
    assert early["status"] == "requires_action"
    await sandboxes.approve(made["approval_url"])
    paid = await payer.settled(made)
    assert paid["received_amount"] == "10.00"
    assert await payer.balance() == ("100.00", "0.00")


async def test_buyer_whose_instrument_paypal_declines_pays_with_another(payer: Payer, sandboxes: Sandboxes) -> None:
    made = await payer.top_up("100.00", provider="paypal")
    order = made["approval_url"].rpartition("=")[2]
    await sandboxes.paypal(f"orders/{order}/plan", issue="INSTRUMENT_DECLINED")
    await sandboxes.approve(made["approval_url"])

    async def declines() -> list[Json]:
        steps = [step["details"] for step in await payer.timeline({"id": made["payment_id"]})]
        return [details for details in steps if "decline" in details]

    [declined, *_] = await until(declines, bool)
    assert declined["decline"] == "INSTRUMENT_DECLINED"
    assert await payer.balance() == ("0.00", "0.00")
    await sandboxes.paypal(f"orders/{order}/plan", issue=None)
    # Polls try nothing anew: it is the payer who says that they have chosen another instrument.
    good(await payer.caller.post(f"/payments/{made['payment_id']}/confirm"))
    await payer.settled(made)
    assert await payer.balance() == ("100.00", "0.00")


@pytest.mark.parametrize("asset", ["BTC", "ETH", "USDC", "TON"])
async def test_coins_buy_credits_at_the_quoted_rate(payer: Payer, sandboxes: Sandboxes, asset: str) -> None:
    made = await payer.top_up("100.00", provider="crypto", asset=asset)
    quoted = await payer.look(made)
    assert (quoted["quote"]["amount"], quoted["quote"]["currency"]) == ("10.00", "USD")
    assert made["charge"]["currency"] == asset
    await sandboxes.send(made["deposit"])
    paid = await payer.settled(made)
    assert paid["received_amount"] == made["deposit"]["amount"]
    assert await payer.balance() == ("100.00", "0.00")


async def test_pitfall_01_same_top_up_in_a_row_and_at_once_is_one_credit_and_one_charge(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    key, body = new_key(), {"amount": "100.00", **CARD}

    async def ask() -> dict[str, Any]:
        while (answer := await payer.caller.post("/billing/topup", body, key=key)).status_code == 409:
            refused(answer, 409, "idempotency.in_flight")
        return good(answer, 201)

    answers = await asyncio.gather(*(ask() for _ in range(6)))
    answers += [await ask(), await ask()]
    assert all(answer == answers[0] for answer in answers)
    assert await payer.balance() == ("100.00", "0.00")
    [intent] = await sandboxes.intents_of(answers[0]["payment_id"])
    assert len(await sandboxes.at_stripe("charges", payment_intent=intent["id"])) == 1
    assert len(good(await payer.caller.get("/payments"))["data"]) == 1


async def test_payment_waits_for_3d_secure_and_succeeds_when_the_payer_passes(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    made = await payer.top_up("100.00", provider="stripe", payment_method="pm_card_threeDSecure2Required")
    assert (made["status"], await payer.balance()) == ("requires_action", ("0.00", "0.00"))
    [intent] = await sandboxes.intents_of(made["payment_id"])
    await sandboxes.stripe("three_d_secure", payment_intent=intent["id"])
    await payer.settled(made)
    assert await payer.balance() == ("100.00", "0.00")


async def test_payer_who_fails_3d_secure_pays_with_another_card(payer: Payer, sandboxes: Sandboxes) -> None:
    made = await payer.top_up("100.00", provider="stripe")
    path = f"/payments/{made['payment_id']}/confirm"
    good(await payer.caller.post(path, {"payment_method": "pm_card_threeDSecure2Required"}))
    [intent] = await sandboxes.intents_of(made["payment_id"])
    await sandboxes.stripe("three_d_secure", payment_intent=intent["id"], outcome="fail")
    declined = await payer.caller.post(path, {"payment_method": "pm_card_chargeDeclined"})
    problem = refused(declined, 402, "payment.declined")
    assert (problem["decline_code"], problem["state"]) == ("generic_decline", "requires_action")
    good(await payer.caller.post(path, {"payment_method": "pm_card_visa"}))
    await payer.settled(made)
    assert await payer.balance() == ("100.00", "0.00")


async def test_pitfall_21_completed_checkout_that_is_not_paid_yet_grants_nothing(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    made = await payer.top_up("100.00", provider="stripe", hosted=True)
    checked_out = await sandboxes.check_out(made["approval_url"], "pm_usBankAccount_processing")
    session = checked_out["session"]
    assert (session["status"], session["payment_status"]) == ("complete", "unpaid")
    processing = await payer.settled(made, "processing")
    assert (processing["received_amount"], await payer.balance()) == ("0.00", ("0.00", "0.00"))
    await sandboxes.stripe("bank_debit", payment_intent=session["payment_intent"])
    await payer.settled(made)
    assert await payer.balance() == ("100.00", "0.00")


async def test_bank_debit_that_fails_after_days_of_processing_grants_nothing(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    made = await payer.top_up("100.00", provider="stripe", payment_method="pm_usBankAccount_processing")
    assert made["status"] == "processing"
    [intent] = await sandboxes.intents_of(made["payment_id"])
    await sandboxes.stripe("bank_debit", payment_intent=intent["id"], outcome="fail")
    failed = await payer.settled(made, "failed")
    assert (failed["received_amount"], failed["decline"] is None) == ("0.00", False)
    assert await payer.balance() == ("0.00", "0.00")


async def test_balance_that_falls_is_topped_up_once_and_a_decline_is_tried_again_later(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    card, declined = [await stored(payer, sandboxes, each) for each in ("pm_card_visa", DECLINED)]
    body = {"below": "50", "credits": "100", "monthly_cap": "1000", "payment_method": card}
    foreign = {**body, "payment_method": await sandboxes.stored_card()}
    refused(await payer.caller.put("/billing/auto-topup", foreign), 422, "payment_method.unknown")
    good(await payer.caller.put("/billing/auto-topup", body))
    await until(payer.balance, lambda balance: balance == ("100.00", "0.00"))
    good(await payer.caller.post("/credits/use", {"amount": "60"}), 201)
    await until(payer.balance, lambda balance: balance == ("140.00", "0.00"))
    made = good(await payer.caller.get("/payments"))["data"]
    assert [len(await sandboxes.intents_of(one["id"])) for one in made] == [1, 1]
    good(await payer.caller.put("/billing/auto-topup", {**body, "payment_method": declined}))
    good(await payer.caller.post("/credits/use", {"amount": "100"}), 201)

    async def read() -> Json:
        return good(await payer.caller.get("/billing/auto-topup"))

    shown = await until(read, lambda found: found["failed_attempts"] == 1)
    assert (shown["enabled"], shown["off_reason"], shown["next_attempt_at"] is None) == (True, None, False)
    assert shown["bought_this_month"] == "200.00"
    assert await payer.balance() == ("40.00", "0.00")
