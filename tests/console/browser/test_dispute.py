"""Work is disputed, both sides bring evidence, and an arbiter divides the money to the unit as it was previewed."""

from playwright.async_api import expect

from console.format import amount
from tests.console.browser.people import KEYBOARD, TELEPHONE, company, delivered, funded, people_at
from tests.e2e.conftest import NONCE, good

SHARE = "0.333"


async def test_a_dispute_is_split_as_it_was_previewed(world, open_window):
    buyer, seller = await company(world, "owner", credits="100"), await company(world, "owner")
    escrow = await delivered(buyer, seller, "5.01", title=f"Disputed by {buyer.name} {NONCE}")
    async with people_at(open_window, KEYBOARD) as at:
        payer = await at(buyer.people["owner"], f"{buyer.base}/escrows/{escrow}")
        payee = await at(seller.people["owner"], f"{seller.base}/escrows/{escrow}")
        await payee.stay()
        await payer.command("Dispute", Reason="A third of it is wrong")
        await payer.sees_notice("Dispute opened. The money is held until an arbiter decides.")
        await payee.sees("A third of it is wrong")
        await payee.stayed()
        await payee.command("Add evidence", What_it_shows="It is as agreed", Links="https://files.test/proof.pdf")
        await payee.sees_notice("Evidence added.")
        await payer.sees("It is as agreed")
        await payer.command("Add evidence", What_it_shows="Page four is not")
        await payer.sees_notice("Evidence added.")
        arbiter = await at(world.arbiter, "/console/platform/decisions")
        await payer.sees(
            "Disputed You are here", "Both parties can add evidence. Then an arbiter decides.", "If nobody acts:"
        )
        await arbiter.press(f"Disputed by {buyer.name} {NONCE}", link=True)
        await arbiter.sees("It is as agreed", "Page four is not")
        await arbiter.press("Decide", link=True)
        await arbiter.sees("More evidence may follow", "It is as agreed", "Page four is not")
        await arbiter.write("Reason, visible to both parties", "A third was done")
        await arbiter.write("Payee's share", "33.3")
        asked = await world.arbiter.get(f"/escrows/{escrow}/actions", params={"payee_share": SHARE})
        effect = next(each["effect"] for each in good(asked)["actions"] if each["action"] == "resolve")
        await arbiter.sees(*(amount(effect[part], "CREDIT").number for part in ("to_agent", "commission", "to_payer")))
        await arbiter.press("Decide: 33.3% to the payee")
        await arbiter.sees_notice("Decision recorded. The held amount is divided.")

        for side in (payer, payee):
            await side.page.reload()
            await side.sees("33.3% to the payee", "A third was done")
    settled = good(await buyer.people["owner"].get(f"/escrows/{escrow}"))
    assert settled["status"] == "split"
    for booked, shown in (("released_amount", "to_agent"), ("refunded_amount", "to_payer")):
        assert settled[booked] == effect[shown]
    assert settled["commission_amount"] == effect["commission"]


async def test_asked_and_granted_the_escrow_is_cancelled(world, open_window):
    buyer, seller = await company(world, "owner", credits="100"), await company(world, "owner")
    escrow = await funded(buyer, seller, "12.00")
    async with people_at(open_window, TELEPHONE) as at:
        payer = await at(buyer.people["owner"], f"{buyer.base}/escrows/{escrow}")
        payee = await at(seller.people["owner"], f"{seller.base}/escrows/{escrow}")
        await payer.stay()
        await payer.command("Request cancellation", Reason="It is not needed any more")
        await payee.sees("requests cancellation")
        await payee.command("Accept cancellation")
        await payee.sees_notice("Escrow updated.")

        await payer.sees("Cancelled")
        await expect(await payer.credits()).to_contain_text("100.00")
