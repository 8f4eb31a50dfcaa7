"""A page that does not follow what happens says so: without a connection until there is one, and for good once gone."""

import re

from playwright.async_api import expect

from tests.console.browser.people import PATIENCE, POINTER, company, people_at
from tests.e2e.conftest import good


async def test_a_page_without_a_connection_says_so_and_is_brought_up_to_date_afterwards(world, open_window):
    own = await company(world, "owner", credits="100")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{own.base}/transactions")
        offline = owner.page.locator("#offline")
        await expect(offline).to_be_hidden()
        await owner.stay()
        await owner.window.context.set_offline(True)
        await expect(offline).to_be_visible()
        assert "Offline" in await owner.page.locator("#said").inner_text()
        grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)
        await owner.window.context.set_offline(False)

        await expect(offline).to_be_hidden(timeout=PATIENCE)
        await expect(owner.main.locator("tbody tr")).to_have_count(2, timeout=PATIENCE)
        await owner.stayed()


async def test_a_server_that_does_not_answer_makes_the_page_say_that_it_is_not_live(world, open_window):
    own = await company(world, "owner", credits="100")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{own.base}/transactions")
        owner.window.heard.expected.add(503)
        here = re.compile(r"/transactions$")
        await owner.page.route(here, lambda route: route.fulfill(status=503, body=""))
        grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)
        await expect(owner.page.locator("#offline")).to_be_visible(timeout=PATIENCE)
        await owner.page.unroute(here)

        await expect(owner.page.locator("#offline")).to_be_hidden(timeout=PATIENCE)
        await expect(owner.main.locator("tbody tr")).to_have_count(2, timeout=PATIENCE)


async def test_a_page_that_is_not_there_any_more_says_so_and_keeps_what_it_shows(world, open_window):
    own = await company(world, "owner", credits="100")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{own.base}/transactions")
        owner.window.heard.expected.add(404)
        await owner.stay()
        await owner.page.route(re.compile(r"/transactions$"), lambda route: route.fulfill(status=404, body=""))
        grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)

        await expect(owner.page.locator("#gone")).to_be_visible(timeout=PATIENCE)
        await expect(owner.main.locator("tbody tr")).to_have_count(1)
        assert "not there any more" in await owner.page.locator("#said").inner_text()
        await owner.stayed()


async def test_a_page_that_never_was_says_nothing_of_being_gone(world, open_window):
    own = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"])
        owner.window.heard.expected.add(404)
        await owner.go(f"{own.base}/nothing")
        async with owner.page.expect_response(re.compile(r"/nothing$")):
            await owner.page.evaluate("dispatchEvent(new Event('online'))")

        await expect(owner.page.locator("#gone")).to_be_hidden()
