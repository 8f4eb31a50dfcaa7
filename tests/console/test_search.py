"""The search leads to pages, acts and objects, and to agents of others."""

from typing import Any

import pytest

from console.nouns import ROUTES
from console.objects import OF_ORGANIZATIONS, OF_THE_PLATFORM, page_of
from console.palette import OF_EVERYBODY, OF_TENANTS, OF_THE_PLATFORM as ACTS
from tests.console.fake import ME, ORG, FakeApi, browser, problem
from tests.support.cases import for_each

BASE = f"/console/{ORG}"
HIT = {"id": "x_1", "title": "a&b", "organization_id": ORG, "external_id": None, "url": "", "workflow_url": None}
HIT |= dict.fromkeys(("status", "amount", "currency", "customer"))
HREFS = {
    "agent": f"{BASE}/agents/x_1",
    "api_key": f"{BASE}/settings/keys?q=a%26b",
    "department": f"{BASE}/departments",
    "grant": "",
    "organization": BASE,
    "payout": f"{BASE}/earnings",
    "spend": f"{BASE}/usage/x_1",
}
AGENTS = [
    {"id": "agt_1", "name": "Budget planner", "organization_id": "org_2", "organization_name": "Others"},
    {"id": "agt_2", "name": "Budget keeper", "organization_id": ORG, "organization_name": "Acme"},
]


def api(rows: list[dict[str, Any]] = [], **me: Any) -> FakeApi:  # noqa: B006 - read only
    answers: dict[str, tuple[int, Any]] = {
        "GET /me": (200, {**ME, **me}),
        "GET /search": (200, {"data": rows, "shortened": False}),
        "GET /agents": (200, {"data": AGENTS, "next_cursor": None}),
    }
    return FakeApi(answers=answers)


@for_each("kind, page", HREFS.items())
def test_object_links_to_its_page(kind: str, page: str) -> None:
    def href(exists: bool) -> str:
        return page_of(kind, "x_1", ORG, title="a&b", is_platform=False, exists=lambda _path: exists)

    assert (href(exists=True), href(exists=False)) == (page, "")


@pytest.mark.parametrize("kind", ["grant", "lot"])
def test_operators_are_linked_to_the_credits_of_the_organization(kind: str) -> None:
    def href(kind: str) -> str:
        return page_of(kind, "x_1", ORG, is_platform=True, exists=lambda _path: True)

    assert href(kind) == f"/console/platform/credits?organization_id={ORG}"
    assert href("escrow") == f"{BASE}/escrows/x_1"


def test_every_place_of_an_object_and_every_act_is_a_page() -> None:
    paths = {route.path for route in ROUTES if "GET" in (route.methods or ())}
    of_tenants = {"/{org}" + place.partition("?")[0] for _prefix, place in OF_ORGANIZATIONS.values()}
    of_platform = {"/platform" + place.partition("?")[0] for place in OF_THE_PLATFORM.values()}
    acts = {f"/{{org}}{each.path}" for each in OF_TENANTS} | {f"/platform{each.path}" for each in ACTS}
    assert of_tenants | of_platform | acts | {each.path for each in OF_EVERYBODY} <= paths


async def test_pages_and_acts_are_found_by_name_where_the_role_may_enter_them() -> None:
    async with browser(api(permissions=["read", "manage_spending"]), signed_in=True) as client:
        may = (await client.get("/console/search", params={"q": "budget"})).text
        by_word = (await client.get("/console/search", params={"q": "allow"})).text
    async with browser(api(permissions=["read"]), signed_in=True) as client:
        reads = (await client.get("/console/search", params={"q": "budget"})).text
    assert f'<a class="row" href="{BASE}/budgets">Budgets</a>' in may
    assert f'href="{BASE}/budgets/new"' in may
    assert f'href="{BASE}/budgets/new"' in by_word
    assert f'href="{BASE}/budgets/new"' not in reads


async def test_agents_of_others_are_found_next_to_objects() -> None:
    async with browser(api([{**HIT, "kind": "escrow"}]), signed_in=True) as client:
        page = (await client.get("/console/search", params={"q": "budget"})).text
    assert f'href="{BASE}/escrows/x_1"><bdi>a&amp;b</bdi>' in page
    assert f'href="{BASE}/marketplace/agt_1"' in page
    assert f'href="{BASE}/marketplace/agt_2"' not in page


async def test_a_whole_id_leads_to_its_page() -> None:
    async with browser(api([{**HIT, "kind": "escrow"}]), signed_in=True) as client:
        answer = await client.get("/console/search", params={"q": "x_1"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}/escrows/x_1")


@pytest.mark.parametrize(("status", "says"), [(422, "It may not be."), (503, "Not available right now.")])
async def test_a_search_that_is_refused_or_not_answered_says_so(status: int, says: str) -> None:
    fake = api()
    fake.answers["GET /search"] = problem(status, "request.invalid" if status == 422 else "service.unavailable")
    async with browser(fake, signed_in=True) as client:
        answer = await client.get("/console/search", params={"q": "alerts"})
    assert (answer.status_code, says in answer.text, "Nothing found" in answer.text) == (status, True, False)
