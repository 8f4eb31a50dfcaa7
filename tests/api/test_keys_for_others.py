"""A key signs for its principal, so who makes keys for others could sign in their names."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from api.deps import Deps
from domain.common.access import Role
from models.common.idempotency import IdempotencyKey
from models.tenants.api_key import ApiKey
from repositories.tenants import api_key as keys, session as sessions
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import contract_between
from tests.support.locks import somebody_waits

pytestmark = pytest.mark.db

KIND = "api_key.made_for_signatory"


async def made(by: Caller, principal: str, role: str = "member", *, key: str | None = None, **more: Any) -> Any:
    return good(await by.post("/api-keys", {"principal": principal, "role": role, **more}, key=key), 201)


def with_secret(of: Caller, key: Any) -> Caller:
    return Caller(of.http, key["secret"], of.org_id)


async def alerts(caller: Caller) -> list[Any]:
    found: list[Any] = good(await caller.get(f"/alerts?kind={KIND}"))["data"]
    return found


@pytest.fixture
async def company(new_tenant: NewTenant) -> Tenant:
    """A new organization, so that each test reads its own alerts."""
    return await new_tenant(*TENANT_ROLES)


async def test_admin_makes_no_second_key_for_another_principal(company: Tenant) -> None:
    first = await made(company.owner, "finance")
    refused(await company.admin.post("/api-keys", {"principal": "Finance", "role": "member"}), 409, "principal.exists")
    good(await with_secret(company.owner, first).get("/agents"))


async def test_admin_recovers_a_principal_after_its_key_was_revoked(company: Tenant) -> None:
    first = await made(company.owner, "finance")
    assert (await company.admin.delete(f"/api-keys/{first['id']}")).status_code == 200
    await made(company.admin, "finance")


@pytest.mark.parametrize("maker", ["owner", "operator"])
async def test_owner_and_operator_make_a_second_key_for_anybody(maker: str, company: Tenant, operator: Caller) -> None:
    await made(company.owner, "finance")
    by, more = (company.owner, {}) if maker == "owner" else (operator, {"organization_id": company.org_id})
    await made(by, "finance", **more)


@pytest.mark.parametrize("role", TENANT_ROLES)
async def test_every_principal_makes_its_own_second_key(role: str, company: Tenant) -> None:
    agent = {"agent_id": company.agent_id} if role == "agent" else {}
    mine = with_secret(company.owner, await made(company.owner, "me", role, **agent))
    second = await made(mine, "Me", role, **agent)
    assert (second["principal"], second["role"]) == ("me", role)
    good(await with_secret(company.owner, second).get("/agents"))


async def test_validator_makes_its_own_second_key(
    operator: Caller, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    principal = f"judge-{new_key()}"
    validator = await issue_key("validator", principal=principal)
    refused(await validator.post("/api-keys", {"principal": principal, "role": "arbiter"}), 403, "auth.forbidden")
    second = await made(validator, principal, "validator")
    good(await with_secret(operator, second).get("/agents"))


async def test_operator_makes_no_second_key_for_another_principal_of_the_platform(
    operator: Caller, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    """It could report in the name of the other principal, who would not notice."""
    principal = f"stream-{new_key()}"
    stream = await issue_key("operator", principal=principal)
    asked = {"principal": principal, "role": "operator"}
    refused(await operator.post("/api-keys", asked), 409, "principal.exists")
    await made(stream, principal, "operator")


@pytest.mark.parametrize(
    "other",
    [{"role": "owner"}, {"role": "finance"}, {"principal": "somebody"}],
    ids=["of a higher role", "of another role", "of another principal"],
)
async def test_a_member_makes_no_key_but_its_own(other: dict[str, str], company: Tenant) -> None:
    mine = with_secret(company.owner, await made(company.owner, "me"))
    body = {"principal": "me", "role": "member", **other}
    refused(await mine.post("/api-keys", body), 403, "auth.forbidden")


async def test_an_agents_key_makes_none_for_another_agent(company: Tenant) -> None:
    other = good(await company.owner.post("/agents", {"name": "Other"}), 201)["id"]
    mine = with_secret(company.owner, await made(company.owner, "bot", "agent", agent_id=company.agent_id))
    body = {"principal": "bot", "role": "agent", "agent_id": other}
    refused(await mine.post("/api-keys", body), 403, "auth.forbidden")


async def test_own_second_key_expires_no_later_than_the_first(company: Tenant) -> None:
    until = datetime.now(UTC) + timedelta(days=2)
    mine = with_secret(company.owner, await made(company.owner, "guest", expires_at=until.isoformat()))
    body = {"principal": "guest", "role": "member"}
    for later in ({}, {"expires_at": (until + timedelta(seconds=1)).isoformat()}):
        refused(await mine.post("/api-keys", {**body, **later}), 403, "auth.forbidden")
    await made(mine, "guest", expires_at=until.isoformat())


async def test_a_repeated_command_renews_no_secret_that_is_in_use(company: Tenant, deps: Deps) -> None:
    command = new_key()
    first = await made(company.admin, "finance", key=command)
    async with deps.database.platform() as session:
        await session.execute(update(ApiKey).where(ApiKey.id == first["id"]).values(last_used_at=datetime.now(UTC)))
    await _forget_answers(deps, company.org_id)
    again = await company.admin.post("/api-keys", {"principal": "finance", "role": "member"}, key=command)
    refused(again, 422, "idempotency.conflict")
    good(await with_secret(company.owner, first).get("/agents"))


async def _forget_answers(deps: Deps, org_id: str) -> None:
    async with deps.database.platform() as session:
        await session.execute(delete(IdempotencyKey).where(IdempotencyKey.scope == org_id))


async def test_key_made_for_a_signatory_by_somebody_else_is_an_alert_to_the_organization(
    company: Tenant, stranger: Tenant, operator: Caller
) -> None:
    await contract_between(operator, company, stranger, signatories=["Finance"])
    first = await made(company.owner, "finance")
    [told] = await alerts(company.member)
    assert (told["subject"], told["organization_id"]) == (first["id"], company.org_id)
    for word in (first["id"], "finance", "/owner-"):
        assert word in told["detail"]
    [entry] = good(await company.auditor.get(f"/audit?target={first['id']}"))["data"]
    assert entry["details"]["signatory"] is True
    assert await alerts(stranger.owner) == []


async def test_a_signatory_whose_key_an_admin_revoked_and_made_anew_is_an_alert(
    company: Tenant, stranger: Tenant, operator: Caller
) -> None:
    own = await made(company.owner, "finance")
    await contract_between(operator, company, stranger, signatories=["finance"])
    assert (await company.admin.delete(f"/api-keys/{own['id']}")).status_code == 200
    anew = await made(company.admin, "FINANCE")
    assert [alert["subject"] for alert in await alerts(company.member)] == [anew["id"]]
    # The maker of the key cannot end the alert.
    assert (await company.admin.delete(f"/api-keys/{anew['id']}")).status_code == 200
    [told] = await alerts(company.member)
    assert told["acknowledged_at"] is None


async def test_a_signatory_of_another_organization_is_known_as_one(
    company: Tenant, stranger: Tenant, operator: Caller
) -> None:
    await contract_between(operator, stranger, stranger, signatories=["procurement", f"{company.org_id}/Legal"])
    await made(company.owner, "legal")
    assert len(await alerts(company.owner)) == 1
    await made(company.owner, "procurement")
    assert len(await alerts(company.owner)) == 1


async def test_a_key_that_its_signatory_makes_itself_is_no_alert(
    company: Tenant, stranger: Tenant, operator: Caller
) -> None:
    mine = with_secret(company.owner, await made(company.owner, "finance", Role.FINANCE))
    await contract_between(operator, company, stranger, signatories=["finance"])
    second = await made(mine, "finance", Role.FINANCE)
    assert await alerts(company.owner) == []
    [entry] = good(await company.auditor.get(f"/audit?target={second['id']}"))["data"]
    assert "signatory" not in entry["details"]


@pytest.mark.parametrize("ended", ["key", "session"])
async def test_key_or_session_that_is_ended_at_that_moment_issues_no_key(
    ended: str, company: Tenant, deps: Deps
) -> None:
    """A caller that revokes a key and then lists the keys of its principal would not see the one being issued."""
    stolen = await made(company.owner, "thief", "member")
    thief, body = with_secret(company.owner, stolen), {"principal": "thief", "role": "member"}
    if ended == "session":
        session_of = good(await thief.post("/sessions", {}), 201)
        thief = Caller(thief.http, session_of["token"], thief.org_id)
    good(await thief.get("/me"))
    async with deps.database.platform() as session:
        if ended == "session":
            await sessions.end(session, session_of["id"], "owner")
        else:
            await keys.revoke(session, stolen["id"])
        issuing, waiting = (
            asyncio.create_task(thief.post("/api-keys", body)),
            asyncio.create_task(somebody_waits(deps.database)),
        )
        await asyncio.wait({issuing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert (await issuing).status_code == 401
    listed = good(await company.owner.get("/api-keys?active=true&q=thief"))["data"]
    assert [key["id"] for key in listed] == ([stolen["id"]] if ended == "session" else [])
