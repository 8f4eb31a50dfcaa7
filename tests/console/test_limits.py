"""Owners set, change, freeze and end limits in the console; what is wrong is said at its field."""

import pytest

from tests.console.conftest import Visitor
from tests.console.strict import read

pytestmark = pytest.mark.db
KEY = "con_limits_0123456789"


async def test_owner_sets_changes_freezes_and_ends_a_limit(visitors: dict[str, Visitor], objects: dict[str, str]):
    owner, base = visitors["owner"], f"/console/{objects['org']}/limits"
    fields = {"command": await owner.form(f"{base}/new"), "subject": "run", "subject_id": "nightly"}
    fields |= {"currency": "CREDIT", "time_zone": "UTC", "month_amount": "250", "month_uses": "9", "thresholds": "0.5"}
    made = await owner.post(f"{base}/new", fields)
    assert made.status_code == 303, made.text
    path = made.headers["location"].partition("?")[0]
    page = (await owner.get(f"{path}/change")).text
    assert 'value="250.00"' in page
    changed = {"command": await owner.form(f"{path}/change"), "version": "1", "day_amount": "7", "thresholds": ""}
    assert (await owner.post(f"{path}/change", changed)).status_code == 303
    late = await owner.post(f"{path}/change", {**changed, "command": KEY})
    assert late.status_code == 409
    assert "Nothing was done" in late.text
    for act, sent in (("freeze", {"version": "2"}), ("unfreeze", {}), ("close", {"version": "4"})):
        answer = await owner.post(f"{path}/{act}", {"command": f"{KEY}{act}", **sent})
        assert answer.status_code == 303, answer.text
    page = (await owner.get(path)).text
    assert "</svg>Ended</span>" in page or "</svg>Closed</span>" in page
    assert f"{path}/freeze" not in page


async def test_amount_that_is_none_is_said_at_its_field(visitors: dict[str, Visitor], objects: dict[str, str]):
    path = f"/console/{objects['org']}/limits/new"
    fields = {"command": KEY, "subject": "run", "subject_id": "x", "currency": "CREDIT", "time_zone": "UTC"}
    answer = await visitors["owner"].post(path, {**fields, "month_amount": "lots", "thresholds": ""})
    assert answer.status_code == 422
    assert 'href="#f-month_amount"' in answer.text
    assert 'value="lots"' in answer.text
    assert read(answer.text).problems == []


@pytest.mark.parametrize("path", ["limits/{control}/freeze", "alerts/settings/endpoints/{endpoint}/delete"])
async def test_who_only_reads_is_refused_the_commands_that_they_force(
    path: str, visitors: dict[str, Visitor], objects: dict[str, str]
):
    fields = {"command": KEY} | ({"version": "1"} if path.startswith("limits") else {})
    answer = await visitors["auditor"].post(f"/console/{objects['org']}/{path.format(**objects)}", fields)
    assert answer.status_code == 403
