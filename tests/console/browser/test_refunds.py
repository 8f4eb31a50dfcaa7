"""A top-up is refunded as previewed, and evidence is given to the platform against a chargeback."""

import re

from playwright.async_api import expect

from tests.console.browser.people import POINTER, WITHOUT_SCRIPTS, company, people_at
from tests.e2e.conftest import good
from tests.e2e.payments.paying import Payer, until


async def test_a_part_of_a_top_up_is_refunded_as_previewed(world, open_window):
    own = await company(world, "owner")
    payer = Payer(world, own.org_id, own.people["owner"])
    paid = await payer.settled(await payer.top_up("100.00", payment_method="pm_card_visa"))
    async with people_at(open_window, POINTER) as at:
        owner = await at(own.people["owner"], f"{own.base}/payments/{paid['id']}")
        await expect(await owner.credits()).to_contain_text("100.00")
        await owner.press("Refund 9.41\N{NO-BREAK SPACE}USD", link=True)
        await owner.write("Amount", "4.00")
        await owner.press("Continue")
        await owner.sees("Clawed back", "40.00 credits")
        await owner.write("Reason", "Not needed")
        await owner.press("Refund 3.76\N{NO-BREAK SPACE}USD")
        await owner.sees_notice("Refund created. It is on its way to the payer.")

        await owner.sees("Partially refunded", "Not needed")
        await expect(await owner.credits()).to_contain_text("60.00")
    assert (await payer.balance())[0] == "60.00"


async def test_evidence_is_read_again_before_it_is_given_to_the_platform(world, open_window):
    own = await company(world, "owner")
    body = {"amount": "10.00", "currency": "USD", "payment_method": "pm_card_createDispute"}
    good(await own.people["owner"].post("/payments", body), 201)
    listed = await until(lambda: own.people["owner"].get("/disputes"), lambda answer: answer.json()["data"])
    [chargeback] = listed.json()["data"]
    async with people_at(open_window, WITHOUT_SCRIPTS) as at:
        owner = await at(own.people["owner"], f"{own.base}/disputes/{chargeback['id']}")
        await owner.press("Add evidence", link=True)
        await owner.write("Proof that the payer received what they paid for", "They used it: <b>see the log</b>")
        await owner.press("Review")
        await owner.sees("They used it: <b>see the log</b>")
        await owner.press("Send to the platform")
        await owner.sees_notice("Evidence saved. The platform reviews it and answers the bank.")

        await owner.sees("They used it: <b>see the log</b>", "The platform answers the bank.")
        await expect(owner.main.get_by_role("link", name=re.compile("Add evidence"))).to_have_count(1)
