"""A person sees an agent's purchase on the home page and approves it, even beyond a budget."""

import re

import pytest
from fastapi import FastAPI

from runtime.database import Database
from tests.api.conftest import NewTenant, good, new_key
from tests.api.purchasing import budget, paid, proposed
from tests.console.conftest import signed_in
from tests.console.strict import read

pytestmark = pytest.mark.db
BEYOND, TAKEN = "Exceed the budget", "Use the reserve"


async def test_purchase_refused_by_two_budgets_is_approved_on_the_home_page(
    app: FastAPI, database: Database, new_tenant: NewTenant
) -> None:
    studio = await new_tenant("owner", "agent")
    policy = {"subject": {"type": "organization"}, "approval_above": "5"}
    good(await studio.owner.ask("PUT", "/payment-policies", json=policy))
    whole = await budget(database, studio.org_id, week=9, pools={"pools_of": "week", "reserve": 100})
    own = await budget(database, studio.org_id, ("agent", studio.agent_id), day=8)
    earlier = await proposed(studio.agent, studio.agent_id, "10")
    good(await studio.owner.post(f"/purchase-orders/{earlier['id']}/refuse", {}, key=new_key()))
    order = await proposed(studio.agent, studio.agent_id, "10")
    owner = await signed_in(app, "owner", studio.owner.token)
    base = f"/console/{studio.org_id}"
    path = f"{base}/purchases/{order['id']}"
    assert f'href="{path}">Approve purchase' in (await owner.get(base)).text
    page = await owner.get(path)
    assert (BEYOND in page.text, TAKEN in page.text, f'href="{base}/agents/{studio.agent_id}"' in page.text) == (
        False,
        True,
        True,
    )
    # The approver sees what is left of both budgets, the agent's own first, and what the agent bought before.
    shown = re.findall(rf'<(?:li|th scope="row")><a[^>]* href="{base}/(budgets|purchases)/(\w+)"', page.text)
    assert shown == [("budgets", own), ("budgets", whole), ("purchases", earlier["id"])]
    assert page.text.count("8.00\u00a0USD left of 8.00\u00a0USD") == 2
    fields = {"command": await owner.form(path), "digest": order["digest"], "reason": "The launch."}
    refusing: set[str] = set()
    for _ in (whole, own):
        # The page offers to lift the window that has refused, beside those that it knew, and keeps what was typed.
        refused = await owner.post(f"{path}/grant", fields)
        assert (refused.status_code, BEYOND in refused.text, "The launch." in refused.text) == (402, True, True)
        assert read(refused.text).problems == []
        (found,) = re.findall(r'name="refusing" value="([^"]+)"', refused.text)
        assert len(found.split()) == len(refusing) + 1
        refusing = set(found.split())
        (command,) = re.findall(r'name="command" value="([^"]+)"', refused.text)
        fields |= {"command": command, "refusing": found, "lift": "on"}
    assert refusing == {f"{whole}:week", f"{own}:day"}
    assert "8.00\u00a0USD of 8.00\u00a0USD left today for Agent" in refused.text
    granted = await owner.post(f"{path}/grant", fields)
    assert granted.status_code == 303
    now = good(await studio.owner.get(f"/purchase-orders/{order['id']}"))
    assert (now["status"], {f"{each['budget_id']}:{each['window']}" for each in now["lifts"]}) == ("approved", refusing)
    assert "Approve purchase" not in (await owner.get(base)).text
    budget_page = (await owner.get(f"{base}/budgets/{own}")).text
    assert f'href="{path}"' in budget_page
    assert order["item"] in budget_page
    await owner.browser.aclose()


async def test_person_confirms_or_corrects_an_agents_report_in_the_console(
    app: FastAPI, database: Database, new_tenant: NewTenant
) -> None:
    studio = await new_tenant("owner", "auditor", "agent")
    await budget(database, studio.org_id, ("agent", studio.agent_id), day=100)
    order = await paid(studio.agent, await proposed(studio.agent, studio.agent_id, "25"), "0.01")
    owner = await signed_in(app, "owner", studio.owner.token)
    auditor = await signed_in(app, "auditor", studio.auditor.token)
    listed = f"/console/{studio.org_id}/purchases"
    path = f"{listed}/{order['id']}"
    assert "Reported, not confirmed" in (await owner.get(listed)).text
    assert f"{path}/confirm" not in (await auditor.get(path)).text
    page = await owner.get(path)
    reported = "0.01\u00a0USD charged, 0.00\u00a0USD refunded"
    assert (reported in page.text, reported in (await owner.get(listed)).text) == (True, True)
    # What budgets count instead is not what was paid.
    assert ("25.00\u00a0USD charged, 0.00\u00a0USD refunded" in page.text, ">Paid<" in page.text) == (True, False)
    assert read(page.text).problems == []
    digest = order["reported"]["digest"]
    assert digest in page.text
    fields = {"command": await owner.form(path), "digest": digest, "charged": "25.00", "refunded": "0.00", "reason": ""}
    refused = await owner.post(f"{path}/confirm", fields)
    assert (refused.status_code, "Give a reason" in refused.text, 'value="25.00"' in refused.text) == (422, True, True)
    (command,) = set(re.findall(r'name="command" value="([^"]+)"', refused.text))
    assert (
        await owner.post(f"{path}/confirm", fields | {"command": command, "reason": "The receipt."})
    ).status_code == 303
    assert "Correct charges" in (await owner.get(path)).text
    assert "Reported, not confirmed" not in (await owner.get(listed)).text
    now = good(await studio.owner.get(f"/purchase-orders/{order['id']}"))
    assert (now["spent"], now["unconfirmed_since"]) == ("25.00", None)
    for each in (owner, auditor):
        await each.browser.aclose()
