"""Somebody finds an agent, reads its profile and hires it by name; compares plans by the year, and packages."""

import re

from tests.console.browser.people import POINTER, agent_of, company, people_at
from tests.e2e.conftest import good


async def test_an_agent_is_found_and_hired_by_its_name(world, open_window):
    buyer, seller = await company(world, "owner", credits="100"), await company(world, "owner")
    agent, name = await agent_of(seller)
    offer = {"model": "one_time", "price": "9.50", "summary": "Reads whole books."}
    good(await seller.people["owner"].put(f"/marketplace/agents/{agent}", offer))
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"], buyer.base)
        await owner.page.get_by_role("link", name="Agents", exact=True).click()
        await owner.page.get_by_role("link", name="Find agents").click()
        await owner.write("Search", name)
        await owner.press("Filter")
        await owner.sees(f"by {seller.name}", "No ratings yet · 0 rated jobs")
        await owner.press(name, link=True)
        await owner.sees("Reads whole books.", "Pricing", "To buy: 9.50 credits once.", "Recent feedback")
        assert await owner.main.get_by_role("link", name="Buy for 9.50").count() == 1
        await owner.press("Hire", link=True)
        await owner.sees(f"Hire {name}")
        await owner.write("Work", "Read the quarter")
        await owner.write("Price", "40.00")
        await owner.press("Hire")
        await owner.sees(f"Hire {name} and pay 40.00 credits into escrow?", f"by {seller.name}")
        assert await owner.window.findings() == []
        assert not re.search(r"(agt|org|esc|ctr)_\w{20}", await owner.text())
        assert owner.window.heard.complaints == []
    assert good(await buyer.people["owner"].get("/contracts"))["data"] == []


async def test_plans_say_what_a_year_saves_and_packages_what_they_save(world, open_window):
    buyer = await company(world, "owner")
    async with people_at(open_window, POINTER) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/billing/plans")
        await owner.sees("29.00 USD", "Current plan", "Starter has more credits a month (500 instead of 0).")
        assert "Save" not in await owner.text()
        await owner.press("Yearly", link=True)
        await owner.sees("290.00 USD", "Save 16%", "58.00 USD less than 12 months")
        await owner.press("Choose Starter", link=True)
        await owner.sees("Subscribe for 290.00 USD a year")
        await owner.go(f"{buyer.base}/top-up")
        await owner.sees("Medium: 500 credits", "39.90 USD, 0.0798 USD per credit", "0.06998 USD per credit. Save 30%")
        text = await owner.text()
        assert (text.count("Save"), "Pack 500" in text) == (1, False)
