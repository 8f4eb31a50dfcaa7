"""Secrets by the forms of the console: a value is on no page but the one that opens it, once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from console.forms import COMMAND, new_key
from console.secret.pages import stops
from tests.api.conftest import NewTenant, Tenant, good, new_key as key, refused
from tests.conftest import DatabaseUrls
from tests.console import limiting
from tests.console.answering import said
from tests.console.conftest import Visitor, signed_in
from tests.console.fake import ME, NAMING, ORG, OWN, FakeApi, browser, problem
from tests.console.rendering import object_page, render
from tests.console.walking import text_of

pytestmark = pytest.mark.db
CANARY = "canary-of-a-value"
PATH = "api_keys/canary"
PAGE = "/secrets/api_keys~canary"
LAST_DAY = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()


@pytest.fixture
async def org(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "member")


@pytest.fixture
async def owner(app: FastAPI, org: Tenant) -> AsyncIterator[Visitor]:
    visitor = await signed_in(app, "owner", org.owner.token or "")
    yield visitor
    await visitor.browser.aclose()


async def send(visitor: Visitor, page: str, **fields: Any) -> httpx2.Response:
    return await visitor.post(page, {COMMAND: new_key(), **fields})


async def store(org: Tenant, owner: Visitor, **fields: Any) -> httpx2.Response:
    form = {"path": PATH, "kind": "api_key", "value": CANARY, "hosts": "", **fields}
    return await send(owner, f"/console/{org.org_id}/secrets/new", **form)


async def may_read(org: Tenant) -> None:
    principal = good(await org.owner.get("/me"))["principal"]
    good(await org.owner.post("/secrets/grants", limiting.secret_grant(principal=principal), key=key()), 201)


async def test_value_is_stored_and_shown_on_the_page_that_opens_it_alone(org: Tenant, owner: Visitor):
    here = f"/console/{org.org_id}{PAGE}"
    stored = await store(org, owner)
    assert (stored.status_code, stored.headers["location"]) == (303, f"{here}?notice=secret.stored")
    for page in (here, f"/console/{org.org_id}/secrets", f"{here}/replace", f"{here}/open"):
        shown = await owner.get(page)
        assert (shown.status_code, CANARY in shown.text) == (200, False)
    assert "/open" not in (await owner.get(here)).text

    await may_read(org)
    assert f'href="{here}/open"' in (await owner.get(here)).text
    opened = await send(owner, f"{here}/open", purpose="Set up a server", version="")
    assert (opened.status_code, opened.headers["cache-control"]) == (200, "no-store")
    assert CANARY in opened.text
    assert "content-encoding" not in opened.headers
    log = await owner.get(here)
    assert "Set up a server" in log.text
    assert CANARY not in log.text


async def test_who_is_granted_nothing_is_told_so_where_it_asks(org: Tenant, owner: Visitor):
    await store(org, owner)
    answer = await send(owner, f"/console/{org.org_id}{PAGE}/open", purpose="Curious", version="")
    assert answer.status_code == 403
    assert "No active grant allows this" in answer.text
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "reference"}, "Below payments/ store references"),
        ({"hosts": "not a host!"}, "is not a host"),
        ({"path": f"{PATH}/use"}, "has no segment named use"),
        ({"path": "elsewhere/x"}, "begins with payments/"),
        ({"path": "payments/card", "kind": "reference", "value": "4242424242424242"}, "card"),
    ],
)
async def test_refused_value_is_not_on_the_page_that_says_why(
    org: Tenant, owner: Visitor, fields: dict[str, str], said: str
):
    answer = await store(org, owner, **fields)
    assert (answer.status_code, said in answer.text) == (422, True), text_of(answer.text)
    value = fields.get("value", CANARY)
    assert value not in answer.text
    assert (await store(org, owner, value="")).status_code == 422


async def test_outcome_that_is_not_known_keeps_the_key_and_not_the_value():
    me = {**ME, "permissions": [*ME["permissions"], "manage_secrets"]}
    away = problem(503, "secret.unavailable")
    api = FakeApi({"GET /me": (200, me), "PUT /secrets/api_keys/canary": away})
    form = {COMMAND: new_key(), "path": PATH, "kind": "api_key", "value": CANARY, "hosts": ""}
    async with browser(api, signed_in=True) as client:
        answer = await client.post(f"/console/{ORG}/secrets/new", data=form, headers=OWN)
    assert answer.status_code == 503
    assert CANARY not in answer.text
    assert f'name="command" value="{form[COMMAND]}"' in answer.text
    assert "Enter the same value again" in answer.text


async def test_new_value_takes_over_and_the_one_before_is_destroyed_by_hand(org: Tenant, owner: Visitor):
    await store(org, owner)
    here = f"/console/{org.org_id}{PAGE}"
    replaced = await send(owner, f"{here}/replace", kind="api_key", value="another", grace="7d")
    assert replaced.headers["location"] == f"{here}?notice=secret.replaced"
    assert {each["number"]: each["status"] for each in await versions(org)} == {2: "current", 1: "previous"}
    asked = await owner.get(f"{here}/destroy?number=2")
    assert "This is the version in use" in asked.text
    assert "This is the version in use" not in (await owner.get(f"{here}/destroy?number=1")).text
    assert (await send(owner, f"{here}/destroy?number=1")).headers["location"] == f"{here}?notice=secret.destroyed"
    assert {each["number"]: each["status"] for each in await versions(org)} == {2: "current", 1: "destroyed"}
    for wrong in ("", "x", "-1", "1.5"):
        assert (await owner.get(f"{here}/destroy?number={wrong}")).status_code == 400


async def versions(org: Tenant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await org.owner.get(f"/secrets/{PATH}"))["versions"]
    return found


async def test_grant_is_made_listed_and_revoked(org: Tenant, owner: Visitor):
    await store(org, owner)
    base = f"/console/{org.org_id}/secrets"
    fields = {"agent_id": org.agent_id, "principal": "", "paths": "api_keys/*", "hosts": "api.example.com"}
    more = {"uses_per_day": "10", "price": "0.25", "ends_at": LAST_DAY, "verbs": "use", "methods": "POST"}
    more |= {"places": "header:x-api-key, body:key of it", "meter": "openai"}
    assert 'value="basic, header:authorization"' in (await owner.get(f"{base}/grants/new")).text
    made = await send(owner, f"{base}/grants/new", **fields, **more)
    assert made.headers["location"] == f"{base}/grants?notice=secret.granted"
    (grant,) = good(await org.owner.get("/secrets/grants"))["data"]
    assert (grant["agent_id"], grant["price"], grant["uses_per_day"]) == (org.agent_id, "0.25", 10)
    assert (grant["places"], grant["meter"]) == (["header:x-api-key", "body:key of it"], "openai")
    for page in (f"{base}/grants", f"/console/{org.org_id}{PAGE}"):
        shown = (await owner.get(page)).text
        assert f'href="{base}/grants/{grant["id"]}/revoke"' in shown
        assert "Value in header:x-api-key, body:key of it" in shown
        assert "0.25 credits a use, or metered by openai" in text_of(shown)
    revoked = await send(owner, f"{base}/grants/{grant['id']}/revoke")
    assert revoked.headers["location"] == f"{base}/grants?notice=secret.revoked"
    assert "/revoke" not in (await owner.get(f"{base}/grants")).text


async def test_value_that_was_set_by_hand_comes_into_use_and_what_a_rotator_made_is_stopped(
    org: Tenant, owner: Visitor, database_urls: DatabaseUrls
):
    good(await org.owner.ask("PUT", f"/secrets/{PATH}", json=limiting.SECRET, key=key()))
    here = f"/console/{org.org_id}{PAGE}"
    assert "Manual, every 90 days" in (await owner.get(here)).text
    rotated = await send(owner, f"{here}/rotate", value="another", grace="")
    assert rotated.headers["location"] == f"{here}?notice=secret.rotated"
    assert [each["number"] for each in await versions(org)] == [2, 1]
    assert f'href="{here}/stop"' not in (await owner.get(here)).text
    database = await asyncpg.connect(database_urls.owner)
    made = """UPDATE secrets SET rotation = rotation || '{"rotator": "bursar"}' WHERE org_id = $1"""
    await database.execute(made, org.org_id)
    for given_up, effect in (("", "The target is reset"), ("?give_up=true", "First make sure")):
        # The last attempt of what was stopped is over.
        await database.execute("UPDATE secret_rotations SET next_at = now() WHERE org_id = $1", org.org_id)
        assert f'href="{here}/stop"' in (await owner.get(here)).text
        assert f'action="{here}/stop{given_up}"' in (await owner.get(f"{here}/stop")).text
        assert effect in (await owner.get(f"{here}/stop")).text
        stopped = await send(owner, f"{here}/stop{given_up}")
        assert stopped.headers["location"] == f"{here}?notice=secret.rotation_stopped"
    await database.close()
    assert [each["status"] for each in await versions(org)] == ["destroyed", "current"]


async def test_address_of_an_operation_is_no_secret(org: Tenant, owner: Visitor):
    await store(org, owner)
    for name in ("api_keys~canary~access", "api_keys~..", "grants~x", "none"):
        assert (await owner.get(f"/console/{org.org_id}/secrets/{name}")).status_code == 404


async def test_member_without_a_grant_sees_no_secret(org: Tenant, owner: Visitor, app: FastAPI):
    await store(org, owner)
    member = await signed_in(app, "member", org.member.token or "")
    listed = await member.get(f"/console/{org.org_id}/secrets")
    assert PATH not in listed.text
    assert "a grant lets you use or read" in listed.text
    assert (await member.get(f"/console/{org.org_id}{PAGE}")).status_code == 404
    refused(await org.member.get(f"/secrets/{PATH}"), 404, "not_found")
    await member.browser.aclose()


ROTATION = {
    "rotator": "http",
    "every": "P30D",
    "status": "failed",
    "due_at": "2026-11-01T00:00:00Z",
    "overdue_at": "2026-11-08T00:00:00Z",
    "next_at": "2026-11-23T00:00:00Z",
    "failures": 3,
    "detail": "401",
}
SECRET = {
    "id": "sec_01kar6h2d8e4wvq3r5s7t9x1za",
    "path": PATH,
    "kind": "api_key",
    "backend": "vault",
    "hosts": [],
    "current_version": 1,
    "created_by": "kim",
    "created_at": "2026-10-01T00:00:00Z",
    "versions": [],
    "rotation": ROTATION,
    "grants": [],
}


@pytest.mark.parametrize(("at", "late"), [("2020-11-08T00:00:00Z", True), ("9020-11-08T00:00:00Z", False)])
def test_rotation_is_overdue_from_its_deadline_on(at: str, late: bool) -> None:
    secret = {**SECRET, "rotation": {**ROTATION, "overdue_at": at}}
    around = {"named": (), "access": None, "entries": (), "older": "", "naming": NAMING, "stops": stops}
    page = object_page(title=PATH)
    shown = render("secret/page.html", page, it=secret, grants=said({"data": [], "next_cursor": None}), **around)
    assert ("Overdue" in shown) is late
    for text in ("In Vault", "401", "Failed attempts"):
        assert text in shown
    for address in ("/replace", "/rotate", "/open", "/stop"):
        assert address not in shown
