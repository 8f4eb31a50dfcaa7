"""A page that does not follow what happens says so: without a connection until there is one, and for good once gone."""

import re

from playwright.async_api import Page, Request, expect

from tests.console.browser.people import POINTER, company, delivered, people_at
from tests.e2e.conftest import good

STREAM = re.compile(r"/changes(\?|$)")


async def test_navigation_is_seen_whole_on_a_laptop(world, open_window):
    own = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        for key, path in ((own.people["owner"], own.base), (world.operator, "/console/platform")):
            person = await at(key, path)
            await person.page.set_viewport_size({"width": 1280, "height": 720})
            hidden = "document.getElementById('side').scrollHeight - document.getElementById('side').clientHeight"
            assert await person.page.evaluate(hidden) == 0


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

        await expect(offline).to_be_hidden()
        await expect(owner.main.locator("tbody tr")).to_have_count(2)
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
        await expect(owner.page.locator("#offline")).to_be_visible()
        await owner.page.unroute(here)

        await expect(owner.page.locator("#offline")).to_be_hidden()
        await expect(owner.main.locator("tbody tr")).to_have_count(2)


async def test_a_page_that_is_not_there_any_more_says_so_and_keeps_what_it_shows(world, open_window):
    own = await company(world, "owner", credits="100")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{own.base}/transactions")
        owner.window.heard.expected.add(404)
        await owner.stay()
        await owner.page.route(re.compile(r"/transactions$"), lambda route: route.fulfill(status=404, body=""))
        grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)

        await expect(owner.page.locator("#gone")).to_be_visible()
        await expect(owner.main.locator("tbody tr")).to_have_count(1)
        assert "No longer available" in await owner.page.locator("#said").inner_text()
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


async def test_a_hidden_tab_holds_no_stream_and_asks_for_what_it_missed(world, open_window):
    own = await company(world, "owner", credits="100")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"])
        async with owner.page.expect_request(STREAM):
            await owner.go(f"{own.base}/transactions")
        async with owner.page.expect_event("requestfailed", lambda request: bool(STREAM.search(request.url))):
            await hide(owner.page, hidden=True)
        grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)

        async with owner.page.expect_request(STREAM):
            await hide(owner.page, hidden=False)
        await expect(owner.main.locator("tbody tr")).to_have_count(2)


async def test_a_page_that_gets_no_stream_asks_every_fifteen_seconds(world, open_window):
    own = await company(world, "owner", credits="100")
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"])
        owner.window.heard.expected.add(503)
        await owner.page.clock.install()
        await owner.page.route(STREAM, lambda route: route.fulfill(status=503, body=""))
        here = re.compile(r"/transactions$")
        await owner.go(f"{own.base}/transactions")
        # The first question comes at once, because the stream has failed.
        async with owner.page.expect_response(lambda answer: is_asked_again(answer.request, here)):
            await owner.page.clock.run_for(1_000)
        grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)
        await expect(owner.main.locator("tbody tr")).to_have_count(1)

        async with owner.page.expect_response(lambda answer: is_asked_again(answer.request, here)):
            await owner.page.clock.run_for(15_000)
        await expect(owner.main.locator("tbody tr")).to_have_count(2)


def is_asked_again(request: Request, here: re.Pattern[str]) -> bool:
    """Tell whether a page asks for itself in the background."""
    return request.resource_type == "fetch" and here.search(request.url) is not None


async def hide(page: Page, *, hidden: bool) -> None:
    """Hide the tab, or show it again; a browser without a window never does."""
    await page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


async def test_an_open_dialog_says_that_what_it_asks_about_has_changed(world, open_window):
    buyer, seller = await company(world, "owner", credits="10"), await company(world, "owner")
    escrow = await delivered(buyer, seller, "5.00")
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/escrows/{escrow}")
        await owner.press("Sign and release", link=True)
        dialog = owner.page.locator("dialog[open]")
        await expect(dialog).to_contain_text("You sign for delivery 1 of")
        here = re.compile(re.escape(escrow))
        # The second question begins when the first one has been dealt with.
        for _ in range(2):
            async with owner.page.expect_response(lambda answer: is_asked_again(answer.request, here)):
                await owner.page.evaluate("dispatchEvent(new Event('online'))")
        await expect(dialog.get_by_role("alert")).to_have_count(0)
        again = {"artifacts": [], "note": "Something else"}
        good(await seller.people["owner"].post(f"/escrows/{escrow}/delivery", again))

        await expect(dialog.get_by_role("alert")).to_contain_text("This has changed.")
