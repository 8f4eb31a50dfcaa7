"""Sessions act for keys, and end with them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text, update

from api.app import create_app
from api.deps import Deps
from domain.common.access import PERMISSIONS, PLATFORM_ROLES, Role
from domain.tenants.session import MAX_SESSIONS
from domain.tenants.token import split_token
from models.tenants.api_key import ApiKey
from models.tenants.session import Session
from repositories.tenants import session as sessions
from tests.api.conftest import Caller, NewTenant, Tenant, good, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each

pytestmark = pytest.mark.db

BACKGROUND = {"X-Background": "1"}
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


async def signed_in(by: Caller, **options: Any) -> tuple[Caller, dict[str, Any]]:
    made = good(await by.post("/sessions", {}, **options), 201)
    return Caller(by.http, made["token"], by.org_id), made


@pytest.fixture
async def company(new_tenant: NewTenant) -> Tenant:
    """A new organization, so that each test reads its own sessions."""
    return await new_tenant("owner", "admin", "member", "agent")


@pytest.fixture
async def elsewhere(database_urls: DatabaseUrls) -> AsyncIterator[FastAPI]:
    """Another process of the API."""
    application = create_app(settings_for(database_urls))
    async with application.router.lifespan_context(application):
        yield application


def over(application: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(application), base_url="http://bursar.test")


async def aged(deps: Deps, session_id: str, **values: Any) -> None:
    """Change times of a session as if they had passed, and have this process forget it."""
    async with deps.database.platform() as session:
        await session.execute(update(Session).where(Session.id == session_id).values(**values))
    deps.keyring.forget(session_id)


@for_each("role", list(Role))
async def test_every_caller_can_read_its_own_identity(
    role: Role, company: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    is_platform = role in PLATFORM_ROLES
    agent_id = company.agent_id if role is Role.AGENT else None
    caller = await issue_key(role.value, None if is_platform else company.org_id, agent_id)
    me = good(await caller.get("/me"))
    assert me["role"] == role.value
    assert set(me["permissions"]) == {permission.value for permission in PERMISSIONS[role]}
    assert (me["organization"] or {}).get("id") == (None if is_platform else company.org_id)
    assert (me["agent"] or {}).get("id") == agent_id
    assert me["session"] is None
    assert me["key_id"].startswith("key_")


@for_each("role", list(Role))
async def test_locale_and_time_zone_are_kept_with_the_principal(
    role: Role, company: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    is_platform = role in PLATFORM_ROLES
    agent_id = company.agent_id if role is Role.AGENT else None
    caller = await issue_key(role.value, None if is_platform else company.org_id, agent_id)

    async def kept() -> tuple[str | None, str | None]:
        me = good(await caller.get("/me"))
        return me["locale"], me["time_zone"]

    assert await kept() == (None, None)
    chosen = {"locale": "de-AT", "time_zone": "Europe/Vienna"}
    assert good(await caller.ask("PUT", "/me/preferences", json=chosen)) == chosen
    assert await kept() == ("de-AT", "Europe/Vienna")
    good(await caller.ask("PUT", "/me/preferences", json={"locale": "fr"}))
    assert await kept() == ("fr", None)


@pytest.mark.parametrize(
    ("body", "field"), [({"locale": "tlh"}, "locale"), ({"time_zone": "Mars/Olympus"}, "time_zone")]
)
async def test_unknown_locale_or_time_zone_is_refused(company: Tenant, body: dict[str, str], field: str) -> None:
    answer = refused(await company.owner.ask("PUT", "/me/preferences", json=body), 422, "request.invalid")
    assert field in str(answer.get("field") or answer["errors"])


async def test_session_acts_as_its_key_does(company: Tenant) -> None:
    browser, made = await signed_in(company.owner)
    by_key, by_session = good(await company.owner.get("/me")), good(await browser.get("/me"))
    assert by_session["session"]["id"] == made["id"]
    assert by_session["session"]["made_by"] is None
    assert {**by_session, "session": None} == by_key
    good(await browser.post("/projects", {"slug": "by-session"}), 201)


@pytest.mark.parametrize(("role", "idle", "longest"), [("owner", 12, 7 * 24), ("arbiter", 0.5, 12)])
async def test_session_of_the_platform_is_shorter(
    role: str, idle: float, longest: float, company: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    caller = company.owner if role == "owner" else await issue_key(role)
    started = datetime.now(UTC)
    _, made = await signed_in(caller)
    (row,) = (row for row in good(await caller.get("/sessions?mine=true"))["data"] if row["id"] == made["id"])
    assert abs(datetime.fromisoformat(made["expires_at"]) - started - timedelta(hours=longest)) < timedelta(minutes=1)
    used = datetime.fromisoformat(row["last_used_at"])
    assert datetime.fromisoformat(row["idle_at"]) - used == timedelta(hours=idle)


async def test_session_does_not_outlive_its_key(company: Tenant) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    body = {"principal": "brief", "role": "member", "expires_at": soon.isoformat()}
    key = good(await company.owner.post("/api-keys", body), 201)
    _, made = await signed_in(Caller(company.owner.http, key["secret"]))
    assert datetime.fromisoformat(made["expires_at"]) == soon


async def test_token_is_shown_once_and_only_its_hash_is_stored(company: Tenant, deps: Deps) -> None:
    browser, made = await signed_in(company.owner)
    parts = split_token(made["token"], "ses")
    assert parts is not None
    async with deps.database.platform() as session:
        kept = await session.scalar(text("SELECT string_agg(s::text, '') FROM sessions s"))
        told = await session.scalar(text("SELECT string_agg(a::text, '') FROM audit_log a"))
    assert parts[1] not in kept + told
    assert all("token" not in row for row in good(await browser.get("/sessions"))["data"])


async def test_session_opens_no_session(company: Tenant) -> None:
    browser, _ = await signed_in(company.owner)
    refused(await browser.post("/sessions", {}), 403, "session.needs_key")


async def test_wrong_secret_of_a_session_is_401(company: Tenant) -> None:
    browser, made = await signed_in(company.owner)
    good(await browser.get("/me"))
    forged = made["token"][:-1] + ("0" if made["token"][-1] != "0" else "1")
    refused(await Caller(browser.http, forged).get("/me"), 401, "auth.invalid")


def forgotten(application: FastAPI, name: str) -> asyncio.Event:
    """Return what is set once the process of that application has forgotten a key or a session."""
    keyring, done = application.state.deps.keyring, asyncio.Event()
    forget = keyring.forget

    def noting(what: str) -> None:
        forget(what)
        if what == name:
            done.set()

    keyring.forget = noting
    return done


async def test_session_that_is_ended_stops_at_once_in_every_process(company: Tenant, elsewhere: FastAPI) -> None:
    browser, made = await signed_in(company.owner)
    await elsewhere.state.deps.keyring.listening.wait()
    async with over(elsewhere) as http:
        there = Caller(http, browser.token)
        good(await there.get("/me"))
        heard = forgotten(elsewhere, made["id"])
        assert (await browser.delete(f"/sessions/{made['id']}")).status_code == 204
        await heard.wait()
        refused(await there.get("/me"), 401, "session.ended")
    refused(await browser.get("/me"), 401, "session.ended")
    assert (await company.owner.delete(f"/sessions/{made['id']}")).status_code == 204


async def test_session_ends_with_its_key_at_once_in_every_process(company: Tenant, elsewhere: FastAPI) -> None:
    key = good(await company.owner.post("/api-keys", {"principal": "leaving", "role": "member"}), 201)
    browser, made = await signed_in(Caller(company.owner.http, key["secret"]))
    await elsewhere.state.deps.keyring.listening.wait()
    async with over(elsewhere) as http:
        there = Caller(http, browser.token)
        good(await there.get("/me"))
        heard = forgotten(elsewhere, key["id"])
        assert (await company.owner.delete(f"/api-keys/{key['id']}")).status_code == 200
        await heard.wait()
        refused(await there.get("/me"), 401, "session.ended")
        assert not await elsewhere.state.deps.keyring.is_good(made["token"])
    refused(await browser.get("/me"), 401, "session.ended")


async def test_session_that_is_not_used_ends(company: Tenant, deps: Deps) -> None:
    browser, made = await signed_in(company.owner)
    await aged(deps, made["id"], last_used_at=datetime.now(UTC) - timedelta(hours=12))
    refused(await browser.get("/me"), 401, "session.ended")
    assert made["id"] not in {row["id"] for row in good(await company.owner.get("/sessions"))["data"]}


async def test_checking_a_session_does_not_extend_it(company: Tenant, deps: Deps) -> None:
    browser, made = await signed_in(company.owner)
    before = datetime.now(UTC) - timedelta(hours=11)
    await aged(deps, made["id"], last_used_at=before)
    assert await deps.keyring.is_good(made["token"])
    await deps.keyring.flush()
    assert await last_use(deps, made["id"]) == before
    deps.keyring.forget(made["id"])
    good(await browser.get("/me"))
    await deps.keyring.flush()
    assert await last_use(deps, made["id"]) > before


async def test_background_request_does_not_extend_a_session(company: Tenant, deps: Deps) -> None:
    browser, made = await signed_in(company.owner)
    before = datetime.now(UTC) - timedelta(hours=11)
    await aged(deps, made["id"], last_used_at=before)
    # The second is answered from memory.
    for _ in range(2):
        me = good(await browser.get("/me", headers=BACKGROUND))
        assert datetime.fromisoformat(me["session"]["idle_at"]) == before + timedelta(hours=12)
    await deps.keyring.flush()
    assert await last_use(deps, made["id"]) == before


async def test_first_use_after_background_requests_counts_at_once(company: Tenant, deps: Deps) -> None:
    browser, made = await signed_in(company.owner)
    before = datetime.now(UTC) - timedelta(hours=11)
    await aged(deps, made["id"], last_used_at=before)
    good(await browser.get("/me", headers=BACKGROUND))
    me = good(await browser.get("/me"))
    await deps.keyring.flush()
    assert await last_use(deps, made["id"]) > before
    assert datetime.fromisoformat(me["session"]["idle_at"]) > before + timedelta(hours=12)


async def test_background_request_with_a_key_counts_as_a_use(company: Tenant, deps: Deps) -> None:
    key = good(await company.owner.post("/api-keys", {"principal": "robot", "role": "member"}), 201)
    good(await Caller(company.owner.http, key["secret"]).get("/me", headers=BACKGROUND))
    await deps.keyring.flush()
    async with deps.database.platform() as session:
        assert (await session.get_one(ApiKey, key["id"])).last_used_at is not None


async def last_use(deps: Deps, session_id: str) -> datetime:
    async with deps.database.platform() as session:
        return (await session.get_one(Session, session_id)).last_used_at


async def test_oldest_sessions_end_above_the_maximum_of_a_key(company: Tenant) -> None:
    _, first = await signed_in(company.member)
    for _ in range(MAX_SESSIONS):
        await signed_in(company.member)
    listed = [row["id"] for row in good(await company.member.get("/sessions?limit=200"))["data"]]
    assert len(listed) == MAX_SESSIONS
    assert first["id"] not in listed


async def test_list_names_the_origin_of_a_session(company: Tenant) -> None:
    browser, made = await signed_in(company.owner, headers=FIREFOX)
    (row,) = good(await browser.get("/sessions"))["data"]
    assert (row["id"], row["browser"], row["current"]) == (made["id"], "Firefox on Linux", True)
    assert row["address"] == "127.0.0.1"
    (listed,) = good(await company.owner.get("/sessions"))["data"]
    # The use by the list above is written behind it, so the owner may see it already.
    used = {name: listed[name] for name in ("last_used_at", "idle_at")}
    assert listed == {**row, **used, "current": False}


async def test_owner_lists_and_ends_the_sessions_of_the_organization(company: Tenant, operator: Caller) -> None:
    browser, made = await signed_in(company.member)
    for by in (company.owner, company.admin, browser):
        assert [row["id"] for row in good(await by.get("/sessions"))["data"]] == [made["id"]]
    assert good(await company.owner.get("/sessions?mine=true"))["data"] == []
    assert good(await operator.get(f"/sessions?organization_id={company.org_id}"))["data"][0]["id"] == made["id"]
    assert (await company.admin.delete(f"/sessions/{made['id']}")).status_code == 204
    refused(await browser.get("/me"), 401, "session.ended")


async def test_members_neither_see_nor_end_sessions_of_others(company: Tenant) -> None:
    _, made = await signed_in(company.owner)
    assert good(await company.member.get("/sessions"))["data"] == []
    refused(await company.member.delete(f"/sessions/{made['id']}"), 404, "not_found")


async def test_admin_does_not_end_sessions_of_an_owner(company: Tenant) -> None:
    _, made = await signed_in(company.owner)
    refused(await company.admin.delete(f"/sessions/{made['id']}"), 403, "auth.forbidden")


async def test_sessions_of_another_organization_do_not_exist(company: Tenant, stranger: Tenant) -> None:
    _, made = await signed_in(company.owner)
    refused(await stranger.owner.delete(f"/sessions/{made['id']}"), 404, "not_found")
    refused(await stranger.owner.get(f"/sessions?organization_id={company.org_id}"), 404, "not_found")
    assert made["id"] not in {row["id"] for row in good(await stranger.owner.get("/sessions"))["data"]}


async def test_audit_trail_names_the_session(company: Tenant, deps: Deps) -> None:
    browser, made = await signed_in(company.owner)
    good(await browser.post("/api-keys", {"principal": "by-session", "role": "member"}), 201)
    entries = good(await company.owner.get("/audit"))["data"]
    by_action = {entry["action"]: entry for entry in entries}
    assert by_action["api_key.create"]["session_id"] == made["id"]
    assert by_action["api_key.create"]["made_by"] is None
    assert by_action["session.open"]["target"] == made["id"]
    assert by_action["session.open"]["session_id"] is None


async def test_sessions_that_ended_long_ago_are_deleted(company: Tenant, deps: Deps) -> None:
    _, old = await signed_in(company.owner)
    _, new = await signed_in(company.owner)
    long_ago = datetime.now(UTC) - timedelta(days=31)
    await aged(deps, old["id"], ended_at=long_ago, ended_by="tests")
    await aged(deps, new["id"], ended_at=datetime.now(UTC), ended_by="tests")
    async with deps.database.platform() as session:
        await sessions.delete_ended_before(session, datetime.now(UTC) - timedelta(days=30))
        left = set(await session.scalars(select(Session.id).where(Session.org_id == company.org_id)))
    assert left == {new["id"]}
