"""Search results link to their pages."""

from typing import Any

import pytest

from console.format import Prefs
from console.gateway import Answer
from console.nouns import ROUTES
from console.objects import OF_ORGANIZATIONS, OF_THE_PLATFORM
from console.search import view
from tests.support.cases import for_each

ORG = "org_1"
BASE = f"/console/{ORG}"
HREFS = {
    "agent": f"{BASE}/agents/x_1",
    "api_key": f"{BASE}/settings/keys?q=a%26b",
    "contract": f"{BASE}/contracts/x_1",
    "department": f"{BASE}/departments",
    "dispute": f"{BASE}/disputes/x_1",
    "escrow": f"{BASE}/escrows/x_1",
    "grant": "",
    "invoice": f"{BASE}/invoices/x_1",
    "lot": "",
    "organization": BASE,
    "payment": f"{BASE}/payments/x_1",
    "payout": f"{BASE}/earnings",
    "project": f"{BASE}/projects",
    "purchase": f"{BASE}/library/x_1",
    "spend": f"{BASE}/usage/x_1",
    "transfer": f"{BASE}/transactions/x_1",
}


def href(kind: str, own_org: str | None, *, exists: bool = True) -> str:
    hit: dict[str, Any] = {"kind": kind, "id": "x_1", "title": "a&b", "organization_id": ORG, "status": None}
    body = {"data": [{**hit, "amount": None, "currency": None}], "shortened": False}
    answer = Answer(status=200, request_id="req_1", body=body)
    (found,) = view.page("x", answer, own_org, Prefs(), lambda path: exists).hits
    return found.href


@for_each("kind, page", HREFS.items())
def test_object_links_to_its_page(kind: str, page: str) -> None:
    assert href(kind, ORG) == page
    assert href(kind, ORG, exists=False) == ""


@pytest.mark.parametrize("kind", ["grant", "lot"])
def test_operators_are_linked_to_the_credits_of_the_organization(kind: str) -> None:
    assert href(kind, None) == f"/console/platform/credits?organization_id={ORG}"
    assert href("escrow", None) == f"{BASE}/escrows/x_1"


def test_every_place_of_an_object_is_a_page() -> None:
    paths = {route.path for route in ROUTES if "GET" in (route.methods or ())}
    of_tenants = {"/{org}" + place.partition("?")[0] for place in OF_ORGANIZATIONS.values()}
    of_platform = {"/platform" + place.partition("?")[0] for place in OF_THE_PLATFORM.values()}
    assert of_tenants | of_platform <= paths
