"""The pages of cards: what is offered to whom, and the number, of which nothing passes through here."""

from typing import Any

from console.policy import POLICY
from tests.console.fake import ME, ORG, OWN, SANDBOX, FakeApi, browser

ID = "crd_01kar6h2d8e4wvq3r5s7t9x1zy"
BASE = f"/console/{ORG}/cards"
CARD: dict[str, Any] = {
    **{"id": ID, "organization_id": ORG, "agent_id": "agt_01kar6h2d8e4wvq3r5s7t9x1zy", "agent_name": "Buyer"},
    **{"purchase_order_id": None, "name": "Travel", "status": "active", "currency": "USD", "categories": []},
    **{"per_authorization": "50.00", "per_month": None, "brand": "Visa", "card_ref": "ic_1", "last4": "4242"},
    **{"exp_month": 1, "exp_year": 2030, "created_at": "2026-01-01T12:00:00Z"},
}
PAYMENT: dict[str, Any] = {
    **{"id": "cau_01kar6h2d8e4wvq3r5s7t9x1zy", "card_id": ID, "status": "closed", "currency": "USD"},
    **{"amount": "4.00", "captured": "5.00", "refunded": "1.00", "credits": "62.50"},
    "merchant": {"name": "<Corner> Shop", "category": "fast_food_restaurants", "country": "AT", "city": "Vienna"},
    "requests": [
        {"amount": "4.00", "approved": True, "reason": "approved", "spend_id": None, "at": "2026-01-01T12:00:00Z"}
    ],
    "transactions": [
        {
            **{"kind": "capture", "amount": "5.00", "beyond": "1.00", "dispute_status": None, "returned": "0.00"},
            "occurred_at": "2026-01-01T12:00:00Z",
        }
    ],
    "created_at": "2026-01-01T12:00:00Z",
}
ELEMENTS = {**SANDBOX, "stripe_publishable_key": "pk_test_1", "stripe_elements": True}
ANSWERS = {
    "GET /me": (200, {**ME, "permissions": ["read", "read_billing", "manage_billing"]}),
    f"GET /cards/{ID}": (200, CARD),
    f"GET /cards/{ID}/transactions": (200, {"data": [PAYMENT], "next_cursor": None}),
    f"POST /cards/{ID}/display": (200, {"ephemeral_key": "ek_1"}),
}


async def test_a_payment_beyond_its_authorization_says_so_with_what_was_refunded() -> None:
    async with browser(FakeApi(answers=ANSWERS), signed_in=True) as client:
        page = (await client.get(f"{BASE}/{ID}")).text
    assert "&lt;Corner&gt; Shop" in page
    assert "Captured above the authorized amount" in page
    assert "refunded</span>" in page
    assert "Visa ending in 4242" in page


async def test_the_number_is_stripes_to_show_and_its_page_alone_lets_stripe_in() -> None:
    api = FakeApi(answers=ANSWERS)
    async with browser(api, signed_in=True, **ELEMENTS) as client:
        card = await client.get(f"{BASE}/{ID}")
        number = await client.get(f"{BASE}/{ID}/number")
        form = {"command": "con_0123456789abcdef", "nonce": "ephkn_1"}
        key = await client.post(f"{BASE}/{ID}/number", data=form, headers=OWN)
    assert f'href="{BASE}/{ID}/number"' in card.text
    assert card.headers["content-security-policy"] == POLICY
    assert "frame-src http://127.0.0.1:9" in number.headers["content-security-policy"]
    assert 'data-card="ic_1"' in number.text
    assert (key.json(), key.headers["cache-control"]) == ({"ephemeral_key": "ek_1"}, "no-store")
    assert [body for name, _, body in api.asked if name.endswith("/display")] == [{"nonce": "ephkn_1"}]


async def test_without_stripes_script_no_number_is_offered() -> None:
    async with browser(FakeApi(answers=ANSWERS), signed_in=True, **SANDBOX) as client:
        card = await client.get(f"{BASE}/{ID}")
        number = await client.get(f"{BASE}/{ID}/number")
    assert "Show number" not in card.text
    assert number.status_code == 404
