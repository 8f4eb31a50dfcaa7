"""Contacts of organizations over HTTP."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text

from domain.common.access import Actor, Role
from domain.common.mail import Contact, MailKind, Purpose
from domain.tenants.contact import CHANGES_A_DAY
from domain.tenants.metadata import Precondition
from models.messages.mail import QueuedMail
from runtime.database import Database
from services.messages import mail
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.conftest import DatabaseUrls
from tests.support.connections import connected

pytestmark = pytest.mark.db

BILLING = {"email": "Books@Acme.example", "purposes": ["billing"]}


async def test_contacts_are_set_as_a_whole_and_read(new_tenant: NewTenant, operator: Caller) -> None:
    tenant = await new_tenant("owner", "finance", "auditor")
    path = f"/organizations/{tenant.org_id}/contacts"
    assert good(await tenant.auditor.get(path))["contacts"] == []
    body = {"language": "de", "contacts": [BILLING, {"email": "o@acme.example", "purposes": ["security", "billing"]}]}
    shown = good(await tenant.finance.ask("PUT", path, json=body))
    assert shown["contacts"] == [
        {"email": "Books@acme.example", "purposes": ["billing"]},
        {"email": "o@acme.example", "purposes": ["billing", "security"]},
    ]
    assert good(await operator.get(path)) == shown
    assert good(await tenant.owner.ask("PUT", path, json={"contacts": []}))["language"] == "en"


@pytest.mark.parametrize("role", ["member", "agent"])
async def test_roles_without_bookkeeping_neither_read_nor_set_contacts(role: str, tenant: Tenant) -> None:
    path = f"/organizations/{tenant.org_id}/contacts"
    refused(await tenant.callers[role].get(path), 403, "auth.forbidden")
    refused(await tenant.callers[role].ask("PUT", path, json={"contacts": []}), 403, "auth.forbidden")
    refused(await tenant.auditor.ask("PUT", path, json={"contacts": []}), 403, "auth.forbidden")


@pytest.mark.parametrize(
    "contacts",
    [
        [{"email": "x", "purposes": ["billing"]}],
        [{"email": "a@acme.example\r\nBcc: b@evil.example", "purposes": ["billing"]}],
        [{"email": "a@acme.example", "purposes": []}],
        [{"email": "a@acme.example", "purposes": ["gossip"]}],
        [BILLING, {"email": "books@acme.example", "purposes": ["security"]}],
        [{"email": f"a{number}@acme.example", "purposes": ["billing"]} for number in range(11)],
    ],
)
async def test_invalid_addresses_of_contacts_are_422(contacts: list[dict[str, object]], tenant: Tenant) -> None:
    path = f"/organizations/{tenant.org_id}/contacts"
    refused(await tenant.owner.ask("PUT", path, json={"contacts": contacts}), 422, "request.invalid")


def named(email: str, tag: str | None, *, key: str | None = None) -> dict[str, Any]:
    headers = {} if tag is None else {"If-Match": tag}
    return {"json": {"contacts": [{"email": email, "purposes": ["billing"]}]}, "headers": headers, "key": key}


async def test_contacts_changed_by_others_in_the_meantime_are_not_replaced(new_tenant: NewTenant) -> None:
    tenant = await new_tenant()
    path, ask = f"/organizations/{tenant.org_id}/contacts", tenant.owner.ask
    unset = (await tenant.owner.get(path)).headers["etag"]
    first = await ask("PUT", path, **named("a@acme.example", unset))
    assert good(first)["contacts"][0]["email"] == "a@acme.example"
    assert first.headers["etag"] == (await tenant.owner.get(path)).headers["etag"] != unset
    late = refused(await ask("PUT", path, **named("b@acme.example", unset)), 412, "precondition.failed")
    assert late["etag"] == first.headers["etag"]
    # Without a change the version stays the same.
    same = await ask("PUT", path, **named("a@acme.example", late["etag"]))
    assert same.headers["etag"] == first.headers["etag"]
    # A request without the header replaces the contacts, as before the header existed.
    unsaid = await ask("PUT", path, **named("c@acme.example", None))
    assert good(unsaid)["contacts"][0]["email"] == "c@acme.example"
    assert unsaid.headers["etag"] not in {unset, first.headers["etag"]}


async def test_a_change_names_its_version_and_keeps_fields_that_it_does_not_name(new_tenant: NewTenant) -> None:
    tenant = await new_tenant()
    path, ask = f"/organizations/{tenant.org_id}/contacts", tenant.owner.ask
    refused(await ask("PATCH", path, json={"language": "de"}), 428, "precondition.missing")
    first = await ask("PATCH", path, **named("a@acme.example", '"0"'))
    assert good(first)["language"] == "en"
    second = await ask("PATCH", path, json={"language": "de"}, headers={"If-Match": first.headers["etag"]})
    assert (good(second)["language"], good(second)["contacts"]) == ("de", good(first)["contacts"])
    late = await ask("PATCH", path, **named("b@acme.example", first.headers["etag"]))
    assert refused(late, 412, "precondition.failed")["etag"] == second.headers["etag"]
    assert good(await tenant.owner.get(path)) == good(second)


async def test_of_two_that_set_the_first_contacts_at_once_one_is_refused(
    new_tenant: NewTenant, database: Database
) -> None:
    tenant = await new_tenant()
    path = f"/organizations/{tenant.org_id}/contacts"
    waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))"
    first = Contact(address="a@acme.example", purposes=frozenset({Purpose.BILLING}))
    actor = Actor(principal="kim", role=Role.OWNER, org_id=tenant.org_id)
    async with database.tenant(tenant.org_id) as session:
        await mail.set_contacts(
            session,
            actor,
            org_id=tenant.org_id,
            language="en",
            contacts=[first],
            expected=Precondition(frozenset({0})),
            command_id="first",
            now=datetime.now(UTC),
        )
        second = asyncio.create_task(tenant.owner.ask("PUT", path, **named("b@acme.example", '"0"')))
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
        async with database.platform_statement() as connection:
            while not await connection.fetchval(waits, pid):
                assert not second.done()
    refused(await second, 412, "precondition.failed")
    assert [each["email"] for each in good(await tenant.owner.get(path))["contacts"]] == ["a@acme.example"]


async def test_contacts_whose_answer_was_lost_are_not_refused_as_changed(
    new_tenant: NewTenant, database: Database
) -> None:
    tenant = await new_tenant()
    path, key = f"/organizations/{tenant.org_id}/contacts", new_key()
    wish = named("a@acme.example", '"0"', key=key)
    first = await tenant.owner.ask("PUT", path, **wish)
    await forget(database, key)
    again = await tenant.owner.ask("PUT", path, **wish)
    assert good(again) == good(first)
    assert again.headers["etag"] == first.headers["etag"]


async def warnings(database: Database, org_id: str) -> int:
    query = select(func.count()).where(QueuedMail.org_id == org_id, QueuedMail.kind == MailKind.CONTACTS_CHANGED.value)
    async with database.platform() as session:
        return (await session.scalars(query)).one()


async def test_every_replacement_is_mailed_also_one_under_an_expired_idempotency_key(
    new_tenant: NewTenant, database: Database
) -> None:
    tenant = await new_tenant()
    path, ask = f"/organizations/{tenant.org_id}/contacts", tenant.owner.ask
    good(await ask("PUT", path, **named("z@acme.example", None)))
    key = new_key()
    told = []
    for email, of in (("a@acme.example", key), ("b@acme.example", new_key()), ("c@acme.example", key)):
        good(await ask("PUT", path, **named(email, None, key=of)))
        told.append(await warnings(database, tenant.org_id))
        await forget(database, key)
    assert told == [1, 2, 3]


async def changed(by: Caller, org_id: str, *emails: str, language: str = "en") -> Any:
    contacts = [{"email": each, "purposes": ["security"]} for each in emails]
    body = {"language": language, "contacts": contacts}
    return await by.ask("PUT", f"/organizations/{org_id}/contacts", json=body)


async def test_another_language_is_set_without_a_mail(new_tenant: NewTenant, database: Database) -> None:
    tenant = await new_tenant()
    for language in ("en", "de", "en", "de"):
        good(await changed(tenant.owner, tenant.org_id, "o@acme.example", language=language))
    assert await warnings(database, tenant.org_id) == 0


async def test_contacts_are_changed_ten_times_a_day_by_each_principal(
    new_tenant: NewTenant, operator: Caller, database: Database, database_urls: DatabaseUrls
) -> None:
    tenant = await new_tenant("owner", "admin")
    for number in range(1 + CHANGES_A_DAY):
        good(await changed(tenant.owner, tenant.org_id, f"o{number}@acme.example"))
    late = await changed(tenant.owner, tenant.org_id, "late@acme.example")
    refused(late, 429, "organization.contacts_exhausted")
    assert 80_000 < int(late.headers["retry-after"]) <= 86_400
    assert await warnings(database, tenant.org_id) == CHANGES_A_DAY
    good(await changed(tenant.owner, tenant.org_id, f"o{CHANGES_A_DAY}@acme.example", language="de"))
    # Nobody keeps their own address there by having used up the others' changes.
    good(await changed(tenant.admin, tenant.org_id, "again@acme.example"))
    good(await changed(operator, tenant.org_id, "at-last@acme.example"))
    async with connected(database_urls.owner) as connection:
        yesterday = "UPDATE mails SET queued_at = queued_at - interval '1 day' WHERE org_id = $1"
        await connection.execute(yesterday, tenant.org_id)
    good(await changed(tenant.owner, tenant.org_id, "late@acme.example"))


async def test_mail_names_who_made_the_link_by_whose_session_contacts_were_changed(
    new_tenant: NewTenant, database: Database
) -> None:
    """The principal of the link may not exist, and the key to revoke is that of the link's maker."""
    tenant = await new_tenant()
    good(await changed(tenant.owner, tenant.org_id, "o@acme.example"))
    actor = Actor(principal="maria", role=Role.OWNER, org_id=tenant.org_id, made_by="kim")
    for number in range(CHANGES_A_DAY):
        diverted = [Contact(address=f"kim{number}@elsewhere.example", purposes=frozenset({Purpose.SECURITY}))]
        async with database.platform() as session:
            await mail.set_contacts(
                session,
                actor,
                org_id=tenant.org_id,
                language=None,
                contacts=diverted,
                command_id=new_key(),
                now=datetime.now(UTC),
            )
    by = select(QueuedMail.data["changed_by"].astext).where(QueuedMail.org_id == tenant.org_id)
    async with database.platform() as session:
        assert set(await session.scalars(by)) == {"maria (link: kim)"}
    # Changes by a link in her name do not use up her own limit.
    maria = Actor(principal="maria", role=Role.OWNER, org_id=tenant.org_id, key_id="key_1")
    async with database.platform() as session:
        back = [Contact(address="o@acme.example", purposes=frozenset({Purpose.SECURITY}))]
        await mail.set_contacts(
            session, maria, org_id=tenant.org_id, language=None, contacts=back, command_id=new_key(),
            now=datetime.now(UTC),
        )  # fmt: skip


async def test_ten_changes_a_day_are_mailed_to_an_address_by_whichever_organization(
    new_tenant: NewTenant, database: Database
) -> None:
    address, sent = f"Victim-{new_key()}@elsewhere.example", 0
    while sent < CHANGES_A_DAY:
        tenant = await new_tenant()
        good(await changed(tenant.owner, tenant.org_id, address))
        for _ in range(min(4, CHANGES_A_DAY - sent)):
            other = f"{new_key()}@acme.example"
            good(await changed(tenant.owner, tenant.org_id, address.lower(), other))
            sent += 1
    last = await new_tenant()
    good(await changed(last.owner, last.org_id, address))
    # Other principals cannot use up its first change of the day.
    good(await changed(last.owner, last.org_id, address, "o@acme.example"))
    refused(await changed(last.owner, last.org_id, "o@acme.example"), 429, "organization.contacts_exhausted")
    good(await changed(last.owner, last.org_id, address, "o@acme.example", language="de"))
    assert await warnings(database, last.org_id) == 1


async def test_forgotten_key_that_set_contacts_sets_no_others(new_tenant: NewTenant, database: Database) -> None:
    tenant = await new_tenant()
    path, ask = f"/organizations/{tenant.org_id}/contacts", tenant.owner.ask
    key, one = new_key(), named("a@acme.example", None)["json"]
    first = good(await ask("PUT", path, json=one, key=key))
    others: list[dict[str, Any]] = [named("b@acme.example", None)["json"], {**one, "language": "de"}, {"contacts": []}]
    for other in others:
        await forget(database, key)
        refused(await ask("PUT", path, json=other, key=key), 422, "idempotency.conflict")
    await forget(database, key)
    assert good(await ask("PUT", path, json=one, key=key)) == first
