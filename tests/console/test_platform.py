"""Operators do their day in the console; everybody else of the platform changes nothing."""

import re

import pytest

from runtime.database import Database
from tests.console import planted
from tests.console.conftest import Visitor
from tests.console.strict import read
from tests.support.cases import for_each

pytestmark = pytest.mark.db
BASE = "/console/platform"
KEY = "con_platform_0123456789"


async def test_operator_books_a_planted_difference(visitors: dict[str, Visitor], database: Database):
    operator, made = visitors["operator"], await planted.difference(database)
    path = f"{BASE}/reconciliation/differences/{made['difference']}"
    page = (await operator.get(path)).text
    assert "+9.41" in page
    fields = {"command": await operator.form(path), "action": "book", "note": "The payment of January"}
    answer = await operator.post(path, fields)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?notice=difference.booked")
    page = (await operator.get(path)).text
    assert "The payment of January" in page
    assert 'name="action"' not in page
    run = (await operator.get(f"{BASE}/reconciliation/{made['run']}")).text
    assert "No open discrepancies" in run
    again = await operator.post(path, fields)
    assert again.headers["location"] == f"{path}?notice=again"
    late = await operator.post(path, {**fields, "command": KEY, "action": "accept"})
    assert late.status_code == 409
    assert "Nothing was done" in late.text
    assert "18.82" in (await operator.get(f"{BASE}/clearing/{made['provider']}")).text


async def test_operator_creates_suspends_resumes_and_closes_an_organization(visitors: dict[str, Visitor]):
    operator = visitors["operator"]
    fields = {"command": await operator.form(f"{BASE}/organizations/new"), "name": "<b>New", "tier": "free"}
    made = await operator.post(f"{BASE}/organizations/new", {**fields, "external_id": ""})
    path = made.headers["location"].partition("?")[0]
    assert "&lt;b&gt;New" in (await operator.get(path)).text
    for act, given, word in (
        ("suspend", {"reason": "They asked", "timed_exits": "pause"}, "Suspended"),
        ("resume", {}, "Active"),
        ("close", {"closing_reason": ""}, "Closed"),
    ):
        answer = await operator.post(f"{path}/{act}", {"command": f"{KEY}{act}", **given})
        if act == "close" and answer.status_code == 409:
            # The signup bonus of the free plan is left, and the page says so.
            assert "It still has:" in answer.text
            assert read(answer.text).problems == []
            break
        assert answer.status_code == 303, answer.text
        assert f"</svg>{word}</span>" in (await operator.get(path)).text


@pytest.mark.parametrize(
    ("path", "id", "first", "runs"),
    [
        ("escrows", "disputed", "Overdue", "escrow%2F"),
        ("payments", "payment", "Outcome unknown", "payment%2F"),
        ("disputes", "chargeback", "", "payment%2F"),
    ],
)
async def test_lists_of_all_organizations_lead_operators_to_the_runs(
    path: str, id: str, first: str, runs: str, visitors: dict[str, Visitor], objects: dict[str, str]
):
    # Of one organization: others of these tests have rows that may fill the first page.
    page = (await visitors["operator"].get(f"{BASE}/{path}?organization_id={objects['org']}")).text
    assert read(page).problems == []
    _, _, row = page.partition(f'href="{BASE}/{path}/{objects[id]}"')
    assert f"/workflows/{runs}" in row.partition("</tr>")[0]
    tabs = re.findall(r'<nav class="tabs".*?</nav>', page)
    assert not first or re.search(rf"<a [^>]*>{first}", tabs[0])
    auditor = (await visitors["platform_auditor"].get(f"{BASE}/{path}")).text
    assert "/workflows/" not in auditor
    own = (await visitors["owner"].get(f"/console/{objects['org']}/{path}")).text
    assert "/workflows/" not in own
    assert not first or first not in own


async def test_overdue_escrows_are_counted_and_listed_alone(visitors: dict[str, Visitor], objects: dict[str, str]):
    page = (await visitors["operator"].get(f"{BASE}/escrows?overdue=true&organization_id={objects['org']}")).text
    assert re.search(r'aria-current="page">Overdue <span class="tally">0</span>', page)
    assert "No results" in page


async def test_organization_without_a_name_keeps_what_was_typed(visitors: dict[str, Visitor]):
    fields = {"command": KEY, "name": " ", "tier": "free", "external_id": "customer-7"}
    answer = await visitors["operator"].post(f"{BASE}/organizations/new", fields)
    assert answer.status_code == 422
    assert 'value="customer-7"' in answer.text
    assert read(answer.text).problems == []


async def test_window_that_is_none_is_said_at_its_field(visitors: dict[str, Visitor]):
    fields = {"command": KEY, "company": "stripe", "since": "yesterday", "until": "2026-01-01"}
    answer = await visitors["operator"].post(f"{BASE}/reconciliation/runs", fields)
    assert answer.status_code == 422
    assert 'href="#f-since"' in answer.text


COMMANDS = {
    "organizations/new": {"name": "X", "tier": "free", "external_id": ""},
    "organizations/{organization}/suspend": {"reason": "X"},
    "organizations/{organization}/close": {"closing_reason": ""},
    "organizations/{organization}/tier": {"tier": "free"},
    "reconciliation/runs": {"company": "stripe", "since": "2026-01-01", "until": "2026-01-01"},
    "reconciliation/differences/{difference}": {"action": "accept", "note": ""},
    "alerts/alr_01kar6h2d8e4wvq3r5s7t9x1za/resolve": {},
}


@for_each("role", ["auditor", "accountant", "arbiter", "validator", "platform_auditor"])
@for_each("path", COMMANDS)
async def test_who_only_reads_is_refused_every_command_that_they_force(
    role: str, path: str, visitors: dict[str, Visitor], objects: dict[str, str]
):
    given = {"command": KEY, **COMMANDS[path]}
    answer = await visitors[role].post(f"{BASE}/{path.format(**objects)}", given)
    assert answer.status_code in {403, 404}
    assert re.search("Not permitted for your role|Not found", answer.text)
