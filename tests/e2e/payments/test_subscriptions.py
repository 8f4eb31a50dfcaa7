"""Subscriptions over HTTP, on the running stack: begun, changed, cancelled, resumed and ended."""

import asyncio

import pytest

from tests.e2e.conftest import good, new_key, refused
from tests.e2e.payments.paying import Json, Payer, Sandboxes, until

pytestmark = pytest.mark.e2e

SUBSCRIPTION = "/billing/subscription"
#: A card that can be stored, and whose charges are declined.
DECLINED = "pm_card_chargeCustomerFail"


async def look(payer: Payer) -> Json:
    return good(await payer.caller.get(SUBSCRIPTION))


async def plan_of(payer: Payer) -> str:
    return str(good(await payer.caller.get("/billing/entitlements"))["plan"])


async def stored(payer: Payer, sandboxes: Sandboxes, card: str = "pm_card_visa") -> str:
    """Store a card with the payer, which is not made the default."""
    customer = good(await payer.caller.post("/billing/customer"))["customer_id"]
    return await sandboxes.store(card, customer)


async def test_two_subscribes_at_once_are_one_which_gives_credits_a_plan_and_a_paid_invoice(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    refused(await payer.caller.post("/billing/subscribe", {"plan": "starter"}), 409, "payment.no_method")
    await stored(payer, sandboxes)
    keys = [new_key() for _ in range(2)]
    answers = await asyncio.gather(
        *(payer.caller.post("/billing/subscribe", {"plan": "starter"}, key=key) for key in keys)
    )
    kept, other = sorted(answers, key=lambda answer: answer.status_code)
    made = good(kept, 201)
    assert (made["plan"], made["status"], made["price"]["amount"], made["pending_change"]) == (
        *("starter", "active", "29.00"),
        None,
    )
    assert refused(other, 409, "subscription.exists")["plan"] == "starter"
    assert good(await payer.caller.get("/billing/profile"))["card_country"] == "US"
    again = await payer.caller.post("/billing/subscribe", {"plan": "starter"}, key=keys[answers.index(kept)])
    assert good(again, 201) == made == await look(payer)
    assert (await payer.balance(), await plan_of(payer)) == (("500.00", "0.00"), "starter")

    async def invoices() -> list[Json]:
        listed: list[Json] = good(await payer.caller.get("/billing/invoices"))["data"]
        return listed

    [invoice] = await until(invoices, lambda found: [each["status"] for each in found] == ["paid"])
    assert (invoice["total"], invoice["due"]) == ("29.00", "0.00")


async def test_pitfall_41_refund_of_a_period_takes_its_credits_first_and_is_less_what_they_paid_for(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    await stored(payer, sandboxes)
    good(await payer.caller.post("/billing/subscribe", {"plan": "starter"}), 201)

    async def payments() -> list[Json]:
        listed: list[Json] = good(await payer.caller.get("/payments?purpose=invoice"))["data"]
        return listed

    [payment] = await until(payments, lambda found: [each["status"] for each in found] == ["succeeded"])
    good(await payer.caller.post("/credits/use", {"amount": "100"}), 201)
    refunds, operator = f"/payments/{payment['id']}/refunds", payer.world.operator
    refused(await payer.caller.post(refunds, {}), 403, "auth.forbidden")
    exceeds = refused(await operator.post(refunds, {"amount": "29.00"}), 422, "payment.refund_exceeds_remainder")
    assert exceeds["refundable"] == "24.36"
    key = new_key()
    made = good(await operator.post(refunds, {}, key=key), 201)
    assert (made["amount"], await payer.balance()) == ("24.36", ("0.00", "0.00"))
    assert good(await operator.post(refunds, {}, key=key), 201)["id"] == made["id"]
    [invoice] = good(await payer.caller.get("/billing/invoices"))["data"]
    detail = good(await payer.caller.get(f"/billing/invoices/{invoice['id']}"))
    assert (detail["status"], [note["amount"] for note in detail["credit_notes"]]) == ("paid", ["24.36"])
    nothing = refused(await operator.post(refunds, {}), 422, "payment.refund_exceeds_remainder")
    assert nothing["refundable"] == "0.00"


async def test_agreed_price_is_made_at_the_provider_and_charged(payer: Payer, sandboxes: Sandboxes) -> None:
    await stored(payer, sandboxes)
    terms = {"mode": "prepaid", "plan_prices": [{"plan": "starter", "amount": "20.00"}]}
    path = f"/organizations/{payer.org_id}/billing-terms"
    good(await payer.world.operator.put(path, terms, key=new_key()))
    made = good(await payer.caller.post("/billing/subscribe", {"plan": "starter"}), 201)
    assert (made["price"]["amount"], made["is_agreed_price"], made["status"]) == ("20.00", True, "active")

    async def totals() -> list[str]:
        return [each["total"] for each in good(await payer.caller.get("/billing/invoices"))["data"]]

    assert await until(totals, bool) == ["20.00"]


async def test_larger_plan_acts_now_a_smaller_one_waits_and_is_withdrawn(payer: Payer, sandboxes: Sandboxes) -> None:
    await stored(payer, sandboxes)
    good(await payer.caller.post(SUBSCRIPTION, {"plan": "starter"}), 201)
    shown = good(await payer.caller.get(f"{SUBSCRIPTION}/preview?plan=professional"))
    assert (shown["kind"], shown["price"]["amount"]) == ("upgrade", "99.00")
    cheaper = {"plan": "professional", "max_amount": "1.00"}
    refused(await payer.caller.put(SUBSCRIPTION, cheaper, key=new_key()), 409, "subscription.price_changed")
    changed = good(await payer.caller.put(SUBSCRIPTION, {"plan": "professional"}, key=new_key()))
    assert (changed["plan"], changed["pending_change"], await plan_of(payer)) == ("professional", None, "professional")
    waiting = good(await payer.caller.put(SUBSCRIPTION, {"plan": "starter"}, key=new_key()))
    assert (waiting["plan"], waiting["pending_change"]["plan"]) == ("professional", "starter")
    enterprise = await payer.caller.put(SUBSCRIPTION, {"plan": "enterprise"}, key=new_key())
    refused(enterprise, 409, "subscription.change_pending")
    resumed = good(await payer.caller.post(f"{SUBSCRIPTION}/resume"))
    assert (resumed["plan"], resumed["pending_change"]) == ("professional", None)


async def test_subscription_is_cancelled_at_its_end_resumed_ended_now_and_begun_again(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    await stored(payer, sandboxes)
    first = good(await payer.caller.post("/billing/subscribe", {"plan": "starter"}), 201)
    assert good(await payer.caller.post("/billing/cancel"))["cancel_at_period_end"] is True
    refused(await payer.caller.delete(SUBSCRIPTION), 409, "subscription.wrong_state")
    assert good(await payer.caller.post(f"{SUBSCRIPTION}/resume"))["cancel_at_period_end"] is False
    ended = good(await payer.caller.post("/billing/cancel?at_period_end=false"))
    assert (ended["id"], ended["status"], await plan_of(payer)) == (first["id"], "ended", "free")
    refused(await payer.caller.get(SUBSCRIPTION), 404, "not_found")
    second = good(await payer.caller.post("/billing/subscribe", {"plan": "starter"}), 201)
    assert (second["status"], second["id"] != first["id"]) == ("active", True)


async def test_plan_of_a_suspended_organization_ends_with_its_period_unless_it_is_resumed(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    await stored(payer, sandboxes)
    good(await payer.caller.post("/billing/subscribe", {"plan": "starter"}), 201)

    async def ends() -> bool:
        return bool((await look(payer))["cancel_at_period_end"])

    standing = f"/organizations/{payer.org_id}"
    good(await payer.world.operator.post(f"{standing}/suspend", {"reason": "Under investigation."}))
    await until(ends, lambda found: found)
    good(await payer.world.operator.post(f"{standing}/resume"))
    await until(ends, lambda found: not found)


async def test_pitfall_23_page_is_for_the_price_that_was_agreed_and_gives_nothing_before_it_is_paid(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    asked = {"plan": "starter", "checkout": True, "return_url": "https://example.com/billing"}
    made = good(await payer.caller.post("/billing/subscribe", asked), 201)
    assert (made["status"], made["price"]["amount"], await payer.balance()) == ("incomplete", "29.00", ("0.00", "0.00"))
    [session] = [each for each in await sandboxes.at_stripe("checkout/sessions") if each["url"] == made["checkout_url"]]
    assert (session["amount_total"], session["currency"]) == (2900, "usd")
    refused(
        await payer.caller.put(SUBSCRIPTION, {"plan": "enterprise"}, key=new_key()), 409, "subscription.wrong_state"
    )
    await sandboxes.check_out(made["checkout_url"])
    paid = await until(lambda: look(payer), lambda found: found["status"] == "active")
    assert (paid["id"], paid["checkout_url"], await plan_of(payer)) == (made["id"], None, "starter")
    assert await payer.balance() == ("500.00", "0.00")


async def test_declined_card_begins_nothing_and_another_one_may(payer: Payer, sandboxes: Sandboxes) -> None:
    await stored(payer, sandboxes, DECLINED)
    answer = await payer.caller.post("/billing/subscribe", {"plan": "starter"})
    assert refused(answer, 402, "payment.declined")["decline_code"] == "generic_decline"
    refused(await payer.caller.get(SUBSCRIPTION), 404, "not_found")
    good_card = await stored(payer, sandboxes)
    good(await payer.caller.put(f"/billing/payment-methods/{good_card}/default", None))
    assert good(await payer.caller.post("/billing/subscribe", {"plan": "starter"}), 201)["status"] == "active"
