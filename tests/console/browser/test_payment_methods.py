"""A card is stored by Stripe's form in our page. The sandbox serves a stand-in: Stripe's own script was never run."""

from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.console.browser.people import KEYBOARD, POINTER, WITHOUT_SCRIPTS, company, path_of, people_at
from tests.console.browser.test_top_up import ASKS_THE_BANK, DECLINED
from tests.e2e.conftest import good


async def test_a_card_is_declined_then_stored_by_the_form_in_the_page(world, open_window):
    buyer = await company(world, "owner")
    stripe = urlsplit(world.running.stripe_api_base).netloc
    async with people_at(open_window, KEYBOARD) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/payment-methods")
        owner.window.heard.hosts.add(stripe)
        owner.window.heard.expected.add(402)
        await owner.press("Add payment method")
        await expect(owner.page.get_by_role("button", name="Save method")).to_be_enabled()
        assert await owner.window.findings() == []
        # Axe asks the frame of another origin in vain, and Chromium says so.
        owner.window.heard.complaints.clear()

        number = owner.page.frame_locator("iframe").get_by_label("Card number")
        await number.fill(DECLINED)
        await owner.press("Save method")
        await expect(owner.page.get_by_role("alert")).to_contain_text("declined")
        await number.fill(ASKS_THE_BANK)
        await owner.press("Save method")
        await owner.page.get_by_role("button", name="Authorise").click()

        await owner.page.wait_for_url(lambda address: urlsplit(address).path == f"{buyer.base}/payment-methods")
        await owner.sees("ending in 3184")
        # The client secret that Stripe's answer puts into the address goes no further.
        assert "secret" not in owner.page.url
        assert owner.window.heard.complaints == []
    methods = good(await buyer.people["owner"].get("/billing/payment-methods"))["data"]
    assert [method["last4"] for method in methods] == ["3184"]


async def test_an_invented_return_says_what_is_stored(world, open_window):
    buyer = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"])
        await owner.window.page.goto(
            f"{owner.window.console_url.removesuffix('/console')}{buyer.base}/payment-methods/return"
            "?setup_intent=seti_1&redirect_status=succeeded"
        )

        await owner.sees("No payment methods")


async def test_without_scripts_the_provider_s_page_takes_methods(world, open_window):
    buyer = await company(world, "owner")
    stripe = urlsplit(world.running.stripe_api_base).netloc
    async with people_at(open_window, WITHOUT_SCRIPTS) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/payment-methods")
        owner.window.heard.hosts.add(stripe)
        await expect(owner.page.get_by_role("button", name="Add payment method")).to_be_hidden()
        await owner.press("Add or manage at the provider")
        await owner.page.wait_for_url(lambda address: urlsplit(address).netloc == stripe)
        await owner.page.get_by_role("link", name="Back").click()

        await owner.sees("No payment methods")
        assert path_of(owner.page) == f"{buyer.base}/payment-methods"
        assert owner.window.heard.complaints == []
