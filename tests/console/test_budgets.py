"""Owners open, change and freeze budgets in the console; two persons open an emergency pool."""

import re

import pytest

from tests.console.conftest import Visitor
from tests.console.strict import read

pytestmark = pytest.mark.db
KEY = "con_budgets_0123456789"


async def opened(owner: Visitor, base: str, run: str) -> str:
    fields = {"command": await owner.form(f"{base}/new"), "subject": "run", "subject_id": run, "currency": "CREDIT"}
    fields |= {"time_zone": "UTC", "week_amount": "100", "reserve": "50", "emergency": "20", "thresholds": "0.5"}
    made = await owner.post(f"{base}/new", fields)
    assert made.status_code == 303, made.text
    return made.headers["location"].partition("?")[0]


async def test_a_budget_is_opened_changed_moved_frozen_and_ended(
    visitors: dict[str, Visitor], objects: dict[str, str]
) -> None:
    owner, base = visitors["owner"], f"/console/{objects['org']}/budgets"
    path = await opened(owner, base, "weekly")
    page = (await owner.get(path)).text
    assert "30.00 credits left of 30.00 credits" in page.replace("\u00a0", " ")
    assert read(page).problems == []
    moved = {"command": f"{KEY}move", "from": "reserve", "to": "operating", "amount": "20", "reason": "A launch."}
    assert (await visitors["finance"].post(f"{path}/move", moved)).status_code == 303
    assert "50.00 credits left of 50.00 credits" in (await owner.get(path)).text.replace("\u00a0", " ")
    much = await owner.post(f"{path}/move", moved | {"command": f"{KEY}much", "amount": "31"})
    assert much.status_code == 409
    assert "Only 30.00 CREDIT are left in that pool." in much.text
    changed = {"command": await owner.form(f"{path}/change"), "version": "1", "week_amount": "40", "thresholds": ""}
    over = await owner.post(f"{path}/change", changed | {"reserve": "41"})
    assert (over.status_code, 'href="#f-reserve"' in over.text) == (422, True)
    again = changed | {"command": f"{KEY}again", "reserve": "10"}
    assert (await owner.post(f"{path}/change", again)).status_code == 303
    for act, sent in (("freeze", {"version": "2"}), ("unfreeze", {}), ("close", {"version": "4"})):
        answer = await owner.post(f"{path}/{act}", {"command": f"{KEY}{act}", **sent})
        assert answer.status_code == 303, answer.text


async def test_a_second_person_confirms_an_emergency_that_the_page_shows(
    visitors: dict[str, Visitor], objects: dict[str, str]
) -> None:
    owner, base = visitors["owner"], f"/console/{objects['org']}/budgets"
    path = await opened(owner, base, "burning")
    declared = {"command": f"{KEY}declare", "reason": "The provider is down.", "lasts": "4"}
    assert (await owner.post(f"{path}/emergency", declared)).status_code == 303
    page = (await visitors["finance"].get(path)).text
    assert "A second person must confirm it." in page
    (until,) = re.findall(r'name="until" value="([^"]+)"', page)
    confirmed = {"command": f"{KEY}confirm", "reason": "The provider is down.", "until": until}
    assert (await visitors["finance"].post(f"{path}/emergency", confirmed)).status_code == 303
    assert "The emergency pool is open until" in (await owner.get(path)).text
    assert (await owner.post(f"{path}/emergency/end", {"command": f"{KEY}end"})).status_code == 303
    assert "The emergency pool is open until" not in (await owner.get(path)).text


async def test_limit_url_redirects_to_the_budget(visitors: dict[str, Visitor], objects: dict[str, str]) -> None:
    here = f"/console/{objects['org']}"
    answer = await visitors["owner"].get(f"{here}/limits/{objects['budget']}")
    assert answer.headers["location"] == f"{here}/budgets/{objects['budget']}"
