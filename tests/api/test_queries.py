"""Query and path parameters: an operation refuses what it does not know and what the database cannot hold."""

import pytest
from fastapi.routing import APIRoute

from repositories.messages.alert import raise_alert
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import escrow_between
from tests.api.paying import Written
from tests.support.cases import for_each
from tests.support.openapi import served
from tests.support.routes import ROUTES

pytestmark = pytest.mark.db

ASKED = [
    (method, route)
    for route in ROUTES
    if not getattr(route.endpoint, "raw_body", False)
    for method in sorted(route.methods or ())
]
IN_PATHS = [(method, route) for method, route in ASKED if "{" in route.path]


@for_each("method, route", ASKED)
async def test_unknown_query_parameter_is_refused_everywhere(method: str, route: APIRoute, operator: Caller) -> None:
    path = route.path.replace("{", "x").replace("}", "")
    answer = await operator.ask(method, f"{path}?organisation=x", key=new_key())
    assert refused(answer, 422, "request.invalid")["errors"] == [
        {"field": "organisation", "message": "Unknown parameter."}
    ]


@for_each(
    "path",
    [
        "/billing/usage?start_date={day}",
        "/billing/earnings?end_date={day}",
        "/reputation/history/{agent}?from={day}",
        "/accounting/balance-sheet?date={day}",
    ],
)
@for_each("day", ["0", "20260131", "2026-01-31T00:00:00%2B05:30", "2026-02-30"])
async def test_day_is_a_date_and_no_number_of_seconds(path: str, day: str, operator: Caller, tenant: Tenant) -> None:
    caller = operator if path.startswith("/accounting") else tenant.owner
    answer = await caller.get(path.format(day=day, agent=tenant.agent_id))
    assert len(refused(answer, 422, "request.invalid")["errors"]) == 1


async def test_key_is_asked_for_before_parameters_are_judged(anonymous: Caller) -> None:
    refused(await anonymous.get("/escrows?organisation=x"), 401, "auth.missing")


async def test_parameter_that_is_given_twice_is_refused(operator: Caller) -> None:
    answer = await operator.get("/escrows?limit=1&limit=2")
    assert refused(answer, 422, "request.invalid")["errors"] == [{"field": "limit", "message": "Given more than once."}]


async def test_provider_may_add_parameters_to_its_webhook_address(customer: Tenant) -> None:
    refused(await customer.owner.post("/webhooks/stripe?probe=1", {}), 400, "webhook.bad_signature")


async def test_operator_lists_one_organization_and_no_other(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee, signer, other = [await new_tenant() for _ in range(4)]
    made = await escrow_between(operator, database, payer, payee, "procurement", f"{signer.org_id}/counsel")
    elsewhere = await escrow_between(operator, database, other, other)
    for path, prefix in (("/escrows", "esc_"), ("/contracts", "ctr_")):
        for party in (payer, payee, signer):
            listed = good(await operator.get(f"{path}?organization_id={party.org_id}"))["data"]
            assert [row["id"] for row in listed] == [prefix + made.removeprefix("esc_")]
        listed = good(await operator.get(f"{path}?organization_id={other.org_id}"))["data"]
        assert [row["id"] for row in listed] == [prefix + elsewhere.removeprefix("esc_")]
        narrowed = good(await operator.get(f"{path}?organization_id={payer.org_id}&limit=1"))
        assert narrowed["next_cursor"] is None


async def test_operator_lists_alerts_of_one_organization(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    one, other = await new_tenant(), await new_tenant()
    async with database.platform() as session:
        for tenant in (one, other):
            await raise_alert(session, kind="test.it", subject=tenant.org_id, detail="x", org_id=tenant.org_id)
    for path in ("/alerts?", "/alerts?unacknowledged=true&"):
        listed = good(await operator.get(f"{path}organization_id={one.org_id}"))["data"]
        assert [row["subject"] for row in listed] == [one.org_id]


LISTS_OF_OPERATORS = (
    *("/escrows", "/contracts", "/payments", "/billing/invoices", "/agents", "/disputes", "/alerts", "/audit"),
    *("/api-keys", "/projects", "/billing/transactions", "/billing/credits/history"),
)


@for_each("path", LISTS_OF_OPERATORS)
def test_list_of_operators_says_in_openapi_that_it_filters_by_organization(path: str) -> None:
    parameters = {item["name"] for item in served()["paths"][f"/api/v1{path}"]["get"]["parameters"]}
    assert "organization_id" in parameters


@pytest.mark.parametrize("path", ["/escrows", "/contracts"])
async def test_tenant_cannot_name_another_organization(path: str, tenant: Tenant, stranger: Tenant) -> None:
    refused(await tenant.owner.get(f"{path}?organization_id={stranger.org_id}"), 404, "not_found")
    good(await tenant.owner.get(f"{path}?organization_id={tenant.org_id}"))


@for_each("method, route", IN_PATHS)
async def test_nul_in_a_path_is_404(method: str, route: APIRoute, operator: Caller) -> None:
    path = route.path.replace("{", "%00").replace("}", "")
    refused(await operator.ask(method, path, key=new_key(), json=None), 404, "not_found")


@pytest.mark.parametrize(
    "query", ["audit?target=%00", "billing/transactions?q=a%00b", "alerts?%00=x", "escrows?cursor=%00"]
)
async def test_nul_in_a_query_is_refused(query: str, operator: Caller) -> None:
    refused(await operator.get(f"/{query}"), 422, "request.invalid")


async def test_payment_of_another_organization_is_not_listed_for_the_one_asked_for(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    one, other = await new_tenant(), await new_tenant()
    mine = await Written(database, one.org_id).begin()
    await Written(database, other.org_id).begin()
    listed = good(await operator.get(f"/payments?organization_id={one.org_id}"))["data"]
    assert [row["id"] for row in listed] == [mine.payment.terms.payment_id]


async def test_metrics_are_not_below_the_api(operator: Caller) -> None:
    for path in ("/api/v1/metrics", "/api/metrics"):
        refused(await operator.get(path), 404, "not_found")
