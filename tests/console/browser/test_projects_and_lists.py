"""A slot makes room for what is deployed; a list's choice is in its address, and its CSV is the same."""

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import expect

from tests.console.browser.people import (
    POINTER,
    TELEPHONE,
    WITHOUT_SCRIPTS,
    company,
    path_of,
    people_at,
    rows_in,
)
from tests.e2e.conftest import good


async def test_a_slot_makes_room_for_one_project_more(world, open_window):
    own = await company(world, "owner")
    projects = f"{own.base}/projects"
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{projects}/new")
        host = urlsplit(world.running.stripe_api_base).netloc
        owner.window.heard.hosts.add(host)
        owner.window.heard.expected.add(409)
        await owner.write("Name", "First")
        await owner.press("Create project")
        await owner.press("Deploy first")
        await owner.sees_notice("Project deployed.")
        await owner.sees("1 of 1 projects, 1 of 1 deployed.")
        await owner.press("Create project", link=True)
        room = owner.main.get_by_role("heading", name="Project limit reached")
        await expect(room).to_be_visible()
        assert await owner.main.get_by_role("rowheader", name="Professional").is_visible()
        assert await owner.main.get_by_role("link", name="Undeploy first").last.is_visible()
        assert path_of(owner.page) == projects
        await owner.press("Not now")
        await expect(room).to_be_hidden()
        await owner.go(f"{projects}/new")
        await owner.write("Name", "Second")
        await owner.press("Create project")
        assert await owner.page.get_by_label("Name", exact=True).input_value() == "Second"
        await owner.go(projects)
        await owner.press("Create project", link=True)
        await owner.hands.press(owner.main.get_by_role("link", name="Buy a slot").last)
        await owner.tick(re.compile("^Card"))
        await owner.press("Continue")
        await owner.hands.press(owner.main.get_by_role("button", name=re.compile("^Pay ")))
        await owner.page.wait_for_url(lambda address: urlsplit(address).netloc == host)
        await owner.press("Pay")
        await owner.page.wait_for_url(re.compile("/return"))
        await owner.sees("Paid")

        await owner.go(f"{projects}/new")
        await owner.write("Name", "Second")
        await owner.press("Create project")
        await owner.press("Deploy second")
        await owner.sees_notice("Project deployed.")
        await owner.sees("2 of 2 projects, 2 of 2 deployed.", "in a slot")
        assert owner.window.heard.complaints == []


@pytest.mark.parametrize("way", [POINTER, WITHOUT_SCRIPTS])
async def test_a_choice_is_in_the_address_and_its_csv_is_the_list(world, open_window, way):
    own = await company(world, "owner", "auditor", credits="100")
    for amount in ("20", "30"):
        grant = {"organization_id": own.org_id, "amount": amount, "source": "promotion", "note": "spring offer"}
        good(await world.operator.post("/credits/grants", grant), 201)
    async with people_at(open_window, way) as at:
        owner = await at(own.people["owner"], f"{own.base}/transactions/entries")
        rows = owner.main.locator("tbody tr")
        await expect(rows).to_have_count(3)
        await owner.write("Text", "grant")
        await owner.write("From", "2026-01-01")
        await owner.press("Filter")
        await owner.page.wait_for_url(re.compile("q=grant"))
        address = urlsplit(owner.page.url)
        assert {name: values for name, values in parse_qs(address.query).items() if any(values)} == {
            "q": ["grant"],
            "from": ["2026-01-01"],
        }
        amounts = await rows.locator("td:nth-of-type(4)").all_inner_texts()
        await owner.page.reload()
        assert await rows.locator("td:nth-of-type(4)").all_inner_texts() == amounts
        auditor = await at(own.people["auditor"], f"{address.path}?{address.query}")
        assert await auditor.main.locator("tbody tr td:nth-of-type(4)").all_inner_texts() == amounts

        async with owner.page.expect_download() as begun:
            await owner.press("CSV", link=True)
        listed = rows_in(await (await begun.value).path())
        assert [f"+{each['amount']}\N{NO-BREAK SPACE}credits" for each in listed] == amounts

        await owner.press("Clear all", link=True)
        await owner.page.wait_for_url(lambda url: "q=grant" not in url)
        assert path_of(owner.page) == f"{own.base}/transactions/entries"


async def test_a_list_shows_what_happened_before_its_stream_began(world, open_window):
    own, granted = await company(world, "owner", credits="100"), asyncio.Event()

    async def late(route):
        await granted.wait()
        await route.continue_()

    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"])
        await owner.page.route("**/changes", late)
        await owner.go(f"{own.base}/transactions")
        await owner.stay()
        await expect(owner.main.locator("tbody tr")).to_have_count(1)
        grant = {"organization_id": own.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)
        granted.set()

        await expect(owner.main.locator("tbody tr")).to_have_count(2)
        await expect(await owner.credits()).to_contain_text("123.00")
        await owner.stayed()


async def test_what_a_list_is_filtered_by_folds_on_a_telephone_unless_it_is_wrong(world, open_window):
    own = await company(world, "owner")
    async with people_at(open_window, TELEPHONE) as at:
        owner = await at(own.people["owner"], f"{own.base}/escrows")
        owner.window.heard.expected.add(422)
        least = owner.main.get_by_label("At least", exact=True)
        await expect(least).to_be_hidden()
        await owner.main.locator("summary", has_text="Filter").click()
        await owner.write("At least", "1e3")
        await owner.press("Filter")
        await owner.page.wait_for_url(re.compile("min_amount=1e3"))
        await expect(least).to_be_visible()
        assert await least.input_value() == "1e3"
