"""Earnings in credits become credits to spend by the form of the console, once."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from runtime.database import Database
from tests.api.conftest import Tenant, good
from tests.api.test_earnings import earn
from tests.console.conftest import signed_in

KEY = "con_earnings_0123456789"


@pytest.mark.db
async def test_earnings_are_converted_once_and_no_more_than_there_are(
    app: FastAPI, new_tenant: Callable[..., Any], stranger: Tenant, database: Database
) -> None:
    studio: Tenant = await new_tenant("owner")
    owner = await signed_in(app, "owner", studio.owner.token)
    page = f"/console/{studio.org_id}/earnings/conversions/new"
    assert "No earnings in credits" in (await owner.get(page)).text

    await earn(database, stranger, studio, 10)
    assert page in (await owner.get(f"/console/{studio.org_id}/earnings")).text
    asked = (await owner.get(page)).text
    assert "Paid in granted credits: 10.00\N{NO-BREAK SPACE}credits" in asked
    sent = {"command": await owner.form(page), "earnings": f"{studio.agent_id}:granted", "amount": "4"}
    once_more = await owner.post(page, sent)
    assert "Convert 4.00\N{NO-BREAK SPACE}credits?" in once_more.text
    assert good(await studio.owner.get("/billing/balance"))["available"] == "0.00"
    sent["sure"] = "yes"
    first, again = [await owner.post(page, sent) for _ in range(2)]
    assert first.headers["location"] == f"/console/{studio.org_id}/earnings?notice=earnings.converted"
    assert again.headers["location"] == f"/console/{studio.org_id}/earnings?notice=again"
    assert good(await studio.owner.get("/billing/balance"))["available"] == "4.00"

    over = await owner.post(page, {**sent, "command": f"{KEY}1", "amount": "7"})
    assert over.status_code == 402
    assert "only 6.00 CREDIT of these earnings can be converted" in over.text
    # Credits that are bought are no earnings.
    assert "Add credits</a>" not in over.text.partition("<main")[2]
    wrong = await owner.post(page, {**sent, "command": f"{KEY}2", "earnings": f"{studio.agent_id}:x"})
    assert wrong.status_code == 422
    assert 'href="#f-earnings"' in wrong.text

    rest = await owner.post(page, {**sent, "command": f"{KEY}3", "amount": ""})
    assert rest.status_code == 303
    assert good(await studio.owner.get("/billing/balance"))["available"] == "10.00"
    await owner.browser.aclose()
