"""Work is awarded, funded, delivered, signed by two people and paid; both sides see it without reloading."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.console.browser.people import (
    KEYBOARD,
    TELEPHONE,
    WITHOUT_SCRIPTS,
    agent_of,
    company,
    path_of,
    people_at,
)
from tests.e2e.conftest import good


@pytest.mark.parametrize("way", [KEYBOARD, pytest.param(WITHOUT_SCRIPTS, marks=pytest.mark.slow)])
async def test_work_is_paid_when_two_people_have_signed(world, open_window, way):
    buyer = await company(world, "owner", "admin", "finance", credits="100")
    seller = await company(world, "owner")
    agent, name = await agent_of(seller)
    async with people_at(open_window, way) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/escrows/new?agent={agent}")
        await owner.write("Work", "Read the quarter")
        await owner.write("Price", "40.00")
        await owner.unfold("Approval and milestones")
        await owner.write("Signatories", "admin\nfinance")
        await owner.tick("Pay into escrow from credits")
        await owner.press("Hire")
        await owner.sees(
            f"Hire {name} and pay 40.00 credits into escrow?", "40.00 credits will be moved from your credits"
        )
        await owner.press("Hire and pay 40.00\N{NO-BREAK SPACE}credits")
        await owner.sees_notice("The money is in escrow.")
        path = path_of(owner.page)
        escrow = path.rpartition("/")[2]
        await owner.sees("Signatures: 0 of 2")
        await expect(await owner.credits()).to_contain_text("60.00")
        await owner.stay()

        author = await at(seller.people["owner"], f"{seller.base}/escrows/{escrow}")
        await author.command("Deliver", What_you_deliver="https://files.test/report.pdf", Note="All four chapters")
        await author.sees_notice("Work delivered.")
        await author.stay()
        await owner.sees("All four chapters")

        for role, label in (("admin", "Sign"), ("finance", "Sign and release")):
            signer = await at(buyer.people[role], path)
            await signer.command(label)
            await signer.sees_notice("You have signed.")

        for side in (owner, author):
            await side.sees("Signatures: 2 of 2", "Released")
            await side.stayed()
            await expect(side.page.locator("main .badge").first).to_contain_text("Released")
        for side, whose, moved in ((owner, buyer, "\N{MINUS SIGN}40.00"), (author, seller, "+38.00")):
            await side.go(f"{whose.base}/transactions")
            await side.sees("Activity", moved)
            await side.press("Read the quarter", link=True)
            await side.page.wait_for_url(lambda address: urlsplit(address).path.endswith(f"/escrows/{escrow}"))

        await owner.press("Rate this job", link=True)
        await owner.hands.tick(owner.main.get_by_role("group", name="Quality").get_by_label("4"))
        await owner.write("Comment", "On time.")
        await owner.press("Submit rating")
        await owner.sees_notice("Thank you. Rating saved.")
        await owner.sees("Quality", "4 of 5", "On time.", "A rating can be changed once")
    settled = good(await buyer.people["owner"].get(f"/escrows/{escrow}"))
    assert (settled["status"], settled["released_amount"], settled["commission_amount"]) == (
        "released",
        "38.00",
        "2.00",
    )
    assert good(await buyer.people["owner"].get("/billing/balance"))["available"] == "60.00"


@pytest.mark.slow
async def test_an_escrow_is_funded_by_card_and_paid_by_milestones(world, open_window):
    buyer, seller = await company(world, "owner"), await company(world, "owner")
    agent, _ = await agent_of(seller)
    stripe = urlsplit(world.running.stripe_api_base).netloc
    async with people_at(open_window, TELEPHONE) as at:
        owner = await at(buyer.people["owner"], f"{buyer.base}/escrows/new?agent={agent}")
        owner.window.heard.hosts.add(stripe)
        owner.window.heard.expected.add(422)
        await owner.write("Work", "Write the chapters")
        await owner.write("Price", "30.00")
        await owner.unfold("Approval and milestones")
        await owner.write("Milestones", "Draft 20.00\nFair copy 9.99")
        await owner.tick("Pay by card, PayPal or coins")
        await owner.press("Hire")
        await owner.sees("This needs a correction")
        await owner.write("Milestones", "Draft 20.00\nFair copy 10.00")
        await owner.press("Hire")
        await owner.sees("you buy these credits for 3.00\N{NO-BREAK SPACE}USD")
        escrow = path_of(owner.page).split("/")[-2]
        await owner.tick("Card")
        await owner.hands.press(owner.main.get_by_role("button", name=re.compile("^Fund")))
        await owner.page.wait_for_url(lambda address: urlsplit(address).netloc == stripe)
        await owner.write("Card number, account number or IBAN", "4242 4242 4242 4242")
        await owner.press("Pay")
        await owner.page.wait_for_url(lambda address: urlsplit(address).path.endswith("/return"))
        await owner.sees("Paid")
        await owner.go(f"{buyer.base}/escrows/{escrow}")
        await owner.sees("Funded")
        await owner.stay()

        author = await at(seller.people["owner"], f"{seller.base}/escrows/{escrow}")
        for milestone, file, paid in (("Draft", "draft.pdf", "19.00"), ("Fair copy", "fair.pdf", "28.50")):
            await author.press("Deliver", link=True)
            await author.choose("Milestone", milestone)
            await author.write("What you deliver", f"https://files.test/{file}")
            await author.press("Deliver")
            await author.sees_notice("Work delivered.")
            await owner.sees(file)
            await owner.command("Sign and release")
            await owner.sees_notice("You have signed.")
            await author.sees(paid)
        for side in (owner, author):
            await side.sees("Released")
        assert owner.window.heard.complaints == []
    settled = good(await buyer.people["owner"].get(f"/escrows/{escrow}"))
    assert (settled["status"], settled["released_amount"], settled["commission_amount"]) == (
        "released",
        "28.50",
        "1.50",
    )


async def test_balance_in_the_header_follows_what_others_spend(world, open_window):
    buyer = await company(world, "owner", credits="100")
    async with people_at(open_window, "pointer") as at:
        owner = await at(buyer.people["owner"], buyer.base)
        await owner.stay()
        await expect(await owner.credits()).to_contain_text("100.00")
        grant = {"organization_id": buyer.org_id, "amount": "23", "source": "promotion"}
        good(await world.operator.post("/credits/grants", grant), 201)

        await expect(await owner.credits()).to_contain_text("123.00")
        await owner.stayed()

        used = {"action": "generate_content", "amount": "4.50", "quantity": 3, "metadata": {"model": "gpt-4o"}}
        spend = good(await buyer.people["owner"].post("/credits/use", used), 201)["id"]
        await owner.sees("Generate content", "\N{MINUS SIGN}4.50")
        await owner.stayed()
        await owner.press("All activity", link=True)
        await owner.press("Generate content", link=True)
        await owner.sees("Price breakdown", "1.50\N{NO-BREAK SPACE}credits", "gpt-4o", "owner")
        await owner.stay()
        good(await world.operator.post(f"/credits/spends/{spend}/refunds", {}), 201)
        await owner.sees("Refunded", "+4.50")
        await owner.stayed()
        await owner.hands.press(owner.page.locator("#refunds a"))
        await owner.press("Activity", link=True)
        await owner.press("Show entries", link=True)
        await owner.sees("Ledger entries", "Use refund")
