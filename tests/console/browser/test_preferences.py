"""A reader's language and time zone are the browser's until they are saved."""

from playwright.async_api import expect

from tests.console.browser.hands import Pointer
from tests.console.browser.people import Person, company


async def test_pages_follow_the_browser_until_a_time_zone_is_saved(world, open_window):
    own = await company(world, "owner")
    async with open_window(zone="Asia/Tokyo") as window:
        await window.sign_in(own.people["owner"].token)
        owner = Person(window, Pointer(), True)
        await owner.go("/console/preferences")
        foot = owner.page.locator(".foot")
        await expect(foot).to_contain_text("Times in Asia/Tokyo")
        await expect(owner.main.get_by_label("Language")).to_contain_text("As in the browser: English, United Kingdom")
        await owner.write("Time zone", "vienna")
        await owner.press("Save")
        await expect(foot).to_contain_text("Times in Europe/Vienna")
