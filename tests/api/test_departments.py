import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.deps import Deps
from api.spending import scope_for
from domain.common.access import Actor, Role
from domain.common.errors import Invalid
from domain.credits.spend.scope import Attribution, RequestedScope, SpendingKey
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.conftest import DatabaseUrls
from tests.support.connections import as_owner

pytestmark = pytest.mark.db


def name() -> str:
    return f"Department {new_key()}"


async def department(of: Caller, parent: str | None = None, **options: Any) -> dict[str, Any]:
    made: dict[str, Any] = good(await of.post("/departments", {"name": name(), "parent_id": parent}, **options), 201)
    return made


async def attribute(of: Caller, path: str, **to: str | None) -> Any:
    return await of.ask("PUT", f"{path}/attribution", json=to)


async def own_scope(deps: Deps, caller: Caller) -> tuple[str | None, str | None]:
    """What the key spends for, as a request that names nothing."""
    assert caller.token is not None
    identity = deps.keyring.cached(caller.token) or await deps.keyring.identify(caller.token)
    found = identity.spending_key().attribution
    return found.department_id, found.project_id


async def test_departments_are_parts_of_departments_and_read_by_everybody_in_the_organization(
    tenant: Tenant, stranger: Tenant, operator: Caller
) -> None:
    top = await department(tenant.owner)
    part = await department(tenant.admin, top["id"])
    assert part["path"] == [top["id"], part["id"]]
    assert good(await tenant.member.get(f"/departments/{part['id']}")) == part
    assert part in good(await operator.get(f"/departments?organization_id={tenant.org_id}"))["data"]
    listed = good(await tenant.auditor.get("/departments?limit=2"))["data"]
    assert listed == [part, top]
    refused(await stranger.owner.get(f"/departments/{part['id']}"), 404, "not_found")
    assert part not in good(await stranger.owner.get("/departments"))["data"]


@pytest.mark.parametrize("role", ["finance", "member", "auditor", "agent"])
async def test_only_owners_and_admins_say_who_spends_for_what(tenant: Tenant, role: str) -> None:
    made = await department(tenant.owner)
    caller = getattr(tenant, role)
    refused(await caller.post(f"/departments/{made['id']}/close"), 403, "auth.forbidden")
    refused(await attribute(caller, f"/agents/{tenant.agent_id}"), 403, "auth.forbidden")


async def test_name_is_unique_among_open_departments_and_a_repeated_request_makes_one(tenant: Tenant) -> None:
    body, key = {"name": name()}, new_key()
    made = good(await tenant.owner.post("/departments", body, key=key), 201)
    assert good(await tenant.owner.post("/departments", body, key=key), 201) == made
    refused(await tenant.owner.post("/departments", {"name": body["name"].upper()}), 409, "department.exists")
    good(await tenant.owner.post(f"/departments/{made['id']}/close"))
    assert good(await tenant.owner.post("/departments", body), 201)["id"] != made["id"]


async def test_there_are_six_levels_and_no_parts_of_what_is_closed_or_somebody_elses(
    tenant: Tenant, stranger: Tenant
) -> None:
    level = await department(tenant.owner)
    foreign = await department(stranger.owner)
    for _ in range(5):
        level = await department(tenant.owner, level["id"])
    refused(await tenant.owner.post("/departments", {"name": name(), "parent_id": level["id"]}), 422, "request.invalid")
    for parent in (foreign["id"], good(await tenant.owner.post(f"/departments/{level['id']}/close"))["id"]):
        refused(await tenant.owner.post("/departments", {"name": name(), "parent_id": parent}), 422, "request.invalid")


async def test_a_department_is_closed_once_nothing_belongs_to_it(
    tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    top = await department(tenant.owner)
    part = await department(tenant.owner, top["id"])
    agent = good(await tenant.owner.post("/agents", {"name": "x"}), 201)["id"]
    good(await attribute(tenant.owner, f"/agents/{agent}", department_id=part["id"]))
    assert (
        refused(await tenant.owner.post(f"/departments/{top['id']}/close"), 409, "department.in_use")["in_use_by"]
        == (part["id"])
    )
    problem = refused(await tenant.owner.post(f"/departments/{part['id']}/close"), 409, "department.in_use")
    assert problem["in_use_by"] == agent
    good(await attribute(tenant.owner, f"/agents/{agent}"))
    closed = [good(await tenant.owner.post(f"/departments/{it['id']}/close")) for it in (part, top, top)]
    assert closed[1] == closed[2]
    refused(await attribute(tenant.owner, f"/agents/{agent}", department_id=part["id"]), 422, "request.invalid")
    seen = {it["id"] for it in good(await tenant.owner.get("/departments?open=true&limit=200"))["data"]}
    assert not seen & {part["id"], top["id"]}


async def test_department_of_a_key_that_has_expired_and_that_a_session_may_spend_as_is_not_closed(
    tenant: Tenant, database_urls: DatabaseUrls
) -> None:
    made = await department(tenant.owner)
    key = good(await tenant.owner.post("/api-keys", {"principal": "expiring", "role": "member"}), 201)["id"]
    good(await attribute(tenant.owner, f"/api-keys/{key}", department_id=made["id"]))
    await as_owner(database_urls, "UPDATE api_keys SET expires_at = now() WHERE id = $1", key)
    close = f"/departments/{made['id']}/close"
    assert refused(await tenant.owner.post(close), 409, "department.in_use")["in_use_by"] == key
    assert (await tenant.owner.delete(f"/api-keys/{key}")).status_code == 200
    good(await tenant.owner.post(close))


async def test_closing_and_attributing_at_once_never_leave_an_agent_in_a_closed_department(tenant: Tenant) -> None:
    agent = good(await tenant.owner.post("/agents", {"name": "x"}), 201)["id"]
    for _ in range(5):
        made = await department(tenant.owner)
        closing, attributing = await asyncio.gather(
            tenant.owner.post(f"/departments/{made['id']}/close"),
            attribute(tenant.admin, f"/agents/{agent}", department_id=made["id"]),
        )
        assert sorted((closing.status_code, attributing.status_code)) in ([200, 409], [200, 422])
        good(await attribute(tenant.owner, f"/agents/{agent}"))


async def test_a_key_spends_for_its_agents_department_until_it_has_one_of_its_own(
    tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]], deps: Deps
) -> None:
    of_agent, of_key = await department(tenant.owner), await department(tenant.owner)
    project = await _project(tenant.owner)
    agent = good(await tenant.owner.post("/agents", {"name": "x"}), 201)["id"]
    caller = await issue_key("agent", tenant.org_id, agent_id=agent)
    key_id = _key_id(caller)
    assert await own_scope(deps, caller) == (None, None)

    # A process that keeps the key hears of the change.
    async with _announced(deps, key_id):
        good(await attribute(tenant.owner, f"/agents/{agent}", department_id=of_agent["id"], project_id=project))
    assert await own_scope(deps, caller) == (of_agent["id"], project)
    good(await attribute(tenant.admin, f"/api-keys/{key_id}", department_id=of_key["id"]))
    assert await own_scope(deps, caller) == (of_key["id"], project)
    listed = good(await tenant.owner.get("/api-keys?limit=200"))["data"]
    assert [(it["department_id"], it["project_id"]) for it in listed if it["id"] == key_id] == [(of_key["id"], None)]
    assert good(await tenant.member.get(f"/agents/{agent}/attribution")) == {
        "id": agent,
        "department_id": of_agent["id"],
        "project_id": project,
    }


async def test_a_second_key_of_a_principal_spends_for_what_its_first_one_does(
    tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    made, principal = await department(tenant.owner), new_key()
    first = await issue_key("member", tenant.org_id, principal=principal)
    good(await attribute(tenant.owner, f"/api-keys/{_key_id(first)}", department_id=made["id"]))
    second = good(await first.post("/api-keys", {"principal": principal, "role": "member"}), 201)
    assert second["department_id"] == made["id"]


async def test_keys_of_a_principal_spend_for_the_same_whichever_is_attributed(
    tenant: Tenant, deps: Deps, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    made, principal = await department(tenant.owner), new_key()
    first = await issue_key("member", tenant.org_id, principal=principal)
    secret = good(await first.post("/api-keys", {"principal": principal, "role": "member"}), 201)["secret"]
    second, other = Caller(first.http, secret, tenant.org_id), await issue_key("member", tenant.org_id)
    good(await attribute(tenant.owner, f"/api-keys/{_key_id(first)}", department_id=made["id"]))
    assert [await own_scope(deps, each) for each in (first, second, other)] == [
        *[(made["id"], None)] * 2,
        (None, None),
    ]


async def test_other_organizations_agents_keys_and_departments_cannot_be_named(
    tenant: Tenant, stranger: Tenant, operator: Caller
) -> None:
    foreign = await department(stranger.owner)
    refused(await attribute(stranger.owner, f"/agents/{tenant.agent_id}"), 404, "not_found")
    refused(await stranger.owner.get(f"/agents/{tenant.agent_id}/attribution"), 404, "not_found")
    refused(await attribute(stranger.owner, f"/api-keys/{_key_id(tenant.member)}"), 404, "not_found")
    for caller in (tenant.owner, operator):
        path = f"/agents/{tenant.agent_id}"
        refused(await attribute(caller, path, department_id=foreign["id"]), 422, "request.invalid")
    refused(await attribute(operator, f"/api-keys/{_key_id(operator)}"), 422, "request.invalid")


async def test_a_revoked_key_is_attributed_to_nothing(
    tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    caller = await issue_key("member", tenant.org_id)
    await tenant.owner.delete(f"/api-keys/{_key_id(caller)}")
    refused(await attribute(tenant.owner, f"/api-keys/{_key_id(caller)}"), 409, "api_key.revoked")


async def test_what_a_request_names_is_looked_up_in_its_own_organization(
    tenant: Tenant, stranger: Tenant, deps: Deps
) -> None:
    top = await department(tenant.owner)
    part, closed = await department(tenant.owner, top["id"]), await department(tenant.owner, top["id"])
    good(await tenant.owner.post(f"/departments/{closed['id']}/close"))
    foreign = await department(stranger.owner)
    project = await _project(tenant.owner)
    key = SpendingKey(key_id="key_1", attribution=Attribution(department_id=top["id"]))
    actor = Actor(principal="x", role=Role.MEMBER, org_id=tenant.org_id)
    named = RequestedScope(agent_id=tenant.agent_id, department_id=part["id"], project_id=project)
    found = await scope_for(deps, actor, key, named)
    assert (found.agent_id, found.department_id, found.project_id) == (tenant.agent_id, part["id"], project)
    for wrong in (
        RequestedScope(department_id=closed["id"]),
        RequestedScope(department_id=foreign["id"]),
        RequestedScope(agent_id=stranger.agent_id),
        RequestedScope(project_id="prj_unknown"),
    ):
        with pytest.raises(Invalid, match="no such"):
            await scope_for(deps, actor, key, wrong)


def _key_id(caller: Caller) -> str:
    assert caller.token is not None
    return f"key_{caller.token.split('_')[1]}"


@asynccontextmanager
async def _announced(deps: Deps, key_id: str) -> AsyncIterator[None]:
    """Wait, at the end, until PostgreSQL has told this process of a change of the key."""
    keyring: Any = deps.keyring
    await keyring.listening.wait()
    heard, forget = asyncio.Event(), keyring.forget

    def forget_and_tell(changed: str) -> None:
        forget(changed)
        if changed == key_id:
            heard.set()

    keyring.forget = forget_and_tell
    try:
        yield
        await heard.wait()
    finally:
        keyring.forget = forget


async def _project(of: Caller) -> str:
    """The project of the organization; its tier has one."""
    there = good(await of.get("/projects"))["data"]
    made = there[0] if there else good(await of.post("/projects", {"slug": "only"}), 201)
    return str(made["id"])
