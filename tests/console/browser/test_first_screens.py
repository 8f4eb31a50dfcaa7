"""An owner, a creator and an approver find on the pages that they begin with what they decide by."""

import re

from playwright.async_api import expect

from tests.console.browser.people import POINTER, agent_of, company, delivered, people_at
from tests.e2e.conftest import Caller, World, good
from tests.e2e.payments.paying import until


async def test_an_owner_sees_who_spent_most_this_week_and_sets_its_budget_in_three_clicks(world, open_window):
    own = await company(world, "owner", credits="100")
    key = own.people["owner"]
    for spent in ("1.50", "4.50"):
        agent, name = await agent_of(own)
        used = {"action": "generate_content", "amount": spent, "agent_id": agent}
        good(await key.post("/credits/use", used), 201)
    async with people_at(open_window, POINTER) as at:
        owner = await at(key)
        await owner.press("7 days", link=True)
        most = owner.main.get_by_role("region", name="Spent by agent").get_by_role("listitem").first
        await expect(most).to_contain_text(name)
        await expect(most).to_contain_text("4.50\N{NO-BREAK SPACE}credits")
        await owner.hands.press(most.get_by_role("link", name="Set budget"))
        await owner.write("Weekly limit", "5")
        await owner.press("Create budget")
        await owner.sees_notice("Budget created.")
        await owner.sees(name, "5.00\N{NO-BREAK SPACE}credits")
    [budget] = good(await key.get("/budgets"))["data"]
    assert (budget["subject"]["id"], [each["window"] for each in budget["limits"]]) == (agent, ["week"])


async def bought(world: World, buyer: Caller, amount: str) -> None:
    """Buy credits by card, and wait until they are there."""
    body = {"amount": amount, "currency": "USD", "payment_method": "pm_card_visa"}
    good(await buyer.post("/payments", body), 201)
    await until(lambda: buyer.get("/billing/balance"), lambda found: good(found)["available"] != "0.00")


async def test_a_creator_sees_why_nothing_is_payable(world, open_window):
    seller = await company(world, "owner")
    granted, paying = await company(world, "owner", credits="10"), await company(world, "owner")
    await bought(world, paying.people["owner"], "10.00")
    for buyer, price in ((granted, "5.00"), (paying, "10.00")):
        escrow = await delivered(buyer, seller, price)
        good(await buyer.people["owner"].post(f"/escrows/{escrow}/approvals", {}))
    async with people_at(open_window, POINTER) as at:
        owner = await at(seller.people["owner"])
        why = "Payouts are not possible", "No payout account yet. Connect Stripe to open one."
        await owner.sees("Can be paid out now", "Nothing", *why, "Pending", "Available from")
        await owner.press("Earnings and payouts", link=True)
        await owner.sees(*why)
        money = owner.page.locator("#money")
        for text in ("Available 0.00 USD", "Pending 0.95 USD", "Earnings in granted credits are not paid out"):
            await expect(money).to_contain_text(re.compile(text.replace(" ", r"\s*")))
        await expect(owner.main.get_by_role("link", name="Pay out")).to_have_count(0)


async def test_an_approver_decides_with_what_is_left_of_the_budgets_in_view(world, open_window):
    own = await company(world, "owner", "finance")
    key = own.people["owner"]
    agent, name = await agent_of(own)
    machine = {"principal": "buyer", "role": "agent", "agent_id": agent}
    buyer = Caller(world.http, good(await key.post("/api-keys", machine), 201)["secret"])
    for subject, amount in (({"type": "organization"}, "900"), ({"type": "agent", "id": agent}, "50")):
        limits = [{"window": "month", "amount": amount}]
        good(await key.post("/budgets", {"subject": subject, "currency": "USD", "limits": limits}), 201)
    policy = {"subject": {"type": "organization"}, "currency": "USD", "approval_above": "5"}
    good(await key.put("/payment-policies", policy))
    order = {"item": "Copilot", "vendor": "GitHub", "category": "coding", "amount": "25", "currency": "USD"}
    reasons = {
        "term": "month",
        "why": "It completes code.",
        "alternatives": [{"name": "Vim", "cost": "0", "fits": False}],
    }
    proposal = {"agent_id": agent, **order, **reasons}
    made = good(await buyer.post("/purchase-orders", proposal), 201)
    assert made["status"] == "needs_approval", made
    async with people_at(open_window, POINTER) as at:
        approver = await at(own.people["finance"])
        await approver.press("Approve purchase", link=True)
        for subject, left in ((name, "50.00"), ("The whole organization", "900.00")):
            link = approver.page.get_by_role("link", name=subject)
            budget = approver.page.locator("#budgets li").filter(has=link)
            await expect(budget).to_contain_text(f"{left}\N{NO-BREAK SPACE}USD left of {left}\N{NO-BREAK SPACE}USD")
            await expect(budget).to_be_in_viewport(ratio=1)
        await expect(approver.main.get_by_role("button", name="Approve")).to_be_in_viewport(ratio=1)
        await approver.press("Approve")
        await approver.sees_notice("Approval stored.")
    assert good(await key.get(f"/purchase-orders/{made['id']}"))["status"] == "approved"
