"""Keys, sessions and links by the forms of the settings: secrets once, effects once, and what is over is over."""

import html
import re
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from domain.common.access import Role
from tests.api.conftest import Caller, Tenant, good
from tests.console.conftest import Visitor, signed_in
from tests.console.fake import NAMING
from tests.console.rendering import list_page, render

pytestmark = pytest.mark.db
KEY = {
    "id": "key_01kar6h2d8e4wvq3r5s7t9x1za",
    "organization_id": "org_01kar6h2d8e4wvq3r5s7t9x1za",
    "principal": "kim",
    "role": "owner",
    "agent_id": None,
    "department_id": None,
    "by_mail": False,
    "project_id": None,
    "created_by": "procurement",
    "created_at": "2026-11-01T00:00:00Z",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}


def shown(changes: dict[str, str], *revocable: Role) -> str:
    values = {"naming": NAMING, "revocable": set(revocable)}
    return render("key/list.html", list_page(), rows=[KEY | changes], **values)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "Active"),
        ({"expires_at": "2020-11-22T00:00:00Z"}, "Expired"),
        ({"expires_at": "9020-11-23T00:00:00Z"}, "Active"),
        ({"expires_at": "2020-11-21T00:00:00Z", "revoked_at": "2020-11-20T00:00:00Z"}, "Revoked"),
    ],
)
def test_state_of_a_key_follows_from_its_times(changes: dict[str, str], state: str) -> None:
    assert re.findall(r'class="badge .*?</svg>(\w+)<', shown(changes)) == [state]


def test_only_active_keys_of_roles_within_reach_can_be_revoked() -> None:
    link = f"{KEY['id']}/revoke?q=kim"
    assert link in shown({}, Role.OWNER)
    assert link not in shown({}, Role.MEMBER)
    assert link not in shown({"revoked_at": "2026-11-20T00:00:00Z"}, Role.OWNER)


@pytest.fixture
async def owner(app: FastAPI, tenant: Tenant) -> AsyncIterator[Visitor]:
    visitor = await signed_in(app, "owner", tenant.owner.token)
    yield visitor
    await visitor.browser.aclose()


def secret_of(text: str) -> str:
    found = re.search(r'<div class="secret"><code>([^<]+)</code>', text)
    return found.group(1) if found else ""


async def issued(owner: Visitor, tenant: Tenant, principal: str, key: str = "") -> tuple[dict[str, str], str]:
    """Issue a key by its form; returns what was sent, and the secret."""
    page = f"/console/{tenant.org_id}/settings/keys/new"
    fields = {"command": key or await owner.form(page), "principal": principal, "role": "member"}
    answer = await owner.post(page, fields)
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    return fields, secret_of(answer.text)


async def test_secret_of_a_key_is_shown_once_and_works(
    owner: Visitor, tenant: Tenant, anonymous: Caller, app: FastAPI
) -> None:
    _, secret = await issued(owner, tenant, "shown-once")
    assert secret.startswith("bsk_")
    member = await signed_in(app, "member", secret)
    assert (await member.get(f"/console/{tenant.org_id}")).status_code == 200
    await member.browser.aclose()
    listed = (await owner.get(f"/console/{tenant.org_id}/settings/keys?q=shown-once")).text
    assert "shown-once" in listed
    assert secret not in listed


async def test_form_that_is_sent_twice_issues_one_key_and_shows_no_second_secret(
    owner: Visitor, tenant: Tenant
) -> None:
    fields, secret = await issued(owner, tenant, "sent-twice")
    again = await owner.post(f"/console/{tenant.org_id}/settings/keys/new", fields)
    assert "Key already created" in again.text
    assert secret_of(again.text) == ""
    assert secret not in again.text
    keys = good(await tenant.owner.get("/api-keys", params={"q": "sent-twice"}))["data"]
    assert len(keys) == 1


async def test_refused_key_keeps_what_was_typed(owner: Visitor, tenant: Tenant) -> None:
    page = f"/console/{tenant.org_id}/settings/keys/new"
    fields = {"command": await owner.form(page), "principal": "no good <name>", "role": "agent", "expires_at": "soon"}
    answer = await owner.post(page, fields)
    assert answer.status_code == 422
    assert 'value="no good &lt;name&gt;"' in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_revoked_key_ends_its_session(owner: Visitor, tenant: Tenant, app: FastAPI) -> None:
    _, secret = await issued(owner, tenant, "revoked-one")
    member = await signed_in(app, "member", secret)
    (key,) = good(await tenant.owner.get("/api-keys", params={"q": "revoked-one"}))["data"]
    page = f"/console/{tenant.org_id}/settings/keys/{key['id']}/revoke?q=revoked-one"
    answer = await owner.post(page, {"command": await owner.form(page)})
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("?notice=key.revoked")
    assert "session.ended" in (await member.get(f"/console/{tenant.org_id}")).headers["location"]
    await member.browser.aclose()


async def test_after_a_key_its_own_keys_are_offered_to_be_revoked(owner: Visitor, tenant: Tenant) -> None:
    _, secret = await issued(owner, tenant, "revoked-with")
    thief = Caller(tenant.owner.http, secret)
    second = good(await thief.post("/api-keys", {"principal": "revoked-with", "role": "member"}), 201)
    keys = good(await tenant.owner.get("/api-keys", params={"q": "revoked-with"}))["data"]
    (first,) = [key["id"] for key in keys if key["id"] != second["id"]]
    page = f"/console/{tenant.org_id}/settings/keys/{first}/revoke?q=revoked-with"
    asked = await owner.post(page, {"command": await owner.form(page)})
    assert asked.status_code == 200
    assert second["id"] in asked.text
    both = f"{page}&with_issued=true"
    assert f'action="{html.escape(both)}"' in asked.text
    (command,) = re.findall(r'name="command" value="([^"]+)"', asked.text)
    done = await owner.post(both, {"command": command})
    assert done.headers["location"].endswith("?notice=key.revoked")
    assert good(await tenant.owner.get("/api-keys?active=true&q=revoked-with"))["data"] == []


async def test_ended_session_has_to_sign_in_again(owner: Visitor, tenant: Tenant, app: FastAPI) -> None:
    member = await signed_in(app, "member", tenant.member.token)
    mine = (await member.get(f"/console/{tenant.org_id}/settings/sessions")).text
    found = re.search(r'This one</span>.*?href="([^"]+/end)\?', mine, re.DOTALL)
    assert found
    page = f"{found.group(1)}?q={good(await tenant.member.get('/me'))['principal']}"
    answer = await owner.post(page, {"command": await owner.form(page)})
    assert answer.headers["location"].endswith("?notice=session.closed")
    assert "session.ended" in (await member.get(f"/console/{tenant.org_id}")).headers["location"]
    await member.browser.aclose()


async def test_link_is_shown_once_and_opens_nothing_once_it_is_ended(owner: Visitor, tenant: Tenant) -> None:
    page = f"/console/{tenant.org_id}/settings/links/new"
    fields = {"command": await owner.form(page), "principal": "visitor", "role": "finance", "expires_in": "PT15M"}
    answer = await owner.post(page, fields)
    assert "no-store" in answer.headers["cache-control"]
    url = secret_of(answer.text)
    assert "/console/enter/" in url
    again = await owner.post(page, fields)
    assert "Link already created" in again.text
    assert url not in again.text
    (link,) = good(await tenant.owner.get("/sessions/links", params={"q": "visitor"}))["data"]
    end = f"/console/{tenant.org_id}/settings/links/{link['id']}/end?q=visitor"
    assert (await owner.post(end, {"command": await owner.form(end)})).status_code == 303
    assert (await owner.get("/console/enter/" + url.rpartition("/")[2])).status_code == 410


async def test_foreign_key_is_not_there(owner: Visitor, tenant: Tenant, stranger: Tenant) -> None:
    (key, *_) = good(await stranger.owner.get("/api-keys"))["data"]
    answer = await owner.get(f"/console/{tenant.org_id}/settings/keys/{key['id']}/revoke")
    assert answer.status_code == 404


async def test_person_is_invited_listed_and_revoked(owner: Visitor, tenant: Tenant) -> None:
    people = f"/console/{tenant.org_id}/people"
    fields = {"command": await owner.form(f"{people}/new"), "email": "maria@acme.example", "role": "member"}
    assert (await owner.post(f"{people}/new", fields)).headers["location"] == f"{people}?notice=person.invited"
    revoke = f"{people}/maria@acme.example/revoke"
    assert f'href="{revoke}"' in (await owner.get(people)).text.replace("%40", "@")
    assert "The link in the mail stops working." in (await owner.get(revoke)).text
    answer = await owner.post(revoke, {"command": await owner.form(revoke)})
    assert answer.headers["location"] == f"{people}?notice=person.revoked"
    assert "maria@acme.example" not in (await owner.get(people)).text
