"""Somebody who knows no address and no id hires an agent, pays it, disputes and subscribes by what pages say."""

from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.console.browser.people import Company, agent_of, company
from tests.e2e.conftest import good

#: From the page of signing in to the plan that is paid for.
MOST_CLICKS = 25


class Newcomer:
    """Clicks on texts that can be read, writes into fields by their labels, and counts the clicks."""

    def __init__(self, window):
        self.page, self.clicks = window.page, 0

    async def click(self, text):
        shown = self.page.locator("dialog[open], body:not(:has(dialog[open]))")
        links, buttons = (shown.get_by_role(role, name=text, exact=True) for role in ("link", "button"))
        await links.or_(buttons).and_(self.page.locator(":visible")).first.click()
        self.clicks += 1

    async def write(self, label, text):
        await self.page.get_by_label(label, exact=True).and_(self.page.locator(":visible")).first.fill(text)

    async def reads(self, *texts):
        for text in texts:
            await expect(self.page.locator("body")).to_contain_text(text)


async def test_newcomer_hires_pays_disputes_and_subscribes_in_a_few_clicks(world, open_window):
    buyer: Company = await company(world, "owner", credits="200")
    seller = await company(world, "owner")
    _, name = await agent_of(seller)
    stripe = urlsplit(world.running.stripe_api_base).netloc
    async with open_window() as window:
        window.heard.hosts.add(stripe)
        someone = Newcomer(window)
        await window.go("/console/sign-in")
        await someone.write("API key", buyer.people["owner"].token)
        await someone.click("Sign in")

        await someone.click("Agents")
        await someone.click("Find agents")
        await someone.write("Search", name)
        await someone.click("Filter")
        await someone.click(name)
        await someone.click("Hire")
        await someone.write("Work", "Read the quarter")
        await someone.write("Price", "40.00")
        await someone.click("Hire")
        await someone.click("Hire and pay 40.00 credits")
        await someone.reads("The money is in escrow.")
        [escrow] = good(await buyer.people["owner"].get("/escrows"))["data"]
        good(await seller.people["owner"].post(f"/escrows/{escrow['id']}/delivery", {"artifacts": [], "note": "Done"}))

        await someone.click("Home")
        await someone.click("Read the quarter")
        await someone.click("Dispute")
        await someone.write("Reason", "A third of it is wrong")
        await someone.click("Dispute")
        await someone.reads("Dispute opened.")

        await someone.click("Free: upgrade")
        await someone.click("Choose Starter")
        await someone.click("Subscribe for 29.00 USD a month")
        # The console leads on to the provider's page by itself.
        await window.page.wait_for_url(lambda address: urlsplit(address).netloc == stripe)
        await someone.click("Subscribe")
        await someone.reads("Starter", "500.00 credits", "Active")
        assert "continue below" not in await window.page.inner_text("main")
    assert someone.clicks <= MOST_CLICKS
