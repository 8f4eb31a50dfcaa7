"""Lists give the choice of their address and no other, and find one of many rows."""

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


@pytest.mark.parametrize("query", ["from=2026-13-45", "to=yesterday", "from=2026-11-02&to=2026-11-01"])
async def test_csv_of_a_filter_that_is_wrong_is_refused_and_not_a_csv_of_everything(query: str) -> None:
    api = FakeApi(answers={"GET /payments": (200, PAGE)})
    async with browser(api, signed_in=True) as client:
        answer = await client.get(f"{HERE}/payments.csv?{query}")
    assert answer.status_code == 422
    assert "GET /payments" not in [name for name, _, _ in api.asked]


class Many(FakeApi):
    """Three pages of rows, of which the last one is looked for."""

    def _answer(self, request: Any, name: str) -> Any:
        if name in {"GET /api-keys", "GET /sessions", "GET /sessions/links", "GET /agents", "GET /billing/earnings"}:
            page = int(request.query_params.get("cursor", "0"))
            row = {**ROW, **AGENT, "id": f"row_{page}", "name": f"Agent {page}", "agent_id": f"row_{page}"}
            body = {"data": [row], "next_cursor": str(page + 1) if page < 2 else None, "payable": []}
            self.answers = {**self.answers, name: (200, body)}
        return super()._answer(request, name)


@pytest.mark.parametrize("path", ["keys/row_2/revoke", "sessions/row_2/end", "links/row_2/end"])
async def test_row_is_found_behind_any_number_of_those_whose_principal_is_like_its_own(path: str) -> None:
    async with browser(Many(answers={"GET /me": (200, MANAGER)}), signed_in=True) as client:
        found = await client.get(f"{HERE}/settings/{path}?q=ci")
        missing = await client.get(f"{HERE}/settings/{path.replace('row_2', 'row_9')}?q=ci")
    assert (found.status_code, missing.status_code) == (200, 404)


@pytest.mark.parametrize("path", ["settings/keys/new", "escrows/new", "earnings"])
async def test_agents_beyond_the_first_page_are_there(path: str) -> None:
    able = {**ME, "permissions": ["read", "read_billing", "manage_keys", "award"]}
    late = problem(503, "unavailable")
    beside = {"GET /billing/payouts/preview": late, "GET /billing/payouts": late}
    api = Many(answers={"GET /me": (200, able), **beside})
    async with browser(api, signed_in=True) as client:
        page = await client.get(f"{HERE}/{path}")
    assert (page.status_code, "Agent 2" in page.text) == (200, True)
    # A page of a list is asked for as its first one was.
    asked = [body for name, _, body in api.asked if name == "GET /agents"]
    assert len(asked) == 3
    assert len({frozenset((name, body[name]) for name in body.keys() - {"cursor", "limit"}) for body in asked}) == 1
