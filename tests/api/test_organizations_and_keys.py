import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from api.app import create_app
from api.deps import Deps
from domain.common.access import GRANTABLE, PLATFORM_ROLES, Role
from domain.tenants.token import split_token
from models.tenants.api_key import ApiKey
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.api.listing import file_of
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.connections import as_owner
from tests.support.serving import client_of

pytestmark = pytest.mark.db


async def test_operator_creates_an_organization_that_can_be_read_at_once(operator: Caller) -> None:
    made = good(await operator.post("/organizations", {"name": "Acme"}), 201)
    assert made["id"].startswith("org_")
    assert made["created_at"].endswith("Z")
    assert good(await operator.get(f"/organizations/{made['id']}")) == made


async def test_pitfall_08_created_object_can_be_used_at_once(
    operator: Caller, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    org_id = good(await operator.post("/organizations", {"name": "Fresh"}), 201)["id"]
    owner = await issue_key("owner", org_id)
    agent = good(await owner.post("/agents", {"name": "Fresh agent"}), 201)
    contract = good(await owner.post("/contracts", {"agent_id": agent["id"], "title": "x", "price": "1"}), 201)
    assert good(await owner.get(f"/contracts/{contract['id']}")) == contract
    assert good(await owner.get("/billing/balance"))["available"] == "0.00"


async def test_tenant_sees_its_own_organization_only(tenant: Tenant, stranger: Tenant) -> None:
    listed = good(await tenant.owner.get("/organizations"))
    assert [item["id"] for item in listed["data"]] == [tenant.org_id]
    assert good(await tenant.auditor.get(f"/organizations/{tenant.org_id}"))["id"] == tenant.org_id
    refused(await tenant.owner.get(f"/organizations/{stranger.org_id}"), 404, "not_found")


async def test_platform_lists_organizations_page_by_page(operator: Caller, tenant: Tenant, stranger: Tenant) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = good(await operator.get(f"/organizations?limit=1{cursor}"))
        seen += [item["id"] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert {tenant.org_id, stranger.org_id} <= set(seen)
    assert seen == sorted(set(seen), reverse=True)


async def test_secret_is_shown_once_and_only_its_hash_is_stored(operator: Caller, tenant: Tenant, deps: Deps) -> None:
    body = {"principal": "shown-once", "role": "member", "organization_id": tenant.org_id}
    key = new_key()
    made = good(await operator.post("/api-keys", body, key=key), 201)
    parts = split_token(made["secret"])
    assert parts is not None
    assert parts[0] == made["id"]
    again = await operator.post("/api-keys", body, key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert good(again, 201) == {**made, "secret": None}
    listed = good(await tenant.owner.get("/api-keys?limit=200"))["data"]
    assert made["id"] in {item["id"] for item in listed}
    assert all("secret" not in item for item in listed)
    async with deps.database.platform() as session:
        row = await session.get_one(ApiKey, made["id"])
        kept = await session.scalar(text("SELECT string_agg(convert_from(body, 'UTF8'), '') FROM idempotency_keys"))
    assert parts[1] not in kept
    assert row.secret_hash is not None
    assert parts[1].encode() not in row.secret_hash
    assert len(row.secret_hash) == 32


async def test_key_is_replaced_without_a_gap_and_a_third_is_refused(tenant: Tenant) -> None:
    body = {"principal": "twice", "role": "member"}
    first = good(await tenant.owner.post("/api-keys", body), 201)
    second = good(await tenant.owner.post("/api-keys", body), 201)
    refused(await tenant.owner.post("/api-keys", body), 409, "principal.exists")
    for made in (first, second):
        good(await Caller(tenant.owner.http, made["secret"]).get("/agents"))
    assert (await tenant.owner.delete(f"/api-keys/{first['id']}")).status_code == 200
    good(await Caller(tenant.owner.http, second["secret"]).get("/agents"))
    good(await tenant.owner.post("/api-keys", body), 201)


async def test_two_keys_of_a_principal_are_of_one_role(tenant: Tenant) -> None:
    good(await tenant.owner.post("/api-keys", {"principal": "one-role", "role": "member"}), 201)
    other = {"principal": "one-role", "role": "finance"}
    refused(await tenant.owner.post("/api-keys", other), 409, "principal.exists")


async def test_principal_is_one_whatever_its_case(tenant: Tenant) -> None:
    for principal, shown in (("Folded", "Folded"), ("FOLDED", "Folded")):
        made = good(await tenant.owner.post("/api-keys", {"principal": principal, "role": "member"}), 201)
        assert made["principal"] == shown
    refused(await tenant.owner.post("/api-keys", {"principal": "folded", "role": "member"}), 409, "principal.exists")


async def test_of_many_keys_of_a_principal_at_once_two_are_issued(tenant: Tenant) -> None:
    body = {"principal": "crowd", "role": "member"}
    answers = await asyncio.gather(*(tenant.owner.post("/api-keys", body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, *[409] * 6]


async def test_organization_has_as_many_active_keys_as_the_setting_says(
    database_urls: DatabaseUrls, new_tenant: NewTenant
) -> None:
    owner = (await new_tenant("owner")).owner
    application = create_app(settings_for(database_urls, api_keys_per_organization=3))
    async with client_of(application) as client:
        few = Caller(client, owner.token)
        made = [good(await few.post("/api-keys", {"principal": f"few-{n}", "role": "member"}), 201) for n in (1, 2)]
        third = {"principal": "few-3", "role": "member"}
        assert refused(await few.post("/api-keys", third), 409, "api_key.limit_reached")["limit"] == 3
        assert (await few.delete(f"/api-keys/{made[0]['id']}")).status_code == 200
        good(await few.post("/api-keys", third), 201)


async def test_same_principal_may_exist_in_two_organizations(tenant: Tenant, stranger: Tenant) -> None:
    body = {"principal": "everywhere", "role": "member"}
    good(await tenant.owner.post("/api-keys", body), 201)
    good(await stranger.owner.post("/api-keys", body), 201)


async def test_expired_key_makes_room_for_its_principal_and_stops_working(
    tenant: Tenant, deps: Deps, database_urls: DatabaseUrls
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = good(await tenant.owner.post("/api-keys", {"principal": "brief", "role": "member", "expires_at": soon}), 201)
    brief = Caller(tenant.owner.http, made["secret"])
    good(await brief.get("/agents"))
    # The cache does not outlive the expiry, so the key is forgotten as it would be some seconds later.
    await as_owner(database_urls, "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1", made["id"])
    deps.keyring.forget(made["id"])
    refused(await brief.get("/agents"), 401, "auth.invalid")
    good(await tenant.owner.post("/api-keys", {"principal": "brief", "role": "member"}), 201)


async def test_revoked_key_stops_and_stays_revoked(tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]) -> None:
    made = good(await tenant.owner.post("/api-keys", {"principal": "leaving", "role": "member"}), 201)
    leaving = Caller(tenant.owner.http, made["secret"])
    good(await leaving.get("/agents"))
    assert (await tenant.admin.delete(f"/api-keys/{made['id']}")).status_code == 200
    refused(await leaving.get("/agents"), 401, "auth.invalid")
    assert (await tenant.admin.delete(f"/api-keys/{made['id']}")).status_code == 200
    listed = good(await tenant.owner.get("/api-keys?active=true&limit=200"))["data"]
    assert made["id"] not in {item["id"] for item in listed}


async def test_revoking_a_key_lists_the_keys_that_it_issued_and_can_revoke_them(
    new_tenant: NewTenant,
) -> None:
    company = await new_tenant("owner", "admin")

    async def made(by: Caller, principal: str, role: str) -> tuple[Caller, str]:
        key = good(await by.post("/api-keys", {"principal": principal, "role": role}), 201)
        return Caller(by.http, key["secret"]), key["id"]

    def ids(listed: list[Any]) -> list[str]:
        return [each["id"] for each in listed]

    thief, first = await made(company.owner, "thief", "owner")
    helper, second = await made(thief, "helper", "admin")
    _, third = await made(helper, "clerk", "member")
    honest, fourth = await made(thief, "honest", "owner")
    _, fifth = await made(honest, "friend", "member")
    once = good(await company.owner.delete(f"/api-keys/{first}"))
    assert ids(once["revoked"]) == [first]
    assert ids(once["issued"]) == [fifth, fourth, third, second]
    assert once["revoked"][0]["revoked_at"] is not None
    # The caller keeps its own key, and the keys that this issued.
    again = good(await honest.delete(f"/api-keys/{first}?with_issued=true"))
    assert (ids(again["revoked"]), again["issued"]) == ([third, second], [])
    refused(await helper.get("/me"), 401, "auth.invalid")
    good(await honest.get("/me"))
    assert ids(good(await honest.delete(f"/api-keys/{first}"))["issued"]) == []


@pytest.mark.parametrize("by_session", [False, True], ids=["key", "session"])
async def test_download_ends_with_its_key(
    by_session: bool, app: FastAPI, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.lists.EXPORT_PAGE", 1)
    made = good(await tenant.owner.post("/api-keys", {"principal": f"export-{by_session}", "role": "auditor"}), 201)
    token = made["secret"]
    if by_session:
        token = good(await Caller(tenant.owner.http, token).post("/sessions", {}), 201)["token"]

    async def nothing() -> None:
        pass

    async def revoke() -> None:
        assert (await tenant.owner.delete(f"/api-keys/{made['id']}")).status_code == 200

    whole = await file_of(app, "/api-keys", token, nothing)
    assert len(whole.splitlines()) > 3
    # The last use of the key may be recorded in the meantime.
    told = (await file_of(app, "/api-keys", token, revoke)).splitlines()
    assert [line.partition(",")[0] for line in told] == [line.partition(",")[0] for line in whole.splitlines()[:2]]


@for_each("granter", [role for role in Role if role in GRANTABLE and role is not Role.OPERATOR])
@for_each("role", [role for role in Role if role not in PLATFORM_ROLES])
async def test_nobody_issues_a_key_above_their_own_role(granter: Role, role: Role, tenant: Tenant) -> None:
    body = {"principal": f"{granter}-makes-{role}", "role": role.value}
    if role is Role.AGENT:
        body["agent_id"] = tenant.agent_id
    response = await tenant.callers[granter.value].post("/api-keys", body)
    if role in GRANTABLE[granter]:
        good(response, 201)
    else:
        refused(response, 403, "auth.forbidden")


async def test_admin_revokes_keys_of_finance_and_issues_none(tenant: Tenant) -> None:
    body = {"principal": "treasurer", "role": "finance"}
    made = good(await tenant.owner.post("/api-keys", body), 201)
    assert (await tenant.admin.delete(f"/api-keys/{made['id']}")).status_code == 200
    refused(await tenant.admin.post("/api-keys", body), 403, "auth.forbidden")


@pytest.mark.parametrize("role", sorted(PLATFORM_ROLES))
async def test_tenants_never_issue_platform_keys(role: str, tenant: Tenant) -> None:
    refused(await tenant.owner.post("/api-keys", {"principal": "mole", "role": role}), 403, "auth.forbidden")


async def test_admin_does_not_revoke_an_owner(tenant: Tenant) -> None:
    parts = split_token(tenant.owner.token or "")
    assert parts is not None
    refused(await tenant.admin.delete(f"/api-keys/{parts[0]}"), 403, "auth.forbidden")


async def test_agent_key_needs_an_agent_of_its_organization(tenant: Tenant, stranger: Tenant) -> None:
    body = {"principal": "robot", "role": "agent"}
    refused(await tenant.owner.post("/api-keys", body), 422, "request.invalid")
    refused(await tenant.owner.post("/api-keys", {**body, "agent_id": stranger.agent_id}), 404, "not_found")
    refused(
        await tenant.owner.post("/api-keys", {**body, "role": "member", "agent_id": tenant.agent_id}),
        422,
        "request.invalid",
    )
    assert good(await tenant.owner.post("/api-keys", {**body, "agent_id": tenant.agent_id}), 201)["agent_id"]


async def test_operator_issues_platform_keys_without_an_organization_only(operator: Caller, tenant: Tenant) -> None:
    body = {"principal": f"arbiter-{new_key()}", "role": "arbiter"}
    with_org = {**body, "organization_id": tenant.org_id}
    refused(await operator.post("/api-keys", with_org), 422, "request.invalid")
    refused(await operator.post("/api-keys", {"principal": "x", "role": "owner"}), 422, "request.invalid")
    assert good(await operator.post("/api-keys", body), 201)["organization_id"] is None
    missing = {"principal": "x", "role": "owner", "organization_id": "org_" + "0" * 26}
    refused(await operator.post("/api-keys", missing), 404, "not_found")


async def test_expiry_in_the_past_is_refused(tenant: Tenant) -> None:
    body = {"principal": "late", "role": "member", "expires_at": "2020-01-01T00:00:00Z"}
    refused(await tenant.owner.post("/api-keys", body), 422, "request.invalid")


async def test_last_use_is_written_off_the_request(tenant: Tenant, deps: Deps) -> None:
    await tenant.member.get("/agents")
    await deps.keyring.flush()
    parts = split_token(tenant.member.token or "")
    assert parts is not None
    async with deps.database.platform() as session:
        used = (await session.scalars(select(ApiKey.last_used_at).where(ApiKey.id == parts[0]))).one()
    assert used is not None


async def test_both_sides_see_a_referral_and_an_organization_is_referred_by_one_that_exists(
    operator: Caller, new_tenant: Any
) -> None:
    referrer = await new_tenant("owner")
    body = {"name": "Brought", "referred_by": referrer.org_id}
    brought = good(await operator.post("/organizations", body, key=new_key()), 201)["id"]
    unknown = {"name": "Brought", "referred_by": "org_01h455vb4pex5vsknk084sn02q"}
    assert refused(await operator.post("/organizations", unknown), 422, "request.invalid")["field"] == "referred_by"
    (seen,) = good(await referrer.owner.get("/referrals"))["data"]
    assert (seen["organization_id"], seen["referrer_id"], seen["status"]) == (brought, referrer.org_id, "waiting")
    assert good(await operator.get(f"/referrals?organization_id={brought}"))["data"] == [seen]
    assert good(await (await new_tenant("owner")).owner.get("/referrals"))["data"] == []
