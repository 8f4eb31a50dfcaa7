"""Plans and entitlements over HTTP: what an organization may have, and how the rest is refused."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from api.app import create_app
from tests.api.building import deploy, limits, projects, put_on
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of

pytestmark = pytest.mark.db


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "auditor", "agent")


async def test_plans_are_listed_from_the_smallest_to_the_largest(tenant: Tenant) -> None:
    listed = good(await tenant.auditor.get("/billing/plans"))["data"]
    assert [(plan["id"], plan["credits_per_month"], plan["limits"]["seats"]) for plan in listed] == [
        ("free", "0.00", 1),
        ("premium", "0.00", 3),
        ("starter", "500.00", 3),
        ("professional", "2000.00", 10),
        ("enterprise", "10000.00", None),
    ]


async def test_entitlements_follow_the_plan_and_count_people_and_no_agents(tenant: Tenant, operator: Caller) -> None:
    found = good(await tenant.auditor.get("/billing/entitlements"))
    assert (found["organization_id"], found["plan"]) == (tenant.org_id, "free")
    assert [(each["entitlement"], each["included"], each["limit"], each["used"]) for each in found["data"]] == [
        ("projects", True, 1, 0),
        ("deploys", True, 1, 0),
        ("seats", False, 1, 2),
        ("api_access", False, None, None),
        ("custom_integrations", False, None, None),
    ]
    await put_on(operator, tenant.owner, "enterprise")
    path = f"/billing/entitlements?organization_id={tenant.org_id}"
    assert all(each["included"] for each in good(await operator.get(path))["data"])


async def test_check_refuses_missing_entitlements_with_upgrade_options(tenant: Tenant, operator: Caller) -> None:
    path = "/billing/entitlements/api_access/check"
    refusal = refused(await tenant.owner.get(path), 403, "entitlement.missing")
    assert (refusal["entitlement"], refusal["plan"]) == ("api_access", "free")
    assert refusal["ways_up"] == [
        {"way": "plan", "plan": "professional", "limit": 1},
        {"way": "plan", "plan": "enterprise", "limit": 1},
    ]
    await put_on(operator, tenant.owner, "professional")
    passed = good(await tenant.owner.get(path))
    assert (passed["allowed"], passed["plan"], passed["limit"]) == (True, "professional", None)


async def test_check_of_deployments_refuses_as_deploying_does(tenant: Tenant) -> None:
    (slug,) = await projects(tenant.owner, 1)
    await deploy(tenant.owner, slug)
    path = "/billing/entitlements/deploys/check"
    asked = refused(await tenant.owner.get(path), 409, "deployment.limit_reached")
    made = refused(await tenant.owner.post("/projects", {"slug": "two"}), 409, "deployment.limit_reached")
    assert asked["ways_up"] == made["ways_up"]
    assert {"way": "slot"} in asked["ways_up"]


async def test_quantity_is_checked_as_a_whole(tenant: Tenant, operator: Caller) -> None:
    await put_on(operator, tenant.owner, "premium")
    path = "/billing/entitlements/projects/check?quantity="
    assert good(await tenant.owner.get(f"{path}5"))["limit"] == 5
    refused(await tenant.owner.get(f"{path}6"), 409, "deployment.limit_reached")
    refused(await tenant.owner.get("/billing/entitlements/api_access/check?quantity=2"), 422, "request.invalid")


async def test_plan_without_a_limit_deploys_any_number(tenant: Tenant, operator: Caller) -> None:
    await put_on(operator, tenant.owner, "enterprise")
    for slug in await projects(tenant.owner, 3):
        await deploy(tenant.owner, slug)
    assert (await limits(tenant.owner))["deployments"] == {"limit": None, "used": 3}


async def test_project_has_its_deploy_type(tenant: Tenant) -> None:
    made = good(await tenant.owner.post("/projects", {"slug": "a", "deploy_type": "production"}), 201)
    assert (made["deploy_type"], made["is_deployed"]) == ("production", False)
    assert (await deploy(tenant.owner, "a"))["is_deployed"] is True
    refused(await tenant.owner.post("/projects", {"slug": "b", "deploy_type": "x"}), 422, "request.invalid")


async def test_tier_without_a_plan_is_refused(tenant: Tenant, operator: Caller) -> None:
    path = f"/organizations/{tenant.org_id}/tier"
    assert refused(await operator.ask("PUT", path, json={"tier": "gold"}), 422, "request.invalid")["field"] == "plan"
    refused(await operator.post("/organizations", {"name": "Gold", "tier": "gold"}), 422, "request.invalid")


@pytest.fixture
async def limiting(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app that gives out as many seats as a plan has, and no more."""
    app = create_app(settings_for(database_urls, limit_seats=True))
    async with client_of(app) as client:
        yield client


async def test_person_beyond_the_seats_gets_no_key(
    new_tenant: NewTenant, limiting: httpx2.AsyncClient, operator: Caller
) -> None:
    tenant = await new_tenant("owner")
    owner = Caller(limiting, tenant.owner.token)
    person = {"principal": "kim", "role": "member"}
    refusal = refused(await owner.post("/api-keys", person, key=new_key()), 403, "entitlement.missing")
    assert (refusal["entitlement"], refusal["limit"], refusal["used"]) == ("seats", 1, 1)
    named = good(await tenant.owner.get("/api-keys"))["data"][0]["principal"]
    again = {"principal": named, "role": "owner"}
    good(await owner.post("/api-keys", again, key=new_key()), 201)
    await put_on(operator, tenant.owner, "premium")
    good(await owner.post("/api-keys", person, key=new_key()), 201)
