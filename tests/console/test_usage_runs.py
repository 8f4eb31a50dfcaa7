"""Cost of a run by agent and step, and the list of the month's latest runs."""

from datetime import date
from typing import Any

import pytest

from console.format import Prefs
from console.forms import blank
from console.gateway import Answer, Problem
from console.usage import view
from tests.api.conftest import Tenant, new_key
from tests.api.metering import event, send
from tests.console.conftest import Visitor
from tests.console.fake import ORG, FakeApi, browser, problem
from tests.console.strict import read

HERE = f"/console/{ORG}/usage/runs"
EVENT = {"occurred_at": "2026-11-20T10:00:00Z"}
LOG = {
    "data": [{**EVENT, "run_id": "run 2&"}, {**EVENT, "run_id": None}, {**EVENT, "run_id": "run-1"}] * 2,
    "next_cursor": None,
}


def cost(events: int, *costs: str, unrated: int = 0) -> dict[str, Any]:
    return {
        "events": events,
        "tokens": 1200,
        "unrated": unrated,
        "costs": dict(zip(("CREDIT", "USD"), costs, strict=False)),
    }


RUN = {
    "run_id": "run-1",
    "total": cost(5, "0.000001234567", "2.50", unrated=1),
    "agents": [{"agent_id": None, **cost(5, "0.000001234567")}],
    "steps": [{"step_id": "<search>", "parent_id": None, "agents": [], "own": cost(1), "total": cost(5, "1.00")}],
}


async def page(path: str, **answers: Any) -> tuple[int, str]:
    known = {"GET /billing/usage/logs": (200, LOG), "GET /usage/runs/run-1": (200, RUN)}
    api = FakeApi(answers=known | {name.replace("_", " ", 1): answer for name, answer in answers.items()})
    async with browser(api, signed_in=True) as client:
        answer = await client.get(path)
    assert read(answer.text).problems == []
    return answer.status_code, answer.text


async def test_run_is_shown_with_its_agents_its_steps_and_every_decimal() -> None:
    status, text = await page(f"{HERE}?run=run-1")
    assert status == 200
    assert "0.000001234567" in text
    assert "&lt;search&gt;" in text
    assert "1 without a price" in text
    assert f'href="/console/{ORG}/usage/log?run_id=run-1"' in text


async def test_latest_runs_are_listed_once_and_link_to_their_cost() -> None:
    _, text = await page(f"{HERE}?month=2026-11")
    assert text.count(f'href="{HERE}?month=2026-11&amp;run=run-1"') == 1
    assert f'href="{HERE}?month=2026-11&amp;run=run+2%26"' in text
    assert 'aria-current="page">Run</a>' in text


async def test_unknown_run_is_reported_at_its_field() -> None:
    status, text = await page(f"{HERE}?run=run-9", **{"GET_/usage/runs/run-9": problem(404, "not_found")})
    assert status == 404
    assert "No usage was reported for this run." in text
    assert "Latest runs of the month" in text


async def test_unknown_cost_of_one_run_does_not_hide_others() -> None:
    status, text = await page(f"{HERE}?run=run-1", **{"GET_/usage/runs/run-1": problem(503, "service.unavailable")})
    assert status == 200
    assert "Not available right now." in text
    assert "Latest runs of the month" in text


@pytest.mark.db
async def test_run_of_reported_events_is_found(visitors: dict[str, Visitor], tenant: Tenant) -> None:
    run = new_key()
    await send(tenant.owner, event(data={"action": "summarise", "run_id": run, "step_id": "search"}))
    base = f"/console/{tenant.org_id}/usage"
    assert f"run={run}" in (await visitors["owner"].get(f"{base}/runs")).text
    assert f"run={run}" in (await visitors["owner"].get(f"{base}/log")).text
    found = (await visitors["auditor"].get(f"{base}/runs?run={run}")).text
    assert "search" in found.partition('id="steps"')[2]


@pytest.mark.parametrize(("month", "after"), [("2026-11", None), ("2026-10", "November 2026")])
def test_month_that_has_not_begun_is_not_offered(month: str, after: str | None) -> None:
    why = Problem(status=503, code="unavailable", title="", detail="")
    silent = Answer(status=503, request_id="req_1", problem=why)
    chosen = view.chosen({"month": month}, date(2026, 11, 20), HERE)
    shown = view.page(chosen, {"days": silent, "groups": silent}, Prefs(), blank(), "")
    assert (shown.after.label if shown.after else None) == after


def test_month_lists_figures_hidden_from_a_department_key() -> None:
    total = {"costs": [], "events": 3, "input_tokens": 0, "output_tokens": 0}
    why = Problem(status=403, code="auth.forbidden", title="", detail="This key reads its department only.")
    answers = {
        "days": Answer(status=200, request_id="req_1", body={"total": total, "data": []}),
        "groups": Answer(status=403, request_id="req_2", problem=why),
    }
    shown = view.page(view.chosen({}, date(2026, 11, 20), HERE), answers, Prefs(), blank(), "")
    assert (shown.events, shown.groups_refused, shown.groups_failed) == ("3", why.detail, None)
