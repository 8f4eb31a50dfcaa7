"""People are invited by mail, sign in by mail, and are principals like all others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from api.app import create_app
from domain.common.access import GRANTABLE, PLATFORM_ROLES, Role
from domain.common.mail import MailKind
from domain.tenants.session import INVITATIONS, SIGN_INS
from models.messages.alert import Alert
from models.messages.mail import QueuedMail
from repositories.tenants import api_key as api_keys
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import OF_LINKS, Sealer
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.webhooks import WEBHOOK_KEYS

pytestmark = pytest.mark.db

PUBLIC = "https://pay.example.com"
OPENER = Sealer(WEBHOOK_KEYS, bound=OF_LINKS)


@pytest.fixture(scope="module")
async def mailing(database_urls: DatabaseUrls) -> AsyncIterator[FastAPI]:
    """An app that mails links."""
    mail = {"mail_host": "127.0.0.1", "mail_sender": "hello@bursar.example", "mail_tls": "none"}
    application = create_app(settings_for(database_urls, public_url=PUBLIC, webhook_keys=WEBHOOK_KEYS, **mail))
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(mailing: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(mailing), base_url="http://bursar.test") as made:
        yield made


@pytest.fixture
async def company(new_tenant: NewTenant, client: httpx2.AsyncClient) -> Tenant:
    """A new organization, reached by the app of these tests."""
    return (await new_tenant("owner", "admin", "finance", "member")).through(client)


def address() -> str:
    return f"{new_id('psn')[4:]}@acme.example"


async def invited(by: Caller, email: str, role: str = "member", **more: Any) -> httpx2.Response:
    return await by.post("/invitations", {"email": email, "role": role, **more}, key=new_id("cmd"))


async def tokens(database: Database, email: str, kind: MailKind) -> list[str]:
    """Return the tokens that were mailed to an address, the oldest first."""
    async with database.platform() as session:
        query = select(QueuedMail).where(QueuedMail.recipients == [email], QueuedMail.kind == kind.value)
        rows = (await session.scalars(query.order_by(QueuedMail.id))).all()
    links = [OPENER.open(row.data["link"]) or "" for row in rows]
    assert all(row.data["link"].startswith("sealed:") for row in rows)
    assert all(link.startswith(f"{PUBLIC}/console/enter/bsl_") for link in links)
    return [urlsplit(link).path.rpartition("/")[2] for link in links]


async def entered(by: Caller, token: str) -> Caller:
    opened = good(await Caller(by.http, None).post("/sessions/redeem", {"token": token}), 201)
    return Caller(by.http, opened["token"], by.org_id)


async def joined(by: Caller, database: Database, email: str, role: str = "member") -> Caller:
    good(await invited(by, email, role), 201)
    return await entered(by, (await tokens(database, email, MailKind.INVITATION))[-1])


async def sign_in(by: Caller, email: str) -> httpx2.Response:
    return await Caller(by.http, None).post("/sessions/mail", {"email": email})


async def listed(by: Caller, email: str) -> dict[str, Any] | None:
    found = good(await by.get("/principals", params={"q": email}))["data"]
    return next(iter(found), None)


async def test_invited_person_becomes_a_principal_and_signs_in_again_by_mail(
    company: Tenant, database: Database
) -> None:
    email = address()
    made = good(await invited(company.owner, email, "finance"), 201)
    pending = await listed(company.owner, email)
    assert pending is not None
    assert (pending["status"], pending["role"], pending["keys"]) == ("invited", "finance", 0)
    # Until then the address cannot be used to sign in.
    assert (await sign_in(company.owner, email)).status_code == 204
    assert await tokens(database, email, MailKind.SIGN_IN) == []
    [token] = await tokens(database, email, MailKind.INVITATION)
    anybody = Caller(company.owner.http, None)
    for _ in range(2):
        # Programs that follow links in mails do this.
        seen = good(await anybody.post("/sessions/links/preview", {"token": token}))
    assert (seen["principal"], seen["role"], seen["by_mail"]) == (email, "finance", True)
    assert seen["made_by"] == made["invited_by"]
    browser = await entered(company.owner, token)
    me = good(await browser.get("/me"))
    assert (me["principal"], me["role"], me["session"]["made_by"]) == (email, "finance", None)
    refused(await anybody.post("/sessions/redeem", {"token": token}), 410, "session.link_gone")

    assert (await sign_in(company.owner, email.upper())).status_code == 204
    [again] = await tokens(database, email, MailKind.SIGN_IN)
    assert good(await (await entered(company.owner, again)).get("/me"))["principal"] == email
    person = await listed(company.owner, email)
    assert person is not None
    assert (person["status"], person["sessions"], person["expires_at"]) == ("active", 2, None)
    assert person["last_used_at"] is not None
    entries = good(await company.owner.get("/audit", params={"target": made["id"]}))["data"]
    assert [each["action"] for each in entries] == ["invitation.accept", "invitation.send", "api_key.create"]


async def test_revoked_person_loses_session_and_links_at_once(company: Tenant, database: Database) -> None:
    email = address()
    browser = await joined(company.owner, database, email)
    await sign_in(company.owner, email)
    [token] = await tokens(database, email, MailKind.SIGN_IN)
    own_key = good(await browser.post("/api-keys", {"principal": email, "role": "member"}), 201)["secret"]
    refused(await company.member.delete(f"/principals/{email}"), 403, "auth.forbidden")
    assert (await company.admin.delete(f"/principals/{email}")).status_code == 204
    refused(await browser.get("/me"), 401, "session.ended")
    refused(await Caller(browser.http, own_key).get("/me"), 401, "auth.invalid")
    anybody = Caller(browser.http, None)
    refused(await anybody.post("/sessions/redeem", {"token": token}), 410, "session.link_gone")
    assert (await sign_in(company.owner, email)).status_code == 204
    assert await tokens(database, email, MailKind.SIGN_IN) == [token]
    refused(await company.admin.delete(f"/principals/{email}"), 404, "not_found")
    assert await listed(company.owner, email) is None


@for_each("role", [each for each in Role if each not in GRANTABLE[Role.ADMIN]])
async def test_nobody_invites_beyond_their_own_rights(company: Tenant, role: Role) -> None:
    code = (422, "request.invalid") if role in PLATFORM_ROLES else (403, "auth.forbidden")
    refused(await invited(company.admin, address(), role.value), *code)


async def test_nobody_invites_an_agent_and_sessions_by_link_invite_nobody(company: Tenant) -> None:
    refused(await invited(company.owner, address(), "agent"), 422, "request.invalid")
    made = good(await company.owner.post("/sessions/links", {"principal": "guest", "role": "owner"}), 201)
    guest = await entered(company.owner, urlsplit(made["url"]).path.rpartition("/")[2])
    refused(await invited(guest, address()), 403, "session.by_link")


async def test_principal_with_a_key_cannot_be_invited(company: Tenant, database: Database) -> None:
    email = address()
    good(await company.owner.post("/api-keys", {"principal": email, "role": "member"}), 201)
    # An owner may issue a second key to others, and would sign as them.
    refused(await invited(company.owner, email.upper().replace("EXAMPLE", "example")), 409, "principal.exists")
    assert await tokens(database, email, MailKind.INVITATION) == []


async def test_person_is_not_given_a_key_by_an_admin(company: Tenant, database: Database) -> None:
    email = address()
    await joined(company.owner, database, email)
    body = {"principal": email, "role": "member"}
    refused(await company.admin.post("/api-keys", body), 409, "principal.exists")
    refused(await company.admin.post("/sessions/links", body), 409, "principal.exists")


async def test_inviter_and_invited_are_one_line(company: Tenant, database: Database) -> None:
    email, other = address(), address()
    first = await joined(company.admin, database, email, "admin")
    second = await joined(first, database, other, "member")
    key_id = good(await second.get("/me"))["key_id"]
    async with database.platform() as session:
        found = await api_keys.key_origin(session, key_id)
    assert found is not None
    admin = good(await company.admin.get("/me"))["principal"]
    assert {f"{company.org_id}/{name}".lower() for name in (admin, email, other)} <= found.line


async def test_invited_signatory_raises_the_alert_of_a_key_made_for_one(company: Tenant, database: Database) -> None:
    email = address()
    body = {"agent_id": company.agent_id, "title": "Job", "price": "1", "signatories": [email]}
    good(await company.owner.post("/contracts", body), 201)
    key_id = good(await invited(company.owner, email), 201)["id"]
    async with database.platform() as session:
        kinds = list(await session.scalars(select(Alert.kind).where(Alert.subject == key_id)))
    assert kinds == ["api_key.made_for_signatory"]


async def test_invitation_is_sent_again_and_both_links_end_with_the_first_use(
    company: Tenant, database: Database
) -> None:
    email = address()
    first = good(await invited(company.owner, email), 201)
    again = good(await invited(company.admin, email), 201)
    assert first["id"] == again["id"]
    refused(await invited(company.owner, email, "admin"), 409, "principal.exists")
    unused, used = await tokens(database, email, MailKind.INVITATION)
    await entered(company.owner, used)
    gone = await Caller(company.owner.http, None).post("/sessions/redeem", {"token": unused})
    refused(gone, 410, "session.link_gone")
    refused(await invited(company.owner, email), 409, "principal.exists")


async def test_repeated_invitation_sends_one_mail(company: Tenant, database: Database) -> None:
    email, key = address(), new_id("cmd")
    for _ in range(2):
        good(await company.owner.post("/invitations", {"email": email, "role": "member"}, key=key), 201)
        await forget(database, key)
    assert len(await tokens(database, email, MailKind.INVITATION)) == 1


async def test_invitations_to_one_address_are_limited(company: Tenant) -> None:
    email = address()
    for _ in range(INVITATIONS):
        good(await invited(company.owner, email), 201)
    late = await invited(company.owner, email)
    refused(late, 429, "invitation.exhausted")
    assert int(late.headers["retry-after"]) > 0


async def test_invitation_that_nobody_accepts_ends(company: Tenant, database: Database) -> None:
    email = address()
    key_id = good(await invited(company.owner, email), 201)["id"]
    async with database.platform() as session:
        await session.execute(text("UPDATE api_keys SET expires_at = now() WHERE id = :id"), {"id": key_id})
    [token] = await tokens(database, email, MailKind.INVITATION)
    anybody = Caller(company.owner.http, None)
    refused(await anybody.post("/sessions/redeem", {"token": token}), 410, "session.link_gone")
    assert await listed(company.owner, email) is None
    assert good(await invited(company.owner, email), 201)["id"] != key_id


async def test_mails_to_sign_in_are_limited_and_answered_alike(company: Tenant, database: Database) -> None:
    email = address()
    await joined(company.owner, database, email)
    answers = await asyncio.gather(*(sign_in(company.owner, email) for _ in range(SIGN_INS + 2)))
    answers += [await sign_in(company.owner, address())]
    assert {(each.status_code, each.content) for each in answers} == {(204, b"")}
    # The invitation was mailed just before.
    assert len(await tokens(database, email, MailKind.SIGN_IN)) == SIGN_INS - 1


async def test_people_of_a_closed_organization_do_not_sign_in(
    company: Tenant, database: Database, operator: Caller
) -> None:
    email = address()
    browser = await joined(company.owner, database, email)
    good(await operator.post(f"/organizations/{company.org_id}/close", {"reason": "left"}, key=new_id("cmd")))
    refused(await browser.get("/me"), 401, "session.ended")
    await sign_in(company.owner, email)
    assert await tokens(database, email, MailKind.SIGN_IN) == []


async def test_principals_are_those_with_keys_sessions_and_links(company: Tenant, operator: Caller) -> None:
    good(await company.owner.post("/sessions/links", {"principal": "guest", "role": "auditor"}), 201)
    names = {}
    for by, params in ((company.owner, {}), (operator, {"organization_id": company.org_id})):
        cursor: str | None = None
        seen: list[dict[str, Any]] = []
        while cursor is not None or not seen:
            asked = {**params, "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = good(await by.get("/principals", params=asked))
            seen, cursor = [*seen, *page["data"]], page["next_cursor"]
        names[by.token] = [each["principal"] for each in seen]
        guest = next(each for each in seen if each["principal"] == "guest")
        assert (guest["role"], guest["links"], guest["keys"], guest["status"]) == ("auditor", 1, 0, "active")
    assert names[company.owner.token] == names[operator.token] == sorted(names[operator.token], key=str.lower)
    assert len(names[operator.token]) == 5
    refused(await operator.get("/principals"), 422, "request.invalid")


async def test_platform_without_mail_says_so(new_tenant: NewTenant) -> None:
    tenant = await new_tenant("owner")
    refused(await invited(tenant.owner, address()), 409, "session.no_mail")
    refused(await sign_in(tenant.owner, address()), 409, "session.no_mail")
