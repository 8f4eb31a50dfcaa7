"""An agent pays a coffee by card on the running stack: Stripe's sandbox asks, and Bursar answers, books and charges."""

import pytest

from tests.e2e.conftest import good
from tests.e2e.payments.paying import CARD, Json, Payer, Sandboxes, until

pytestmark = pytest.mark.e2e
COFFEE = {"merchant_data[name]": "Corner Coffee", "merchant_data[category]": "eating_places_restaurants"}


async def test_coffee_is_authorized_captured_with_a_tip_and_refunded(payer: Payer, sandboxes: Sandboxes) -> None:
    await sandboxes.stripe("issuing/fund", amount=100_000, currency="usd")
    await payer.top_up("1000.00", **CARD)
    profile = {
        "legal_name": "Acme",
        "line1": "1 Main St",
        "city": "Springfield",
        "postal_code": "62701",
        "country": "US",
    }
    good(await payer.caller.put("/billing/profile", profile))
    agent = good(await payer.caller.post("/agents", {"name": "Barista"}), 201)
    body = {"agent_id": agent["id"], "name": "Coffee", "currency": "USD", "per_authorization": "5"}
    card = good(await payer.caller.post("/cards", body), 201)
    [at_stripe] = await sandboxes.at_stripe("issuing/cards", last4=card["last4"], limit="1")

    async def authorize(amount: str) -> Json:
        return await sandboxes.merchant("authorizations", card=at_stripe["id"], amount=amount, **COFFEE)

    async def payments() -> list[Json]:
        found = good(await payer.caller.get(f"/cards/{card['id']}/transactions"))["data"]
        # A busy machine may not have decided within the second that it has.
        return [each for each in found if [asked["approved"] for asked in each["requests"]] == [True]]

    asked = await until(lambda: authorize("400"), lambda found: found["approved"])
    assert asked["request_history"][0]["reason"] == "webhook_approved"
    [payment] = await until(payments, lambda found: len(found) == 1)
    assert (payment["status"], payment["amount"], payment["merchant"]["name"]) == ("pending", "4.00", "Corner Coffee")
    assert payment["requests"][0]["reason"] == "approved"
    assert await payer.balance() != ("1000.00", "0.00")

    captured = await sandboxes.merchant(f"authorizations/{asked['id']}/capture", capture_amount="450")
    # Stripe sends the transaction and the end of the authorization apart.
    [payment] = await until(payments, lambda found: (found[0]["captured"], found[0]["status"]) == ("4.50", "closed"))
    assert payment["transactions"][0]["beyond"] == "0.50"
    await sandboxes.merchant(f"transactions/{captured['transactions'][0]['id']}/refund")
    [payment] = await until(payments, lambda found: found[0]["refunded"] == "4.50")
    await until(payer.balance, lambda found: found == ("1000.00", "0.00"))

    # Bursar approves and holds, and Stripe never gets the answer: its event says so.
    await sandboxes.stripe("issuing/asking", lose=1)
    lost = await authorize("400")
    assert (lost["approved"], lost["request_history"][0]["reason"]) == (False, "webhook_timeout")
    await until(payer.balance, lambda found: found == ("1000.00", "0.00"))

    over = await authorize("501")
    assert (over["approved"], over["request_history"][0]["reason"]) == (False, "spending_controls")
    good(await payer.caller.post(f"/cards/{card['id']}/freeze"))
    frozen = await authorize("100")
    assert (frozen["approved"], frozen["request_history"][0]["reason"]) == (False, "card_inactive")


async def test_card_that_bursar_has_not_made_is_declined(sandboxes: Sandboxes) -> None:
    headers = {"Authorization": f"Bearer {sandboxes.running.stripe_api_key}"}
    base = f"{sandboxes.running.stripe_api_base}/v1/issuing"
    await sandboxes.stripe("issuing/fund", amount=1_000, currency="usd")
    address = {"line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US"}
    form = {"type": "company", "name": "Other", **{f"billing[address][{name}]": each for name, each in address.items()}}
    holder = (await sandboxes.http.post(f"{base}/cardholders", headers=headers, data=form)).json()
    form = {"type": "virtual", "currency": "usd", "status": "active", "cardholder": holder["id"]}
    card = (await sandboxes.http.post(f"{base}/cards", headers=headers, data=form)).json()

    async def decided() -> str:
        asked = await sandboxes.merchant("authorizations", card=card["id"], amount="1", **COFFEE)
        assert not asked["approved"]
        return str(asked["request_history"][0]["reason"])

    assert await until(decided, lambda reason: reason != "webhook_timeout") == "webhook_declined"
