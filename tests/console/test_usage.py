"""Usage: a month with its uses, the cost of a run by agent and step, and the log of events."""

from datetime import date
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from console.usage.pages import charts, chosen
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


LINE: dict[str, Any] = {"group": None, "events": 3, "input_tokens": 10, "output_tokens": 4, "costs": []}
COSTS = [{"currency": "CREDIT", "cost": "0.000001234567", "creator_share": "0", "platform_share": "0"}]
USED = "x_01kar6x0qmf9rv4w7n2h8d3s5c"
USE: dict[str, Any] = {"id": USED, "action": "<search>", "amount": "4.50", "currency": "CREDIT", "status": "charged"}
USE |= {"agent_id": None, "principal": f"{ORG}/kim", "created_at": "2026-11-20T10:00:00Z"}
MONTH = f"/console/{ORG}/usage?month=2026-11"


class Month(FakeApi):
    """An API with the usage of a month by day and, under a name of its own, by group."""

    def _answer(self, request: Request, name: str) -> Response:
        return super()._answer(request, f"{name} by group" if "group_by" in request.query_params else name)


async def shown(days: dict[str, Any], groups: Any, path: str = MONTH) -> tuple[str, FakeApi]:
    api = Month(
        answers={
            "GET /credits/usage": (200, {"data": [USE], "next_cursor": None}),
            "GET /billing/usage": (200, days),
            "GET /billing/usage by group": groups,
        }
    )
    async with browser(api, signed_in=True) as client:
        answer = await client.get(path)
    assert read(answer.text).problems == []
    return answer.text, api


async def test_usage_lists_its_uses_below_costs_with_all_decimals() -> None:
    line = {**LINE, "costs": COSTS}
    days = {"total": line, "data": [{**line, "group": "2026-11-03"}]}
    text, api = await shown(days, (200, {"data": [{**line, "group": "gpt-4o"}]}))
    assert "0.000001234567" in text
    assert f'href="/console/{ORG}/usage/log?model=gpt-4o&amp;from=2026-11-01&amp;to=2026-11-30"' in text
    assert f'href="/console/{ORG}/usage/{USED}"' in text.partition("Uses of credits in November 2026")[2]
    (asked,) = [query for name, _, query in api.asked if name == "GET /credits/usage"]
    assert (asked["from"], asked["to"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert asked.keys().isdisjoint({"month", "by"})


async def test_uses_of_a_run_are_of_all_months_also_at_the_address_of_the_list() -> None:
    days = {"total": LINE, "data": []}
    text, api = await shown(days, (200, {"data": []}), f"/console/{ORG}/usage?run_id=run-1")
    assert f'href="/console/{ORG}/usage/{USED}"' in text
    (asked,) = [query for name, _, query in api.asked if name == "GET /credits/usage"]
    assert (asked["run_id"], "from" in asked) == ("run-1", False)


async def test_month_lists_figures_and_uses_hidden_from_a_department_key() -> None:
    refused = problem(403, "auth.forbidden", "This key reads its department only.")
    text, _ = await shown({"total": LINE, "data": []}, refused)
    assert ">3<" in text
    assert "This key reads its department only." in text
    assert "&lt;search&gt;" in text


def test_usage_without_a_cost_draws_its_events() -> None:
    of = chosen({"month": "2026-11"}, date(2026, 11, 22), "/x")
    (chart,) = charts(of, {"total": LINE, "data": [{**LINE, "group": "2026-11-03"}]})
    assert (chart.title, len(chart.rows)) == ("Events by day", 30)


@pytest.mark.parametrize(("month", "after"), [("2026-11", None), ("2026-10", date(2026, 11, 1))])
def test_month_that_has_not_begun_is_not_offered(month: str, after: date | None) -> None:
    assert chosen({"month": month}, date(2026, 11, 20), "/x").after == after


@pytest.mark.parametrize("text", ["2026-13", "soon", "0001-01"])
def test_an_invalid_month_is_reported_at_its_field_and_this_month_is_shown(text: str) -> None:
    of = chosen({"month": text}, date(2026, 2, 3), "/x")
    assert of.form.error("month")
    assert of.days == {"start_date": "2026-02-01", "end_date": "2026-02-28"}
