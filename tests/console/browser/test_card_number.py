"""A card's number is shown in frames of Stripe's origin. The sandbox serves a stand-in for Stripe's script."""

import re
from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.console.browser.people import POINTER, agent_of, company, people_at
from tests.e2e.conftest import good


async def test_the_number_is_shown_by_stripe_and_the_audit_trail_says_who_asked(world, open_window):
    buyer = await company(world, "owner")
    owner_key = buyer.people["owner"]
    address = {"line1": "1 Main St", "city": "Springfield", "postal_code": "62701", "country": "US"}
    good(await owner_key.put("/billing/profile", {"legal_name": "Acme", **address}))
    agent_id, _ = await agent_of(buyer)
    body = {"agent_id": agent_id, "name": "Coffee", "currency": "USD", "per_authorization": "5"}
    card = good(await owner_key.post("/cards", body), 201)
    async with people_at(open_window, POINTER) as at:
        owner = await at(owner_key, f"{buyer.base}/cards/{card['id']}")
        owner.window.heard.hosts.add(urlsplit(world.running.stripe_api_base).netloc)
        await owner.press("Show number", link=True)
        for place, pattern in (("digits", rf"^(\d{{4}} ){{3}}{card['last4']}$"), ("code", r"^\d{3}$")):
            shown = owner.page.frame_locator(f"#card-{place} iframe").locator("p")
            await expect(shown).to_have_text(re.compile(pattern))
        assert card["last4"] not in await owner.page.locator("main").inner_text()
        await expect(owner.page.get_by_role("alert")).to_be_hidden()
    trail = good(await owner_key.get(f"/audit?target={card['id']}"))["data"]
    assert "card.show" in {each["action"] for each in trail}
