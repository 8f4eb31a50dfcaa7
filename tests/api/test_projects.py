"""Projects, and how many of them are deployed at once: limits, races, keys and tiers."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text

from models.tenants.audit import AuditEntry
from runtime.database import Database
from tests.api.building import buy, deploy, events, limits, projects, prove, proven as proven, put_on, slots, undeploy
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each

pytestmark = pytest.mark.db


# Projects -------------------------------------------------------------------------------------------------------------


async def test_project_is_created_listed_and_not_deployed(owner: Caller) -> None:
    made = good(await owner.post("/projects", {"name": "Summaries", "slug": "sum-1"}), 201)
    assert made["id"].startswith("prj_")
    assert (made["organization_id"], made["slug"], made["name"]) == (owner.org_id, "sum-1", "Summaries")
    assert (made["deployed"], made["deployed_at"], made["occupies_slot"]) == (False, None, False)
    assert good(await owner.get("/projects")) == {"data": [made], "next_cursor": None}


async def test_projects_that_are_deployed_are_listed_alone(operator: Caller, owner: Caller) -> None:
    await put_on(operator, owner, "premium")
    first, second = await projects(owner, 2)
    await deploy(owner, first)
    found = good(await owner.get("/projects", params={"deployed": "true"}))["data"]
    assert [each["slug"] for each in found] == [first]
    assert {each["slug"] for each in good(await owner.get("/projects"))["data"]} == {first, second}


@pytest.mark.parametrize(
    ("body", "slug", "name"),
    [({"name": "Our Söhne, 2nd"}, "our-sohne-2nd", "Our Söhne, 2nd"), ({"slug": "a"}, "a", "a")],
)
async def test_slug_and_name_default_to_each_other(body: dict[str, str], slug: str, name: str, owner: Caller) -> None:
    made = good(await owner.post("/projects", body), 201)
    assert (made["slug"], made["name"]) == (slug, name)


@for_each(
    "body",
    [
        {},
        {"slug": ""},
        {"slug": "-a"},
        {"slug": "a-"},
        {"slug": "A"},
        {"slug": "a_b"},
        {"slug": "a/b"},
        {"slug": "a\n"},
        {"slug": "ä"},
        {"slug": "a" * 64},
        {"slug": 5},
        {"name": "…"},
        {"name": ""},
        {"name": "n" * 201},
        {"name": "a", "tier": "premium"},
        {"name": "a", "organization_id": "org_" + "0" * 26},
        [],
    ],
)
async def test_invalid_project_is_refused(body: Any, owner: Caller) -> None:
    refused(await owner.post("/projects", body), 422, "request.invalid")
    assert good(await owner.get("/projects"))["data"] == []


async def test_slug_is_unique_within_its_organization_only(
    owner: Caller, new_tenant: NewTenant, database: Database
) -> None:
    await buy(database, owner, 1)
    good(await owner.post("/projects", {"slug": "same"}), 201)
    refused(await owner.post("/projects", {"slug": "same"}), 409, "project.exists")
    refused(await owner.post("/projects", {"name": "Same"}), 409, "project.exists")
    good(await (await new_tenant("owner")).owner.post("/projects", {"slug": "same"}), 201)


async def test_list_is_paged(owner: Caller, operator: Caller) -> None:
    await put_on(operator, owner, "premium")
    await projects(owner, 3)
    seen, cursor = [], ""
    while True:
        page = good(await owner.get(f"/projects?limit=1{cursor}"))
        seen += [item["slug"] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["project-2", "project-1", "project-0"]
    assert good(await operator.get(f"/projects?organization_id={owner.org_id}&limit=1"))["data"][0]["slug"] == seen[0]
    refused(await owner.get("/projects?cursor=x"), 422, "request.invalid")


async def test_project_of_another_organization_is_not_found(owner: Caller, stranger: Tenant, operator: Caller) -> None:
    [slug] = await projects(owner, 1)
    for caller in (stranger.owner, stranger.auditor, operator):
        for path in (slug, "nothing", "A", "%00", "x" * 300, "deployment"):
            refused(await caller.post(f"/projects/{path}/deploy"), 404, "not_found")
            refused(await caller.delete(f"/projects/{path}/deploy"), 404, "not_found")
    for path in ("/projects", "/projects/deployment/limits"):
        refused(await stranger.owner.get(f"{path}?organization_id={owner.org_id}"), 404, "not_found")
    nobody = f"/projects/deployment/limits?organization_id=org_{'0' * 26}"
    refused(await operator.get(nobody), 404, "not_found")
    refused(await operator.get("/projects/deployment/limits"), 422, "request.invalid")
    assert not (await deploy(owner, slug))["occupies_slot"]


async def test_tenant_reads_its_own_rows_only_and_writes_none(
    owner: Caller, stranger: Tenant, database: Database
) -> None:
    [slug] = await projects(owner, 1)
    await deploy(owner, slug)
    for table in ("projects", "deployment_events"):
        count = text(f"SELECT count(*) FROM {table} WHERE org_id = :org")
        for org_id, seen in ((stranger.org_id, 0), (owner.org_id or "", 1)):
            async with database.tenant(org_id) as session:
                assert await session.scalar(count, {"org": owner.org_id}) == seen
    for statement in (
        "UPDATE projects SET deployed_at = now()",
        "DELETE FROM projects",
        "UPDATE deployment_events SET slots = 0",
        "UPDATE organizations SET tier = 'premium'",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with database.tenant(owner.org_id or "") as session:
                await session.execute(text(statement))
    for statement in ("DELETE FROM projects", "DELETE FROM deployment_events"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.platform() as session:
                await session.execute(text(statement))


@pytest.mark.parametrize("role", ["owner", "admin", "finance", "member", "auditor", "agent"])
async def test_only_builders_create_and_deploy(role: str, new_tenant: NewTenant) -> None:
    tenant = await new_tenant("owner", *({role} - {"owner"}))
    caller = tenant.callers[role]
    await projects(tenant.owner, 1)
    answers = [
        await caller.post("/projects", {"slug": "own"}),
        await caller.post("/projects/project-0/deploy"),
        await caller.delete("/projects/project-0/deploy"),
    ]
    good(await caller.get("/projects"))
    good(await caller.get("/projects/deployment/limits"))
    if role in {"owner", "admin", "member"}:
        assert [answer.status_code for answer in answers] == [409, 200, 200]
    else:
        for answer in answers:
            refused(answer, 403, "auth.forbidden")


# Limits ---------------------------------------------------------------------------------------------------------------


async def test_limits_of_a_new_organization_are_those_of_the_free_tier(owner: Caller) -> None:
    assert await limits(owner) == {
        "organization_id": owner.org_id,
        "tier": "free",
        "projects": {"limit": 1, "used": 0},
        "deployments": {"limit": 1, "used": 0},
        "slots": {"free": 0, "in_use": 0, "owed": 0},
        "slot_price": {"amount": "10.00", "currency": "USD"},
    }


async def test_projects_beyond_the_limit_are_refused_and_a_slot_makes_room(owner: Caller, database: Database) -> None:
    await projects(owner, 1)
    refusal = refused(await owner.post("/projects", {"slug": "two"}), 409, "deployment.limit_reached")
    assert (refusal["limit"], refusal["used"]) == (1, 1)
    await buy(database, owner, 1)
    good(await owner.post("/projects", {"slug": "two"}), 201)
    refused(await owner.post("/projects", {"slug": "three"}), 409, "deployment.limit_reached")


async def test_premium_has_five_of_both(operator: Caller, issue_key: Any) -> None:
    made = good(await operator.post("/organizations", {"name": "Premium", "tier": "premium"}), 201)
    assert made["tier"] == good(await operator.get(f"/organizations/{made['id']}"))["tier"] == "premium"
    owner = await issue_key("owner", made["id"])
    for slug in await projects(owner, 5):
        await deploy(owner, slug)
    refused(await owner.post("/projects", {"slug": "six"}), 409, "deployment.limit_reached")
    assert (await limits(owner))["deployments"] == {"limit": 5, "used": 5}
    assert await slots(owner) == (0, 0, 0)


async def test_deployment_beyond_the_tier_takes_a_slot_and_undeploying_frees_it(
    owner: Caller, database: Database
) -> None:
    await buy(database, owner, 1)
    first, second = await projects(owner, 2)
    assert not (await deploy(owner, first))["occupies_slot"]
    assert await slots(owner) == (1, 0, 0)
    assert (await deploy(owner, second))["occupies_slot"]
    assert await slots(owner) == (0, 1, 0)
    assert (await limits(owner))["deployments"] == {"limit": 2, "used": 2}
    # The tier has room again, whichever of the two ends.
    ended = await undeploy(owner, first)
    assert (ended["deployed"], ended["deployed_at"], ended["occupies_slot"]) == (False, None, False)
    assert await slots(owner) == (1, 0, 0)
    assert not any(item["occupies_slot"] for item in good(await owner.get("/projects"))["data"])
    assert (await deploy(owner, first))["occupies_slot"]
    await undeploy(owner, first)
    await undeploy(owner, second)
    assert await slots(owner) == (1, 0, 0)
    assert await events(database, owner) == [
        *(("deployed", 0), ("deployed", 1), ("undeployed", -1)),
        *(("deployed", 1), ("undeployed", -1), ("undeployed", 0)),
    ]


async def test_repeated_deploying_and_undeploying_change_nothing(owner: Caller, database: Database) -> None:
    await buy(database, owner, 1)
    first, second = await projects(owner, 2)
    await undeploy(owner, first)
    await deploy(owner, first)
    once = await deploy(owner, second)
    assert [await deploy(owner, second), await deploy(owner, second, key=new_key())] == [once, once]
    assert await slots(owner) == (0, 1, 0)
    gone = await undeploy(owner, second)
    assert [await undeploy(owner, second), await undeploy(owner, second, key=new_key())] == [gone, gone]
    assert await slots(owner) == (1, 0, 0)
    # Two of them have keys, and their repeats must find that they were done.
    assert [slots for _, slots in await events(database, owner)] == [0, 1, 0, -1, 0]


async def test_deployment_without_room_is_refused_and_leaves_nothing(owner: Caller, database: Database) -> None:
    bought = await buy(database, owner, 1)
    first, second = await projects(owner, 2)
    bought.there.refund(500)
    await bought.look()
    await deploy(owner, first)
    refusal = refused(await owner.post(f"/projects/{second}/deploy"), 409, "deployment.limit_reached")
    assert (refusal["limit"], refusal["used"]) == (1, 1)
    assert [item["deployed"] for item in good(await owner.get("/projects"))["data"]] == [False, True]
    assert await events(database, owner) == [("deployed", 0)]


@pytest.mark.parametrize("keyed", [False, True])
async def test_pitfall_03_deployments_at_once_never_pass_the_limit(
    keyed: bool, owner: Caller, operator: Caller, database: Database
) -> None:
    await put_on(operator, owner, "premium")
    bought = await buy(database, owner, 6)
    slugs = await projects(owner, 10)
    await put_on(operator, owner, "free")
    bought.there.refund(2500)
    await bought.look()
    assert await slots(owner) == (1, 0, 0)
    keys = [new_key() if keyed else None for _ in slugs]
    answers = await asyncio.gather(
        *(owner.post(f"/projects/{slug}/deploy", key=key) for slug, key in zip(slugs, keys, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, *[409] * 8]
    assert await slots(owner) == (0, 1, 0)
    assert (await limits(owner))["deployments"] == {"limit": 2, "used": 2}


async def test_same_project_deployed_by_many_at_once_takes_one_slot(owner: Caller, database: Database) -> None:
    await buy(database, owner, 3)
    first, second = await projects(owner, 2)
    await deploy(owner, first)
    answers = await asyncio.gather(*(owner.post(f"/projects/{second}/deploy") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert await slots(owner) == (2, 1, 0)


async def test_projects_made_at_once_never_pass_the_limit(owner: Caller) -> None:
    answers = await asyncio.gather(*(owner.post("/projects", {"slug": f"p{index}"}) for index in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    assert (await limits(owner))["projects"] == {"limit": 1, "used": 1}


# Keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forgotten", [False, True], ids=["answer kept", "answer forgotten"])
async def test_repeated_command_does_nothing_after_the_opposite_one(
    forgotten: bool, owner: Caller, database: Database
) -> None:
    [slug] = await projects(owner, 1)
    up, down = new_key(), new_key()
    await deploy(owner, slug, key=up)
    await undeploy(owner, slug, key=down)
    if forgotten:
        await forget(database, up)
    await deploy(owner, slug, key=up)
    assert not good(await owner.get("/projects"))["data"][0]["deployed"]
    await deploy(owner, slug)
    if forgotten:
        await forget(database, down)
    await undeploy(owner, slug, key=down)
    assert good(await owner.get("/projects"))["data"][0]["deployed"]
    assert [kind for kind, _ in await events(database, owner)] == ["deployed", "undeployed", "deployed"]


@pytest.mark.parametrize("forgotten", [False, True], ids=["answer kept", "answer forgotten"])
async def test_repeat_of_command_that_changed_nothing_does_nothing(
    forgotten: bool, owner: Caller, operator: Caller, database: Database
) -> None:
    [slug] = await projects(owner, 1)
    up, down, tier = new_key(), new_key(), new_key()
    await undeploy(owner, slug, key=down)
    await put_on(operator, owner, "free", key=tier)
    await deploy(owner, slug)
    await deploy(owner, slug, key=up)
    await put_on(operator, owner, "premium")
    if forgotten:
        await asyncio.gather(forget(database, up), forget(database, down), forget(database, tier))
    await undeploy(owner, slug, key=down)
    assert good(await owner.get("/projects"))["data"][0]["deployed"]
    assert (await put_on(operator, owner, "free", key=tier))["tier"] == ("premium" if forgotten else "free")
    assert good(await owner.get(f"/organizations/{owner.org_id}"))["tier"] == "premium"
    await undeploy(owner, slug)
    if forgotten:
        await forget(database, up)
    await deploy(owner, slug, key=up)
    assert not good(await owner.get("/projects"))["data"][0]["deployed"]


async def test_command_that_changes_nothing_leaves_the_slots_in_use_provable(
    owner: Caller, database: Database, database_urls: DatabaseUrls
) -> None:
    await buy(database, owner, 1)
    first, second = await projects(owner, 2)
    await undeploy(owner, first, key=new_key())
    await deploy(owner, first)
    await deploy(owner, second)
    await deploy(owner, second, key=new_key())
    assert await slots(owner) == (0, 1, 0)
    await prove(database_urls)


async def test_forgotten_key_of_one_command_is_refused_for_another(
    owner: Caller, operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    await put_on(operator, owner, "premium")
    first, second = await projects(owner, 2)
    key, made, tier = new_key(), new_key(), new_key()
    await deploy(owner, first, key=key)
    good(await owner.post("/projects", {"slug": "third"}, key=made), 201)
    await put_on(operator, owner, "free", key=tier)
    other = (await new_tenant("owner")).owner
    await asyncio.gather(forget(database, key), forget(database, made), forget(database, tier))
    refused(await owner.post(f"/projects/{second}/deploy", key=key), 422, "idempotency.conflict")
    await forget(database, key)
    refused(await owner.delete(f"/projects/{first}/deploy", key=key), 422, "idempotency.conflict")
    refused(await owner.post("/projects", {"slug": "fourth"}, key=made), 422, "idempotency.conflict")
    change = await operator.ask("PUT", f"/organizations/{other.org_id}/tier", json={"tier": "premium"}, key=tier)
    refused(change, 422, "idempotency.conflict")


async def test_project_made_twice_with_one_key_is_one_also_at_the_limit(owner: Caller, database: Database) -> None:
    key = new_key()
    first = good(await owner.post("/projects", {"slug": "once"}, key=key), 201)
    assert good(await owner.post("/projects", {"slug": "once"}, key=key), 201) == first
    await forget(database, key)
    assert good(await owner.post("/projects", {"slug": "once"}, key=key), 201) == first


# Tiers ----------------------------------------------------------------------------------------------------------------


async def test_lower_tier_keeps_deployments_and_refuses_new_ones(
    owner: Caller, operator: Caller, database: Database
) -> None:
    await put_on(operator, owner, "premium")
    slugs = await projects(owner, 4)
    for slug in slugs[:3]:
        await deploy(owner, slug)
    assert (await put_on(operator, owner, "free"))["tier"] == "free"
    assert (await limits(owner))["deployments"] == {"limit": 1, "used": 3}
    refused(await owner.post(f"/projects/{slugs[3]}/deploy"), 409, "deployment.limit_reached")
    refused(await owner.post("/projects", {"slug": "more"}), 409, "deployment.limit_reached")
    await undeploy(owner, slugs[0])
    refused(await owner.post(f"/projects/{slugs[0]}/deploy"), 409, "deployment.limit_reached")
    await buy(database, owner, 1)
    refused(await owner.post(f"/projects/{slugs[0]}/deploy"), 409, "deployment.limit_reached")
    # What runs already is covered first.
    await buy(database, owner, 1)
    await deploy(owner, slugs[0])
    assert await slots(owner) == (0, 2, 0)
    occupying = {item["slug"] for item in good(await owner.get("/projects"))["data"] if item["occupies_slot"]}
    assert occupying == {slugs[0], slugs[2]}


async def test_higher_tier_frees_slots_that_are_not_needed(owner: Caller, operator: Caller, database: Database) -> None:
    await buy(database, owner, 2)
    for slug in await projects(owner, 3):
        await deploy(owner, slug)
    assert await slots(owner) == (0, 2, 0)
    await put_on(operator, owner, "premium")
    assert await slots(owner) == (2, 0, 0)
    assert (await limits(owner))["deployments"] == {"limit": 7, "used": 3}
    assert await events(database, owner) == [("deployed", 0), ("deployed", 1), ("deployed", 1), ("tier_changed", -2)]


async def test_tier_is_changed_by_operators_only_and_audited(
    owner: Caller, operator: Caller, stranger: Tenant, issue_key: Any, database: Database
) -> None:
    path = f"/organizations/{owner.org_id}/tier"
    refused(await owner.ask("PUT", path, json={"tier": "premium"}), 403, "auth.forbidden")
    refused(await stranger.owner.ask("PUT", path, json={"tier": "premium"}), 404, "not_found")
    arbiter = await issue_key("arbiter")
    refused(await arbiter.ask("PUT", path, json={"tier": "premium"}), 403, "auth.forbidden")
    for body in ({"tier": "gold"}, {}, {"tier": None}):
        refused(await operator.ask("PUT", path, json=body), 422, "request.invalid")
    refused(await operator.post("/organizations", {"name": "x", "tier": "gold"}), 422, "request.invalid")
    key = new_key()
    changed = await put_on(operator, owner, "premium", key=key)
    assert await put_on(operator, owner, "premium", key=key) == await put_on(operator, owner, "premium") == changed
    query = select(AuditEntry).where(AuditEntry.target == owner.org_id, AuditEntry.action == "organization.tier")
    async with database.platform() as session:
        [entry] = (await session.scalars(query)).all()
    assert entry.details == {"from": "free", "to": "premium", "slots": 0}


async def test_deployments_are_audited(owner: Caller, database: Database) -> None:
    [slug] = await projects(owner, 1)
    await deploy(owner, slug)
    await undeploy(owner, slug)
    told = good(await owner.get("/audit"))["data"]
    actions = [entry["action"] for entry in told if entry["action"].startswith("project.")]
    assert actions == ["project.undeploy", "project.deploy", "project.create"]
