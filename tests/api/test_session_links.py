"""Links open one session for another person, within the rights of their maker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.app import create_app
from api.deps import Deps
from domain.common.access import GRANTABLE, PLATFORM_ROLES, Actor, Role
from domain.escrow import commands
from domain.tenants.token import split_token
from models.tenants.api_key import ApiKey
from models.tenants.session import Session, SessionLink
from providers.judged import Receivers
from repositories.messages import alert
from repositories.tenants import api_key as api_keys
from runtime.database import Database
from runtime.identity import new_id
from services.tenants import session as links
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.api.escrowing import NOW, escrow_between, record, state
from tests.api.metering import event, send, statuses
from tests.api.spending import grant
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.connections import as_owner, connected
from tests.support.locks import somebody_waits
from tests.support.serving import client_of
from tests.support.webhooks import WEBHOOK_KEYS

pytestmark = pytest.mark.db

PUBLIC = "https://pay.example.com"
SHOP = "https://shop.example.com"


async def anywhere(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.215.14"]


@pytest.fixture(scope="module")
async def reached(database_urls: DatabaseUrls) -> AsyncIterator[FastAPI]:
    """An app that is reached from outside."""
    settings = settings_for(database_urls, public_url=PUBLIC, return_origins=SHOP, webhook_keys=WEBHOOK_KEYS)
    application = create_app(settings, receivers=Receivers(resolver=anywhere))
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(reached: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(reached), base_url="http://bursar.test") as made:
        yield made


@pytest.fixture
async def company(new_tenant: NewTenant, client: httpx2.AsyncClient) -> Tenant:
    """A new organization, reached by the app of these tests."""
    return (await new_tenant("owner", "admin", "finance", "member")).through(client)


@pytest.fixture
def platform(operator: Caller, client: httpx2.AsyncClient) -> Caller:
    return Caller(client, operator.token)


async def linked(by: Caller, principal: str = "maria", role: str = "finance", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = good(await by.post("/sessions/links", {"principal": principal, "role": role, **more}), 201)
    return made


def token_in(made: dict[str, Any]) -> str:
    return str(urlsplit(made["url"]).path.rpartition("/")[2])


async def redeemed(by: Caller, made: dict[str, Any]) -> Caller:
    anybody = Caller(by.http, None)
    opened = good(await anybody.post("/sessions/redeem", {"token": token_in(made)}), 201)
    return Caller(by.http, opened["token"], by.org_id)


async def test_link_opens_a_session_as_a_principal_without_a_key(company: Tenant, platform: Caller) -> None:
    path = f"/console/{company.org_id}/top-up"
    made = await linked(platform, organization_id=company.org_id, path=path, return_url=f"{SHOP}/billing")
    assert made["url"].startswith(f"{PUBLIC}/console/enter/bsl_")
    seen = good(await Caller(platform.http, None).post("/sessions/links/preview", {"token": token_in(made)}))
    assert (seen["principal"], seen["role"], seen["organization"]["id"]) == ("maria", "finance", company.org_id)
    opened = good(await Caller(platform.http, None).post("/sessions/redeem", {"token": token_in(made)}), 201)
    assert (opened["path"], opened["return_url"]) == (path, f"{SHOP}/billing")
    me = good(await Caller(platform.http, opened["token"]).get("/me"))
    assert (me["principal"], me["role"], me["organization"]["id"]) == ("maria", "finance", company.org_id)
    assert me["session"]["made_by"] == made["made_by"] == seen["made_by"]
    assert me["key_id"] is None


async def test_showing_a_link_does_not_use_it(company: Tenant) -> None:
    made = await linked(company.owner)
    for _ in range(3):
        good(await Caller(company.owner.http, None).post("/sessions/links/preview", {"token": token_in(made)}))
    good(await (await redeemed(company.owner, made)).get("/me"))


async def test_of_two_concurrent_uses_of_a_link_one_succeeds(company: Tenant) -> None:
    token = token_in(await linked(company.owner))
    anybody = Caller(company.owner.http, None)
    answers = await asyncio.gather(*(anybody.post("/sessions/redeem", {"token": token}) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, *[410] * 5]
    for path in ("redeem", "links/preview"):
        again = refused(await anybody.post(f"/sessions/{path}", {"token": token}), 410, "session.link_gone")
        assert again["reason"] == "used"


async def test_link_that_is_too_old_opens_nothing(company: Tenant, database_urls: DatabaseUrls) -> None:
    made = await linked(company.owner)
    owner = await asyncpg.connect(database_urls.owner)
    try:
        await owner.execute("UPDATE session_links SET expires_at = now() WHERE id = $1", made["id"])
    finally:
        await owner.close()
    gone = await Caller(company.owner.http, None).post("/sessions/redeem", {"token": token_in(made)})
    assert refused(gone, 410, "session.link_gone")["reason"] == "expired"


async def test_link_and_its_session_end_when_it_is_ended(company: Tenant) -> None:
    unused, used = await linked(company.owner), await linked(company.owner, "pia")
    browser = await redeemed(company.owner, used)
    for made in (unused, used):
        assert (await company.admin.delete(f"/sessions/links/{made['id']}")).status_code == 204
    gone = await browser.post("/sessions/redeem", {"token": token_in(unused)})
    assert refused(gone, 410, "session.link_gone")["reason"] == "ended"
    refused(await browser.get("/me"), 401, "session.ended")


async def test_link_and_its_session_end_with_the_key_of_its_maker(company: Tenant, platform: Caller) -> None:
    key = good(await company.owner.post("/api-keys", {"principal": "leaving", "role": "admin"}), 201)
    leaving = Caller(company.owner.http, key["secret"], company.org_id)
    unused, used = await linked(leaving, role="member"), await linked(leaving, "pia", "member")
    browser = await redeemed(leaving, used)
    assert (await company.owner.delete(f"/api-keys/{key['id']}")).status_code == 200
    gone = await Caller(company.owner.http, None).post("/sessions/redeem", {"token": token_in(unused)})
    assert refused(gone, 410, "session.link_gone")["reason"] == "ended"
    refused(await browser.get("/me"), 401, "session.ended")


async def test_revoking_a_principals_key_ends_sessions_that_others_opened_for_it(company: Tenant) -> None:
    key = good(await company.owner.post("/api-keys", {"principal": "maria", "role": "finance"}), 201)
    browser = await redeemed(company.owner, await linked(company.owner))
    assert (await company.owner.delete(f"/api-keys/{key['id']}")).status_code == 200
    refused(await browser.get("/me"), 401, "session.ended")


async def test_link_that_is_redeemed_while_its_principals_key_is_revoked_opens_nothing_that_lasts(
    company: Tenant, reached: FastAPI
) -> None:
    key = good(await company.owner.post("/api-keys", {"principal": "maria", "role": "finance"}), 201)
    link_id, deps = (await linked(company.owner))["id"], reached.state.deps
    visit = links.RedeemingBrowser(secret_hash=b"0" * 32, browser="x", address=None, request_id=None)

    async def revoke() -> None:
        async with deps.database.platform() as session:
            assert await api_keys.revoke(session, key["id"])

    async with deps.database.platform() as session:
        _, opened = await links.redeem(session, link_id, visit, datetime.now(UTC))
        revoking = asyncio.create_task(revoke())
        await somebody_waits(deps.database)
    await revoking
    async with deps.database.platform() as session:
        assert (await session.get_one(SessionLink, link_id)).ended_at is not None
        assert (await session.get_one(Session, opened.id)).ended_at is not None


async def test_session_by_link_spends_as_a_key_of_its_principal_that_has_expired(
    company: Tenant, reached: FastAPI, database_urls: DatabaseUrls
) -> None:
    key = good(await company.owner.post("/api-keys", {"principal": "maria", "role": "member"}), 201)
    browser = await redeemed(company.owner, await linked(company.owner, role="member"))
    await as_owner(database_urls, "UPDATE api_keys SET expires_at = now() WHERE id = $1", key["id"])
    deps: Deps = reached.state.deps
    assert (await deps.keyring.identify(browser.token or "")).key_id == key["id"]


@pytest.mark.parametrize("kind", ["key", "department"])
async def test_session_by_link_funds_no_escrow_while_spending_of_its_principal_is_frozen(
    company: Tenant, platform: Caller, reached: FastAPI, database: Database, new_tenant: Any, kind: str
) -> None:
    await grant(platform, company.org_id)
    made = await escrow_between(platform, database, company, await new_tenant("owner"))
    key = good(await company.owner.post("/api-keys", {"principal": "maria", "role": "member"}), 201)
    department = good(await company.owner.post("/departments", {"name": "Research"}), 201)
    body = {"department_id": department["id"]}
    good(await company.owner.ask("PUT", f"/api-keys/{key['id']}/attribution", json=body))
    subject = {"type": kind, "id": {"key": key, "department": department}[kind]["id"]}
    control = good(await company.owner.post("/spend-controls", {"subject": subject, "limits": []}), 201)["id"]
    good(await company.owner.post(f"/spend-controls/{control}/freeze"))
    browser = await redeemed(company.owner, await linked(company.owner, role="member"))
    identity = await reached.state.deps.keyring.identify(browser.token or "")
    assert identity.session is not None
    actor = Actor(
        principal="maria",
        role=Role.MEMBER,
        org_id=company.org_id,
        session_id=identity.session.session_id,
        made_by=identity.session.made_by,
    )
    funding = commands.fund(await state(database, made), actor=actor, source=commands.CREDITS, now=NOW)
    recorded = await record(database, funding, actor=actor)
    assert recorded.declined is not None
    assert (recorded.declined.code, recorded.declined.extra["control_id"]) == ("spend.limit_exceeded", control)


async def test_usage_that_a_session_by_link_reports_counts_for_a_key_of_its_principal(
    company: Tenant, database: Database
) -> None:
    key = good(await company.owner.post("/api-keys", {"principal": "maria", "role": "member"}), 201)
    browser = await redeemed(company.owner, await linked(company.owner, role="member"))
    sent = event()
    assert statuses(await send(browser, sent)) == ["accepted"]
    async with database.platform() as session:
        rows = await session.execute(
            text("SELECT key_id FROM usage_events WHERE org_id = :org AND event_id = :event"),
            {"org": company.org_id, "event": sent["id"]},
        )
    assert rows.scalars().all() == [key["id"]]


async def test_links_of_operators_and_their_sessions_end_when_the_organization_is_closed(
    company: Tenant, platform: Caller
) -> None:
    unused = await linked(platform, organization_id=company.org_id)
    browser = await redeemed(platform, await linked(platform, "pia", organization_id=company.org_id))
    good(await platform.post(f"/organizations/{company.org_id}/close", {"reason": "The customer has left."}))
    gone = await Caller(platform.http, None).post("/sessions/redeem", {"token": token_in(unused)})
    assert refused(gone, 410, "session.link_gone")["reason"] == "ended"
    refused(await browser.get("/me"), 401, "session.ended")


async def test_link_into_a_closed_organization_opens_nothing(
    company: Tenant, platform: Caller, database_urls: DatabaseUrls
) -> None:
    made = await linked(platform, organization_id=company.org_id)
    async with connected(database_urls.owner) as owner:
        # As a link that was made before closing ended them.
        await owner.execute(
            "UPDATE organizations SET status = 'closed', status_by = 'tests', status_at = now() WHERE id = $1",
            company.org_id,
        )
    for path in ("links/preview", "redeem"):
        answer = await Caller(platform.http, None).post(f"/sessions/{path}", {"token": token_in(made)})
        refused(answer, 409, "organization.closed")


async def test_key_of_another_role_ends_sessions_by_links_of_its_principal(company: Tenant) -> None:
    unused, same = await linked(company.owner, "Maria"), await linked(company.owner, "pia", "member")
    browser = await redeemed(company.owner, await linked(company.owner))
    other = await redeemed(company.owner, same)
    for principal in ("maria", "pia"):
        good(await company.owner.post("/api-keys", {"principal": principal, "role": "member"}), 201)
    refused(await browser.get("/me"), 401, "session.ended")
    gone = await Caller(company.owner.http, None).post("/sessions/redeem", {"token": token_in(unused)})
    assert refused(gone, 410, "session.link_gone")["reason"] == "ended"
    good(await other.get("/me"))


async def test_link_opens_nothing_while_a_key_of_another_role_exists_and_is_not_used_up(
    company: Tenant, reached: FastAPI
) -> None:
    made = await linked(company.owner)
    deps: Deps = reached.state.deps
    async with deps.database.platform() as session:
        # As one that was issued before issuing ended such links.
        await api_keys.add(
            session,
            ApiKey(
                id=new_id("key"),
                org_id=company.org_id,
                principal="Maria",
                role="member",
                secret_hash=b"0" * 32,
                created_by="tests",
                command_id=new_id("cmd"),
            ),
        )
    for path in ("links/preview", "redeem"):
        answer = await Caller(company.owner.http, None).post(f"/sessions/{path}", {"token": token_in(made)})
        refused(answer, 409, "principal.exists")
    (listed,) = good(await company.owner.get("/sessions/links"))["data"]
    assert (listed["id"], listed["used_at"]) == (made["id"], None)


@for_each("maker", ["owner", "admin"])
@for_each("role", list(Role))
async def test_nobody_makes_a_link_beyond_their_own_rights(maker: str, role: Role, company: Tenant) -> None:
    body: dict[str, Any] = {"principal": "somebody", "role": role.value}
    if role is Role.AGENT:
        body["agent_id"] = company.agent_id
    answer = await company.callers[maker].post("/sessions/links", body)
    if role in GRANTABLE[Role(maker)]:
        good(answer, 201)
    else:
        refused(answer, 403, "auth.forbidden")


@pytest.mark.parametrize("role", sorted(PLATFORM_ROLES))
async def test_operators_make_no_link_into_the_platform(role: Role, platform: Caller, company: Tenant) -> None:
    body = {"principal": "second-operator", "role": role.value, "organization_id": company.org_id}
    refused(await platform.post("/sessions/links", body), 403, "auth.forbidden")


async def test_links_of_another_organization_do_not_exist(company: Tenant, stranger: Tenant) -> None:
    body = {"principal": "maria", "role": "finance", "organization_id": stranger.org_id}
    refused(await company.owner.post("/sessions/links", body), 404, "not_found")
    made = await linked(company.owner)
    there = Caller(company.owner.http, stranger.owner.token)
    refused(await there.delete(f"/sessions/links/{made['id']}"), 404, "not_found")
    assert good(await there.get("/sessions/links"))["data"] == []
    agents = {"principal": "robot", "role": "agent", "agent_id": stranger.agent_id}
    refused(await company.owner.post("/sessions/links", agents), 404, "not_found")


async def test_admin_opens_no_session_for_a_principal_with_a_key(company: Tenant) -> None:
    good(await company.owner.post("/api-keys", {"principal": "maria", "role": "member"}), 201)
    body = {"principal": "Maria", "role": "member"}
    refused(await company.admin.post("/sessions/links", body), 409, "principal.exists")
    good(await company.owner.post("/sessions/links", body), 201)


@pytest.mark.parametrize(("maker", "stays"), [("admin", False), ("owner", True)])
@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
async def test_key_of_a_principal_ends_earlier_links_of_an_admin_to_it(
    maker: str, stays: bool, used: bool, company: Tenant
) -> None:
    made = await linked(company.callers[maker], role="member")
    browser = await redeemed(company.owner, made) if used else None
    good(await company.owner.post("/api-keys", {"principal": "Maria", "role": "member"}), 201)
    if browser is None and stays:
        browser = await redeemed(company.owner, made)
    if browser is None:
        gone = await Caller(company.owner.http, None).post("/sessions/redeem", {"token": token_in(made)})
        assert refused(gone, 410, "session.link_gone")["reason"] == "ended"
    elif stays:
        good(await browser.get("/me"))
    else:
        refused(await browser.get("/me"), 401, "session.ended")


async def test_second_key_of_a_principal_leaves_the_links_that_it_made_itself(company: Tenant) -> None:
    me = good(await company.admin.get("/me"))["principal"]
    made = await linked(company.admin, me, "admin")
    good(await company.admin.post("/api-keys", {"principal": me, "role": "admin"}), 201)
    good(await (await redeemed(company.admin, made)).get("/me"))


async def test_key_that_is_issued_while_an_admin_makes_a_link_ends_it(company: Tenant, reached: FastAPI) -> None:
    deps: Deps = reached.state.deps
    parts = split_token(company.admin.token or "")
    assert parts is not None
    actor = Actor(principal="it", role=Role.ADMIN, org_id=company.org_id, key_id=parts[0])
    link = SessionLink(
        id=new_id("lnk"),
        secret_hash=b"0" * 32,
        key_id=parts[0],
        org_id=company.org_id,
        principal="maria",
        role="member",
        path="/console",
        made_by=actor.qualified(),
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )
    async with deps.database.platform() as session:
        await links.make_link(session, actor, link, None)
        issuing = asyncio.create_task(company.owner.post("/api-keys", {"principal": "maria", "role": "member"}))
        await somebody_waits(deps.database)
    good(await issuing, 201)
    assert good(await company.owner.get("/sessions/links"))["data"] == []


async def test_link_gives_a_principal_no_other_role_than_its_key(company: Tenant) -> None:
    good(await company.owner.post("/api-keys", {"principal": "maria", "role": "member"}), 201)
    refused(
        await company.owner.post("/sessions/links", {"principal": "maria", "role": "owner"}), 409, "principal.exists"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/api/v1/me"},
        {"path": "//evil.example"},
        {"return_url": "https://evil.example/"},
        {"return_url": "javascript:alert(1)"},
        {"expires_in": "PT25H"},
        {"role": "agent"},
    ],
    ids=str,
)
async def test_link_that_leads_elsewhere_or_lasts_too_long_is_refused(wrong: dict[str, str], company: Tenant) -> None:
    body = {"principal": "maria", "role": "finance", **wrong}
    refused(await company.owner.post("/sessions/links", body), 422, "request.invalid")


async def test_address_of_a_link_is_shown_once_and_only_its_hash_is_stored(company: Tenant, reached: FastAPI) -> None:
    body, key = {"principal": "maria", "role": "finance"}, "link-once"
    made = good(await company.owner.post("/sessions/links", body, key=key), 201)
    assert good(await company.owner.post("/sessions/links", body, key=key), 201) == {**made, "url": None}
    parts = split_token(token_in(made), "lnk")
    assert parts is not None
    deps: Deps = reached.state.deps
    async with deps.database.platform() as session:
        kept = await session.scalar(text("SELECT string_agg(l::text, '') FROM session_links l"))
        answered = await session.scalar(text("SELECT string_agg(convert_from(body, 'UTF8'), '') FROM idempotency_keys"))
    assert parts[1] not in kept + answered
    (listed,) = good(await company.owner.get("/sessions/links"))["data"]
    assert listed == {name: value for name, value in made.items() if name != "url"}


@pytest.mark.parametrize("token", ["x", "bsl_" + "0" * 26 + "_" + "0" * 64, "bsl_%00"])
async def test_wrong_token_of_a_link_is_401(token: str, company: Tenant) -> None:
    for path in ("links/preview", "redeem"):
        answer = await Caller(company.owner.http, None).post(f"/sessions/{path}", {"token": token})
        refused(answer, 401, "auth.invalid")


async def test_wrong_tokens_of_links_are_counted_against_the_address(
    database_urls: DatabaseUrls, company: Tenant
) -> None:
    application = create_app(settings_for(database_urls, public_url=PUBLIC, rate_limit="3/minute"))
    async with client_of(application) as client:
        anybody, made = Caller(client, None), await linked(company.owner)
        for _ in range(3):
            refused(await anybody.post("/sessions/redeem", {"token": "x"}), 401, "auth.invalid")
        refused(await anybody.post("/sessions/redeem", {"token": "x"}), 429, "rate_limited")
        # Behind the same address others have good ones.
        good(await anybody.post("/sessions/redeem", {"token": token_in(made)}), 201)


async def test_key_is_no_link_and_a_link_is_no_key(company: Tenant) -> None:
    token = token_in(await linked(company.owner))
    refused(await Caller(company.owner.http, token).get("/me"), 401, "auth.invalid")
    key = {"token": company.owner.token}
    refused(await Caller(company.owner.http, None).post("/sessions/redeem", key), 401, "auth.invalid")


async def test_session_by_link_reads_grants_and_stores_no_secrets(company: Tenant) -> None:
    browser = await redeemed(company.owner, await linked(company.owner, "other-owner", "owner"))
    ends_at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    granted = {"principal": "other-owner", "paths": ["api_keys/*"], "verbs": ["read"], "ends_at": ends_at}
    for method, path, body in (
        ("POST", "/secrets/api_keys/x/open", {"purpose": "x"}),
        ("POST", "/secrets/grants", granted),
        ("PUT", "/secrets/api_keys/x", {"kind": "api_key", "value": "x"}),
        ("DELETE", "/secrets/api_keys/x/versions/1", None),
        ("DELETE", "/secrets/grants/x", None),
    ):
        refused(await browser.ask(method, path, key=new_key(), json=body), 403, "session.by_link")


async def test_session_by_link_changes_no_keys_links_or_payout_destinations(company: Tenant) -> None:
    browser = await redeemed(company.owner, await linked(company.owner, "second-owner", "owner"))
    good(await browser.post("/projects", {"slug": "by-link"}), 201)
    for path, body in (
        ("/api-keys", {"principal": "more", "role": "member"}),
        ("/api-keys", {"principal": "second-owner", "role": "owner"}),
        ("/sessions/links", {"principal": "more", "role": "member"}),
        ("/notifications/channels", {"kind": "mail", "address": "a@example.com"}),
    ):
        refused(await browser.post(path, body), 403, "session.by_link")
    parts = split_token(company.member.token or "")
    assert parts is not None
    refused(await browser.delete(f"/api-keys/{parts[0]}"), 403, "session.by_link")
    refused(await browser.ask("PUT", f"/api-keys/{parts[0]}/attribution", json={}), 403, "session.by_link")
    refused(await browser.post("/sessions", {}), 403, "session.needs_key")


@pytest.mark.parametrize("by", ["operator", "owner"])
async def test_session_by_link_creates_nothing_that_sends_data_or_money_out_later(
    by: str, company: Tenant, platform: Caller
) -> None:
    """Events, collections and payouts would go on in another's name once the session has ended."""
    maker, more = (platform, {"organization_id": company.org_id}) if by == "operator" else (company.owner, {})
    hook = {"url": "https://hooks.example.com/", "types": ["*"]}
    endpoint = good(await company.owner.post("/webhook-endpoints", hook), 201)
    browser = await redeemed(maker, await linked(maker, "second-owner", "owner", **more))
    at = f"/webhook-endpoints/{endpoint['id']}"
    topup = {"below": "10", "credits": "100", "monthly_cap": "1000"}
    for method, path, body in (
        ("POST", "/webhook-endpoints", hook),
        ("PATCH", at, {"url": "https://elsewhere.example/"}),
        ("POST", f"{at}/rotate-secret", {}),
        ("POST", f"{at}/test", {}),
        ("DELETE", at, None),
        ("PUT", "/billing/auto-topup", {"enabled": True, **topup}),
        ("PUT", "/billing/payouts/schedule", {"interval": "daily"}),
    ):
        answer = await browser.ask(method, path, json=body)
        assert refused(answer, 403, "session.by_link")["detail"].endswith("Sign in with a key of your own.")
    good(await browser.ask("PUT", "/billing/auto-topup", json={"enabled": False, **topup}))
    good(await browser.ask("PUT", "/billing/payouts/schedule", json={"interval": "manual"}))
    good(await browser.get("/webhook-endpoints"))


@pytest.mark.parametrize("act", ["acknowledge", "resolve", "snooze"])
async def test_session_by_link_silences_no_alert_that_calls_the_owners(
    act: str, company: Tenant, platform: Caller, reached: FastAPI
) -> None:
    """Otherwise a person who signs by a link could answer the alert about it, and the owners would not be called."""
    deps: Deps = reached.state.deps
    told = {"kind": "escrow.signed_by_link", "subject": new_id("esc"), "detail": "kim signed."}
    async with deps.database.platform() as session:
        await alert.raise_alert(session, **told, org_id=company.org_id, shared=True)
    browser = await redeemed(platform, await linked(platform, "maria", "owner", organization_id=company.org_id))
    (row,) = good(await browser.get(f"/alerts?subject={told['subject']}"))["data"]
    body = {"until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()} if act == "snooze" else {}
    refused(await browser.post(f"/alerts/{row['id']}/{act}", body), 403, "session.by_link")
    (after,) = good(await company.owner.get(f"/alerts?subject={told['subject']}"))["data"]
    assert after == row
    if act != "resolve":
        good(await company.owner.post(f"/alerts/{row['id']}/{act}", body))


async def test_session_by_link_sees_and_ends_itself_alone(company: Tenant) -> None:
    other = good(await company.owner.post("/sessions", {}), 201)
    browser = await redeemed(company.owner, await linked(company.owner, "second-owner", "owner"))
    (row,) = good(await browser.get("/sessions"))["data"]
    assert row["current"]
    refused(await browser.delete(f"/sessions/{other['id']}"), 404, "not_found")
    assert (await browser.delete(f"/sessions/{row['id']}")).status_code == 204
    refused(await browser.get("/me"), 401, "session.ended")


async def test_audit_trail_names_who_made_the_link(company: Tenant) -> None:
    made = await linked(company.owner)
    browser = await redeemed(company.owner, made)
    me = good(await browser.get("/me"))
    entries = [entry for entry in good(await company.owner.get("/audit"))["data"] if entry["session_id"]]
    assert {entry["principal"] for entry in entries} == {"maria"}
    assert {entry["session_id"] for entry in entries} == {me["session"]["id"]}
    assert {entry["made_by"] for entry in entries} == {made["made_by"]}
    assert "session.open" in {entry["action"] for entry in entries}


async def test_links_count_as_paid_seats(database_urls: DatabaseUrls, company: Tenant, platform: Caller) -> None:
    application = create_app(settings_for(database_urls, public_url=PUBLIC, limit_seats=True))
    async with client_of(application) as client:
        owner = Caller(client, company.owner.token)
        answer = await owner.post("/sessions/links", {"principal": "guest", "role": "member"})
        refused(answer, 403, "entitlement.missing")


async def test_keys_are_counted_together_with_principals_by_link(
    database_urls: DatabaseUrls,
    database: Database,
    operator: Caller,
    new_tenant: NewTenant,
) -> None:
    """Three seats: filling them with links first allows no additional keys."""
    small = await new_tenant("owner")
    good(await operator.ask("PUT", f"/organizations/{small.org_id}/tier", json={"tier": "starter"}))
    application = create_app(settings_for(database_urls, public_url=PUBLIC, limit_seats=True))
    async with client_of(application) as client:
        owner = Caller(client, small.owner.token)
        made = [
            good(await owner.post("/sessions/links", {"principal": guest, "role": "member"}), 201)
            for guest in ("maria", "jo")
        ]
        refusal = refused(
            await owner.post("/api-keys", {"principal": "kim", "role": "member"}), 403, "entitlement.missing"
        )
        assert (refusal["limit"], refusal["used"]) == (3, 3)
        good(await owner.post("/api-keys", {"principal": "maria", "role": "member"}), 201)
        refused(await owner.post("/api-keys", {"principal": "kim", "role": "member"}), 403, "entitlement.missing")
        await redeemed(owner, made[1])
        refused(await owner.post("/api-keys", {"principal": "kim", "role": "member"}), 403, "entitlement.missing")
        # An idle session has ended, and takes no seat, although its last day is later.
        async with database.platform() as session:
            idle = text("UPDATE sessions SET last_used_at = now() - interval '1 day' WHERE link_id = :link")
            await session.execute(idle, {"link": made[1]["id"]})
        good(await owner.post("/api-keys", {"principal": "kim", "role": "member"}), 201)


async def test_without_a_public_address_there_are_no_links(operator: Caller, tenant: Tenant) -> None:
    body = {"principal": "maria", "role": "finance"}
    refused(await tenant.owner.post("/sessions/links", body), 409, "session.no_public_url")
