"""Stripe shows a card's number in our page, and no answer of ours has it. The sandbox has a stand-in for its script."""

from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.console.browser.people import POINTER, company, people_at
from tests.e2e.conftest import good

ADDRESS = {"legal_name": "Acme", "line1": "Ring 1", "city": "Vienna", "postal_code": "1010", "country": "AT"}


async def test_stripe_shows_the_number_of_a_card_to_who_opens_it(world, open_window):
    buyer = await company(world, "owner")
    owner = buyer.people["owner"]
    good(await owner.put("/billing/profile", ADDRESS))
    agent = good(await owner.post("/agents", {"name": "Buyer"}), 201)["id"]
    body = {"agent_id": agent, "name": "Travel", "currency": "USD"}
    card = good(await owner.post("/cards", body), 201)
    async with people_at(open_window, POINTER) as at:
        person = await at(owner, f"{buyer.base}/cards/{card['id']}")
        person.window.heard.hosts.add(urlsplit(world.running.stripe_api_base).netloc)
        path = f"{buyer.base}/cards/{card['id']}/number"
        async with person.page.expect_response(
            lambda each: each.request.method == "POST" and urlsplit(each.url).path == path
        ) as answered:
            await person.page.get_by_role("link", name="Show number").click()
        answer = await (await answered.value).text()
        number = person.page.locator("#card-digits").frame_locator("iframe").locator("p")
        await expect(number).to_contain_text(card["last4"])
        digits = (await number.inner_text()).replace(" ", "")
        assert len(digits) == 16
        await expect(person.page.locator("#card-code").frame_locator("iframe").locator("p")).not_to_be_empty()
        assert person.window.heard.complaints == []
        assert digits not in await person.page.content() + answer
    shown = good(await owner.get("/audit?action=card.show"))["data"]
    assert [each["target"] for each in shown] == [card["id"]]
