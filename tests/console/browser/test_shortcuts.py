"""Single keys search, list themselves, lead to pages and walk rows. They can be switched off, and typing is typing."""

from playwright.async_api import expect

from tests.console.browser.people import POINTER, company, path_of, people_at
from tests.e2e.conftest import good


async def test_keys_search_lead_and_walk(world, open_window):
    own = await company(world, "owner", credits="100")
    grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
    good(await world.operator.post("/credits/grants", grant), 201)
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{own.base}/transactions")
        keys, seek = owner.page.keyboard, owner.page.locator("#seek")
        for key in ("/", "Control+k"):
            await keys.press(key)
            await expect(seek).to_be_focused()
            # What is typed there is text: it opens nothing, and leads nowhere.
            await keys.type("?ge/j")
            await expect(seek).to_have_value("?ge/j")
            await seek.fill("")
            await seek.blur()
        assert path_of(owner.page) == f"{own.base}/transactions"

        await keys.press("?")
        await expect(owner.page.locator("#shortcuts")).to_be_visible()
        await keys.press("Escape")
        await expect(owner.page.locator("#shortcuts")).to_be_hidden()

        rows = owner.main.locator("tbody a.row")
        await expect(rows).to_have_count(2)
        for key, row in (("j", 0), ("j", 1), ("j", 1), ("k", 0), ("j", 1)):
            await keys.press(key)
            await expect(rows.nth(row)).to_be_focused()
        there = await rows.nth(1).get_attribute("href")
        async with owner.page.expect_navigation():
            await keys.press("Enter")
        assert path_of(owner.page) == there

        link = owner.page.locator("[data-go]").nth(1)
        letter, page = await link.get_attribute("data-go"), await link.get_attribute("href")
        async with owner.page.expect_navigation():
            await keys.type(f"g{letter}")
        assert path_of(owner.page) == page


async def test_single_keys_are_switched_off_and_those_with_control_stay(world, open_window):
    own = await company(world, "owner", credits="100")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], "/console/preferences")
        await owner.main.get_by_label("Keyboard shortcuts").uncheck()
        await owner.press("Save")
        await owner.go(f"{own.base}/transactions")
        keys, seek = owner.page.keyboard, owner.page.locator("#seek")
        for key in ("/", "?", "j"):
            await keys.press(key)
        await expect(seek).not_to_be_focused()
        await expect(owner.page.locator("#shortcuts")).to_be_hidden()
        await expect(owner.main.locator("a.row").first).not_to_be_focused()
        await keys.press("Control+k")
        await expect(seek).to_be_focused()
