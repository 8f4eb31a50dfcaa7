"""Schedules of secrets over HTTP: put, shown, changed, ended, and a rotation that begins at once."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest

from domain.secrets.rotation import RotationStatus
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.test_secrets import CANARY, client, put
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

MANUAL = {"rotator": "manual", "every": "P30D", "grace": "PT1H", "deadline": "P2D"}
STEP = {"method": "PUT", "url": "https://api.example.com/keys", "headers": {"authorization": "Bearer {{new}}"}}
HTTP = {"rotator": "http", "every": "P30D", "http": {"apply": STEP, "test": STEP}}
DATABASE = {"host": "db.example.com", "database": "app", "roles": ["app_a", "app_b"], "admin": "access_credentials/dba"}


@pytest.fixture(scope="module")
async def storing(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(database_urls) as found:
        yield found


@pytest.fixture
async def org(new_tenant: NewTenant, storing: httpx2.AsyncClient) -> Tenant:
    return (await new_tenant(*TENANT_ROLES)).through(storing)


async def rotate(caller: Caller, key: str | None = None, **body: Any) -> httpx2.Response:
    return await caller.post("/secrets/api_keys/model/rotate", body, key=key or new_key())


async def test_a_schedule_is_set_shown_to_managers_changed_and_ended(org: Tenant):
    made = good(await put(org.owner, rotation=MANUAL))["rotation"]
    assert {name: made[name] for name in ("rotator", "every", "grace", "deadline", "status", "version")} == {
        **MANUAL,
        "status": "idle",
        "version": None,
    }
    assert made["next_at"] == made["due_at"]
    assert good(await org.auditor.get("/secrets/api_keys/model"))["rotation"] == made
    assert good(await org.owner.get("/secrets"))["data"][0]["rotation"] is None
    longer = good(await put(org.owner, value=None, rotation=MANUAL | {"every": "P60D"}))["rotation"]
    assert longer["due_at"] > made["due_at"]
    assert good(await put(org.owner, value=None))["rotation"] == longer
    assert good(await put(org.owner, value=None, rotation={"rotator": "off"}))["rotation"] is None
    refused(await rotate(org.owner), 409, "secret.not_rotated")


async def test_the_value_that_a_person_sends_is_made_once_and_shown_nowhere(org: Tenant):
    good(await put(org.owner, rotation=MANUAL))
    assert refused(await rotate(org.owner), 422, "request.invalid")["field"] == "value"
    key = new_key()
    sent = [await rotate(org.owner, key, value="set-by-hand-1") for _ in range(2)]
    shown = good(sent[0], 202)
    assert good(sent[1], 202) == shown
    assert "set-by-hand" not in sent[0].text
    assert shown["rotation"]["status"] == RotationStatus.TESTED.value
    assert [each["status"] for each in shown["versions"]] == ["pending", "current"]
    refused(await rotate(org.owner, value="set-by-hand-2"), 409, "secret.rotating")
    refused(await put(org.owner, value=None, rotation={"rotator": "off"}), 409, "secret.rotating")


async def test_a_version_that_a_rotation_needs_is_not_destroyed(org: Tenant):
    good(await put(org.owner, rotation=MANUAL))
    good(await rotate(org.owner, value="set-by-hand-1"), 202)
    for number in (1, 2):
        path = f"/secrets/api_keys/model/versions/{number}"
        assert refused(await org.owner.delete(path), 409, "secret.rotating")["state"] == "tested"
    versions = good(await org.owner.get("/secrets/api_keys/model"))["versions"]
    assert [each["status"] for each in versions] == ["pending", "current"]


async def test_a_rotation_begins_at_once_where_the_rotator_makes_the_value(org: Tenant):
    good(await put(org.owner, rotation={"rotator": "bursar"}))
    shown = good(await rotate(org.admin, grace="PT1S"), 202)["rotation"]
    assert shown["next_at"] < shown["due_at"]
    refused(await rotate(org.owner, value=CANARY), 422, "request.invalid")


async def stop(caller: Caller, key: str | None = None, **body: Any) -> httpx2.Response:
    return await caller.post("/secrets/api_keys/model/rotate/stop", body, key=key or new_key())


async def test_a_rotation_under_way_is_stopped_by_its_owner_and_ended_without_its_target_when_that_failed(
    org: Tenant, database_urls: DatabaseUrls
):
    good(await put(org.owner, rotation=MANUAL))
    for body in ({}, {"give_up": True}):
        assert refused(await stop(org.owner, **body), 409, "secret.rotating")["state"] == "idle"
    good(await rotate(org.owner, value="set-by-hand-1"), 202)
    refused(await stop(org.owner, give_up=True), 409, "secret.rotating")
    assert "set the value at the target" in refused(await stop(org.owner), 409, "secret.rotating")["detail"]
    owner = await asyncpg.connect(database_urls.owner)
    # No worker runs: the value is taken for one that a rotator has made, and for one whose last attempt is over.
    await owner.execute(
        'UPDATE secrets SET rotation = rotation || \'{"rotator": "bursar"}\' WHERE org_id = $1', org.org_id
    )
    key = new_key()
    stopped = [good(await stop(org.admin, key)) for _ in range(2)]
    assert stopped[0] == stopped[1]
    assert (stopped[0]["rotation"]["status"], stopped[0]["rotation"]["failures"]) == ("failed", 1)
    assert [each["status"] for each in stopped[0]["versions"]] == ["pending", "current"]
    for body in ({}, {"give_up": True}):
        refused(await stop(org.owner, **body), 409, "secret.rotating")
    await owner.execute("UPDATE secret_rotations SET next_at = now() WHERE org_id = $1", org.org_id)
    await owner.close()
    ended = good(await stop(org.owner, give_up=True))
    assert [each["status"] for each in ended["versions"]] == ["destroyed", "current"]
    entries = good(await org.owner.get("/audit"))["data"]
    kinds = {each["action"] for each in entries}
    assert {"secret.rotation_stopped", "secret.rotation_given_up"} <= kinds


async def test_a_secret_without_a_rotation_has_none_to_stop(org: Tenant):
    good(await put(org.owner))
    refused(await stop(org.owner), 409, "secret.not_rotated")


@pytest.mark.parametrize(
    ("rotation", "more", "why"),
    [
        ({"rotator": "manual", "every": "PT2H", "grace": "PT2H"}, {}, "shorter than the interval"),
        ({"rotator": "manual", "every": "PT59M", "grace": "PT1S"}, {}, "every hour at most"),
        ({"rotator": "http"}, {}, "needs, and no other one"),
        ({"rotator": "manual", "http": HTTP["http"]}, {}, "needs, and no other one"),
        (HTTP, {}, "not one of the secret's hosts"),
        (HTTP, {"hosts": ["other.example.com"]}, "not one of the secret's hosts"),
        ({"rotator": "bursar"}, {"kind": "password"}, "replaces secrets of the kind api_key only"),
        ({"rotator": "postgres", "postgres": DATABASE}, {}, "replaces secrets of the kind login only"),
    ],
)
async def test_a_schedule_that_cannot_work_is_refused(org: Tenant, rotation: Any, more: Any, why: str):
    assert why in refused(await put(org.owner, rotation=rotation, **more), 422, "request.invalid")["detail"]
    refused(await org.owner.get("/secrets/api_keys/model"), 404, "not_found")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"url": "https://api.example.com/keys/{{new}}"}, "a value never stands in an address"),
        ({"url": "https://api.example.com/keys", "headers": {"authorization": "Bearer {{current}}"}}, "stands neither"),
        ({"headers": {"host": "{{new}}"}}, "The header host cannot be set"),
    ],
)
async def test_a_step_that_cannot_work_is_refused(org: Tenant, change: Any, why: str):
    rotation = HTTP | {"http": {"apply": STEP, "test": STEP | change}}
    answer = await put(org.owner, rotation=rotation, hosts=["api.example.com"])
    assert why in refused(answer, 422, "request.invalid")["detail"]


async def test_described_requests_and_databases_are_kept_and_shown(org: Tenant):
    shown = good(await put(org.owner, rotation=HTTP, hosts=["api.example.com"]))["rotation"]
    assert shown["http"] == {"apply": STEP, "test": STEP}
    login = {"kind": "login", "value": '{"username": "app_a", "password": "a-password"}'}
    path = "access_credentials/app"
    body = login | {"rotation": {"rotator": "postgres", "postgres": DATABASE}, "hosts": ["db.example.com:5432"]}
    kept = good(await org.owner.ask("PUT", f"/secrets/{path}", key=new_key(), json=body))["rotation"]
    assert kept["postgres"] == DATABASE | {"port": 5432}
