"""Lists give the choice of their address and no other, and find one of many rows."""

import re
from typing import Any

import pytest

from tests.console.fake import ME, ORG, PAGE, FakeApi, browser, problem

HERE = f"/console/{ORG}"
MANAGER = {**ME, "permissions": ["read", "read_billing", "manage_keys", "read_audit"]}
ROW = {
    "principal": "ci",
    "role": "member",
    "agent_id": None,
    "created_by": "kim",
    "made_by": "kim",
    "browser": "curl",
    "address": None,
    "current": False,
    **dict.fromkeys(("created_at", "expires_at", "last_used_at"), "2026-11-01T00:00:00Z"),
}
AGENT = {
    "pricing": {"amount": None, "currency": None},
    "asset": "USD",
    **dict.fromkeys(("earned", "available", "pending", "frozen", "granted", "paid_out"), "1.00"),
}


async def test_csv_that_is_refused_is_a_page_that_says_why() -> None:
    api = FakeApi(answers={"GET /payments": problem(503, "service.unavailable", "The database does not answer.")})
    async with browser(api, signed_in=True) as client:
        answer = await client.get(f"{HERE}/payments.csv")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize("query", ["from=2026-13-45", "to=yesterday", "from=2026-11-02&to=2026-11-01"])
async def test_csv_of_a_filter_that_is_wrong_is_refused_and_not_a_csv_of_everything(query: str) -> None:
    api = FakeApi(answers={"GET /payments": (200, PAGE)})
    async with browser(api, signed_in=True) as client:
        answer = await client.get(f"{HERE}/payments.csv?{query}")
    assert answer.status_code == 422
    assert "GET /payments" not in [name for name, _, _ in api.asked]


class Few(FakeApi):
    """Some contracts, of which a filter leaves none; `rows` are those without it."""

    rows: tuple[dict[str, Any], ...] = ()

    def _answer(self, request: Any, name: str) -> Any:
        if name == "GET /contracts":
            rows = () if "agent_id" in request.query_params else self.rows
            self.answers = {**self.answers, name: (200, {"data": list(rows), "next_cursor": None})}
        return super()._answer(request, name)


@pytest.mark.parametrize(("rows", "says"), [((), "No contracts yet"), (({"id": "ctr_1"},), "No results")])
async def test_filter_leaves_nothing_out_where_there_is_nothing(rows: tuple[dict[str, Any], ...], says: str) -> None:
    api = Few(answers={"GET /agents": (200, {"data": [], "next_cursor": None})})
    api.rows = rows
    async with browser(api, signed_in=True) as client:
        page = (await client.get(f"{HERE}/contracts?agent_id=agt_01kar6h2d8e4wvq3r5s7t9x1za")).text
    assert says in page
    assert ("No results" in page) == (says == "No results")


async def test_filters_are_chosen_by_name_and_shown_by_it() -> None:
    agents = {"data": [{"id": "agt_2", "name": "Translator"}, {"id": "agt_1", "name": "Analyst"}], "next_cursor": None}
    api = FakeApi(answers={"GET /agents": (200, agents), "GET /contracts": (200, PAGE)})
    async with browser(api, signed_in=True) as client:
        page = (await client.get(f"{HERE}/contracts?agent_id=agt_2&currency=EUR")).text
    assert '<option value="agt_1">Analyst</option><option value="agt_2" selected>Translator</option>' in page
    assert "Agent: <bdi>Translator</bdi>" in page
    assert "Currency: <bdi>Euro (EUR)</bdi>" in page


class Market(FakeApi):
    """Agents of everybody, of which one is the organization's own."""

    def _answer(self, request: Any, name: str) -> Any:
        if name == "GET /agents":
            own, other = {"id": "agt_1", "name": "Zoe, our own"}, {"id": "agt_2", "name": "Abel, of others"}
            rows = [own] if request.query_params.get("organization_id") == ORG else [other, own]
            self.answers = {**self.answers, name: (200, {"data": rows, "next_cursor": None})}
        return super()._answer(request, name)


@pytest.mark.parametrize(
    ("page", "path", "lists_others"),
    [
        ("usage/log", "billing/usage/logs", False),
        ("economics", "economics/log", True),
        ("economics/routing", "routing/decisions", False),
        ("purchases", "purchase-orders", False),
        ("cards", "cards", False),
        ("secrets/grants", "secrets/grants", False),
        ("returns/revenue", "revenue", False),
        ("contracts", "contracts", True),
        ("escrows", "escrows", True),
    ],
)
async def test_filter_by_agent_lists_own_agents_first_and_others_where_they_can_match(
    page: str, path: str, lists_others: bool
) -> None:
    me = {**ME, "permissions": ["read", "read_billing", "read_audit", "manage_secrets", "manage_billing"]}
    api = Market(answers={"GET /me": (200, me), f"GET /{path}": (200, PAGE)})
    async with browser(api, signed_in=True) as client:
        answer = await client.get(f"{HERE}/{page}")
    assert answer.status_code == 200
    options = re.findall(r'<option value="(agt_\d)"', answer.text)
    assert options == (["agt_1", "agt_2"] if lists_others else ["agt_1"])


class Many(FakeApi):
    """Three pages of rows, of which the last one is looked for."""

    def _answer(self, request: Any, name: str) -> Any:
        if name in {"GET /api-keys", "GET /sessions", "GET /sessions/links", "GET /agents", "GET /billing/earnings"}:
            page = int(request.query_params.get("cursor", "0"))
            called = f"Agent {page}"
            row = {**ROW, **AGENT, "id": f"row_{page}", "name": called, "agent_name": called, "agent_id": f"row_{page}"}
            body = {"data": [row], "next_cursor": str(page + 1) if page < 2 else None, "payable": []}
            self.answers = {**self.answers, name: (200, body)}
        return super()._answer(request, name)


@pytest.mark.parametrize("path", ["keys/row_2/revoke", "sessions/row_2/end", "links/row_2/end"])
async def test_row_is_found_behind_any_number_of_those_whose_principal_is_like_its_own(path: str) -> None:
    async with browser(Many(answers={"GET /me": (200, MANAGER)}), signed_in=True) as client:
        found = await client.get(f"{HERE}/settings/{path}?q=ci")
        missing = await client.get(f"{HERE}/settings/{path.replace('row_2', 'row_9')}?q=ci")
    assert (found.status_code, missing.status_code) == (200, 404)


ABLE = {**ME, "permissions": ["read", "read_billing", "manage_keys", "award"]}


async def test_form_reads_one_page_of_agents_and_takes_the_name_of_any_other() -> None:
    api = Many(answers={"GET /me": (200, ABLE)})
    async with browser(api, signed_in=True) as client:
        page = await client.get(f"{HERE}/settings/keys/new")
    assert page.status_code == 200
    assert [name for name, _, _ in api.asked].count("GET /agents") == 1
    assert '<option value="Agent 0"></option>' in page.text
    assert '<input id="f-agent_id" name="agent_id" type="text"' in page.text


async def test_earnings_are_shown_page_by_page_with_the_totals_of_all_agents() -> None:
    payable = {"currency": "USD", "available": "70.00", "pending": "0.00", "frozen": "0.00"}
    preview = {"account": None, "refused": "payout.no_account", "detail": "No.", "payable": [payable]}
    beside = {"GET /billing/payouts/preview": (200, preview), "GET /billing/payouts": (200, PAGE)}
    api = Many(answers={"GET /me": (200, ABLE), **beside})
    async with browser(api, signed_in=True) as client:
        first = await client.get(f"{HERE}/earnings")
        second = await client.get(f"{HERE}/earnings?cursor=1")
    asked = [name for name, _, _ in api.asked]
    assert (asked.count("GET /billing/earnings"), asked.count("GET /agents")) == (2, 0)
    assert ("Agent 0" in first.text, "70.00" in first.text, "earnings?cursor=1" in first.text) == (True, True, True)
    assert ("Agent 1" in second.text, "70.00" in second.text) == (True, True)
