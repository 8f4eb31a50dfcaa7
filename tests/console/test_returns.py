"""A person confirms an agent's reported revenue, divides it, and sees the result in the returns."""

import pytest
from fastapi import FastAPI

from tests.api.conftest import NewTenant, good, new_key
from tests.console.conftest import signed_in
from tests.console.strict import read

pytestmark = pytest.mark.db


async def test_reported_revenue_is_confirmed_on_the_home_page_and_divided(app: FastAPI, new_tenant: NewTenant) -> None:
    studio = await new_tenant("owner", "agent")
    second = good(await studio.owner.post("/agents", {"name": "Second"}), 201)["id"]
    sale = {"source": "app_store", "reference": "2026-01/GAME-17", "amount": "120", "currency": "USD"}
    row = good(await studio.agent.post("/revenue", sale, key=new_key()), 201)
    owner = await signed_in(app, "owner", studio.owner.token)
    base = f"/console/{studio.org_id}"
    path = f"{base}/returns/revenue/{row['id']}"
    assert f'href="{path}">Confirm revenue' in (await owner.get(base)).text
    assert "120.00\u00a0USD wait" in (await owner.get(f"{base}/returns")).text
    assert "2026-01/GAME-17" in (await owner.get(f"{base}/returns/revenue")).text
    fields = {"command": await owner.form(path), "amount": "24"}
    assert (await owner.post(f"{path}/confirm", fields)).status_code == 303
    more = {
        "rule": "manual",
        "version": "0",
        "agent1": studio.agent_id,
        "weight1": "3",
        "agent2": second,
        "weight2": "1",
    }
    page = await owner.get(path)
    assert read(page.text).problems == []
    assert (await owner.post(f"{path}/share", {"command": await owner.form(path), **more})).status_code == 303
    now = good(await studio.owner.get(f"/revenue/{row['id']}"))
    assert (now["status"], now["amount"], [each["bps"] for each in now["shares"]]) == (
        "confirmed",
        "24.00",
        [7500, 2500],
    )
    returns = (await owner.get(f"{base}/returns")).text
    assert read(returns).problems == []
    assert "18.00" in returns
    assert f'href="{base}/returns/revenue?agent_id={second}' in returns
    # Somebody has set other shares since the version that the form was of.
    other = {**more, "weight1": "1"}
    stale = await owner.post(f"{path}/share", {"command": await owner.form(path), **other})
    assert (stale.status_code, "Read them again" in stale.text) == (409, True)
    await owner.browser.aclose()


async def test_person_reports_revenue_and_reverses_a_part(app: FastAPI, new_tenant: NewTenant) -> None:
    studio = await new_tenant("owner")
    owner = await signed_in(app, "owner", studio.owner.token)
    base = f"/console/{studio.org_id}/returns"
    report = f"{base}/revenue/report"
    fields = {"source": "ads", "reference": "January", "amount": "5", "currency": "USD", "agent_id": ""}
    done = await owner.post(report, {"command": await owner.form(report), **fields})
    path = done.headers["location"].partition("?")[0]
    assert (await owner.post(f"{path}/confirm", {"command": await owner.form(path), "amount": ""})).status_code == 303
    back = {"command": await owner.form(path), "reversed_amount": "6"}
    refused = await owner.post(f"{path}/reverse", back)
    assert (refused.status_code, "the maximum reversal is 5.00" in refused.text) == (422, True)
    back = {"command": await owner.form(path), "reversed_amount": "2"}
    assert (await owner.post(f"{path}/reverse", back)).status_code == 303
    assert "2.00\u00a0USD reversed" in (await owner.get(f"{base}/revenue")).text
    sale = {"source": "ads", "reference": "Iceland", "amount": "900", "currency": "ISK"}
    good(await studio.owner.post("/revenue", sale, key=new_key()), 201)
    text = (await owner.get(base)).text
    assert read(text).problems == []
    assert "Excluded, for lack of an exchange rate: ISK." in text
    await owner.browser.aclose()
