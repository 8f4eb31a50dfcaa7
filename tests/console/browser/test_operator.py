"""An operator resolves a planted difference; an auditor reads everything, is offered nothing and can change nothing."""

import json
import re
from urllib.parse import urlsplit

from playwright.async_api import expect

from runtime.database import Database
from tests.console import planted
from tests.console.browser.people import (
    KEYBOARD,
    Person,
    company,
    delivered,
    path_of,
    people_at,
)
from tests.e2e.conftest import good

#: Forms that every role has: the end of its session, and its preferences.
OWN_FORMS = {"/console/sign-out", "/console/preferences"}


async def test_an_operator_books_a_planted_difference(world, open_window):
    database = Database(world.running.database_url, world.running.database_url)
    made = await planted.difference(database)
    await database.close()
    place = f"/console/platform/reconciliation/{made['run']}"
    async with people_at(open_window, KEYBOARD) as at:
        operator = await at(world.operator, place)
        row = operator.main.get_by_role("row", name=re.compile("ch_planted"))
        await operator.hands.press(row.get_by_role("link"))
        await operator.sees("Booked here", "nothing", f"Listed by {made['provider']}", "9.41")
        await operator.write("Reason", "The webhook was lost")
        await operator.press("Book the correction")
        await operator.sees_notice("Correction booked. The books now agree with the provider.")
        await operator.sees("The webhook was lost", "Transfer of the correction")

        await operator.go(f"/console/platform/clearing/{made['provider']}")
        row = operator.main.get_by_role("row", name=re.compile("^Not explained"))
        await expect(row).to_contain_text("0.00")
    found = good(await world.operator.get(f"/reconciliation/differences/{made['difference']}"))
    assert found["resolution"] == "booked"


async def test_an_auditor_reads_everything_and_can_change_nothing(world, open_window):
    buyer, seller = await company(world, "owner", "auditor", credits="100"), await company(world, "owner")
    escrow = await delivered(buyer, seller, "12.00")
    async with people_at(open_window, KEYBOARD) as at:
        auditor = await at(buyer.people["auditor"], buyer.base)
        auditor.window.heard.expected.add(403)
        pages = auditor.page.get_by_role("navigation", name="Pages", exact=True)
        paths = [await each.get_attribute("href") for each in await pages.locator("a").all()]
        assert len(paths) > 10
        groups = pages.locator(":scope > ul > li > a")
        for number in range(await groups.count()):
            async with auditor.page.expect_navigation():
                await auditor.hands.press(groups.nth(number))
        for path in paths:
            await auditor.go(path)
            assert path_of(auditor.page) == path
            assert await forms_at(auditor) <= OWN_FORMS
        for path, link in ((f"{buyer.base}/settings", "Audit trail"), (f"{buyer.base}/escrows", "Read the quarter")):
            async with auditor.page.expect_navigation():
                await auditor.hands.press(groups.and_(auditor.page.locator(f"[href='{path}']")))
            async with auditor.page.expect_navigation():
                await auditor.press(link, link=True)
            assert path_of(auditor.page).startswith(f"{path}/")
            assert await forms_at(auditor) <= OWN_FORMS
        assert path_of(auditor.page) == f"{buyer.base}/escrows/{escrow}"

        # A form that the page never offered, sent from the page itself.
        forced = {"action": f"{buyer.base}/escrows/{escrow}/dispute", "command": "con_forced-by-an-auditor-1"}
        await auditor.page.evaluate(
            """({action, command}) => {
              const form = document.createElement("form");
              form.method = "post";
              form.action = action;
              for (const [name, value] of [["command", command], ["dispute_reason", "None"]]) {
                const field = document.createElement("input");
                [field.name, field.value] = [name, value];
                form.append(field);
              }
              document.body.append(form);
              form.submit();
            }""",
            forced,
        )
        await expect(auditor.page.get_by_role("heading", level=1)).to_contain_text("Not permitted for your role")
        assert path_of(auditor.page) == forced["action"]
    assert good(await buyer.people["owner"].get(f"/escrows/{escrow}"))["status"] == "delivered"
    trail = await world.operator.get("/audit", params={"organization_id": buyer.org_id, "limit": 100})
    assert "con_forced" not in json.dumps(good(trail))


async def forms_at(person: Person) -> set[str]:
    """Return where the forms of the page lead that change anything."""
    forms = await person.page.locator("form[method=post]").evaluate_all("all => all.map(e => e.action)")
    return {urlsplit(address).path for address in forms}
