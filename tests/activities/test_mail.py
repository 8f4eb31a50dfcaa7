"""The queue of mails: one for each event, retried for each recipient, and given up with an alert."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from activities.messages.mail import MailActivities
from contracts.common.batch import DuePage
from contracts.messages.mail import SentMails
from dev.sandbox.mail.mailbox import Mailbox
from domain.common.access import Actor, Role
from domain.common.mail import GIVE_UP_AFTER, Contact, MailKind, Purpose
from models.messages.alert import Alert
from models.messages.mail import QueuedMail
from models.tenants.organization import Organization
from runtime.database import Database
from runtime.identity import new_id
from services.messages import mail
from tests.support.mails import BOOKS, CONTACTS, OWNER, listening, mailer
from tests.support.notifications import a_channel, a_locale

pytestmark = pytest.mark.db


class World:
    """An organization with contacts, a mail server, the sweep, and a clock that starts at its creation."""

    def __init__(self, database: Database, mailbox: Mailbox, port: int) -> None:
        self.database, self.mailbox, self.org = database, mailbox, new_id("org")
        self.sweep = MailActivities(database, mailer(port))
        self.now = datetime.now(UTC) + timedelta(seconds=5)

    async def begin(self) -> "World":
        async with self.database.platform() as session:
            # Whatever other tests have left in the queue is not this one's.
            await session.execute(text("UPDATE mails SET status = 'failed' WHERE status = 'queued'"))
            session.add(Organization(id=self.org, name="x", created_by="x", command_id=self.org))
        return self

    async def set(self, *contacts: Contact, language: str = "en") -> None:
        actor = Actor(principal="kim", role=Role.OWNER, org_id=self.org)
        async with self.database.platform() as session:
            await mail.set_contacts(
                session,
                actor,
                org_id=self.org,
                language=language,
                contacts=contacts,
                command_id=new_id("cmd"),
                now=self.now,
            )

    async def queue(self, key: str, kind: MailKind = MailKind.STATEMENT_READY, **data: str) -> None:
        async with self.database.platform() as session:
            given = data or {"month": "2026-10"}
            await mail.queue(session, key=f"{self.org}:{key}", org_id=self.org, kind=kind, data=given)

    async def send(self, after: timedelta = timedelta(0)) -> SentMails:
        return await self.sweep.send_mails(DuePage(now=self.now + after, limit=10))

    async def rows(self) -> list[QueuedMail]:
        async with self.database.platform() as session:
            query = select(QueuedMail).where(QueuedMail.org_id == self.org).order_by(QueuedMail.id)
            return list(await session.scalars(query))

    async def alerts(self) -> list[str]:
        async with self.database.platform() as session:
            return list(await session.scalars(select(Alert.kind).where(Alert.org_id == self.org)))


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    mailbox = Mailbox()
    async with listening(mailbox) as port:
        yield await World(db, mailbox, port).begin()


async def test_mail_is_sent_once_to_contacts_of_its_purpose_in_their_language(world: World) -> None:
    await world.set(*CONTACTS, language="de")
    for _ in range(2):
        await world.queue("a")
    await world.queue("b", MailKind.PAYOUT_DESTINATION_CHANGED, held_until_on="2026-11-30")
    assert await world.send() == SentMails(found=2, sent=2)
    assert await world.send(timedelta(days=1)) == SentMails(found=0)
    statement, security = sorted(world.mailbox.mails, key=lambda each: -len(each["recipients"]))
    assert statement["recipients"] == [BOOKS, OWNER]
    assert statement["subject"] == "Ihre Abrechnung für Oktober 2026"
    assert security["recipients"] == [OWNER]
    assert "bis zum 30. November 2026 angehalten" in security["text"]


async def test_mail_is_in_the_language_of_each_person_that_gets_it(world: World) -> None:
    by_name, by_channel, other = "zoe@acme.example", "Books@acme.example", "third@acme.example"
    billing = frozenset({Purpose.BILLING})
    await world.set(*(Contact(address=each, purposes=billing) for each in (by_name, by_channel, other)), language="de")
    await a_locale(world.database, world.org, by_name, locale="fr")
    await a_channel(world.database, world.org, "ann", address=by_channel.lower())
    await a_channel(world.database, world.org, "bo", address=other, verified=False)
    await a_locale(world.database, world.org, "ann", locale="es")
    await a_locale(world.database, world.org, "bo", locale="es")
    await world.queue("a")
    world.mailbox.unknown = {by_name}
    assert await world.send() == SentMails(found=1, sent=1)
    assert {each["subject"]: each["recipients"] for each in world.mailbox.mails} == {
        "Su liquidación de octubre de 2026": [by_channel],
        "Ihre Abrechnung für Oktober 2026": [other],
    }
    assert len({each["message_id"] for each in world.mailbox.mails}) == 2
    assert await world.alerts() == ["mail.undelivered"]


async def test_temporarily_refused_mail_is_retried_with_growing_delays(world: World) -> None:
    await world.set(*CONTACTS)
    await world.queue("a")
    world.mailbox.faults.extend(["defer", "break"])
    assert await world.send() == SentMails(found=1)
    assert await world.send(timedelta(seconds=59)) == SentMails(found=0)
    assert await world.send(timedelta(seconds=60)) == SentMails(found=1)
    assert await world.send(timedelta(seconds=179)) == SentMails(found=0)
    assert await world.send(timedelta(seconds=180)) == SentMails(found=1, sent=1)
    # What broke off had arrived: it is the same mail for whoever reads both.
    assert len({each["message_id"] for each in world.mailbox.mails}) == 1
    (row,) = await world.rows()
    assert (row.status, row.attempts, row.problem) == ("sent", 3, None)
    assert await world.alerts() == []


async def test_retry_for_a_refused_address_does_not_repeat_mail_to_others(world: World) -> None:
    await world.set(*CONTACTS)
    await world.queue("a")
    world.mailbox.unknown = {BOOKS}
    assert await world.send() == SentMails(found=1, sent=1)
    assert await world.send(timedelta(days=1)) == SentMails(found=0)
    assert [each["recipients"] for each in world.mailbox.mails] == [[OWNER]]
    assert await world.alerts() == ["mail.undelivered"]


async def test_undeliverable_mail_is_given_up_with_an_alert(world: World) -> None:
    await world.set(*CONTACTS)
    await world.queue("refused")
    world.mailbox.unknown = {OWNER, BOOKS}
    assert await world.send() == SentMails(found=1, failed=1)
    await world.queue("too late")
    world.mailbox.unknown = set()
    world.mailbox.faults.append("defer")
    assert await world.send(GIVE_UP_AFTER) == SentMails(found=1, failed=1)
    assert [row.status for row in await world.rows()] == ["failed", "failed"]
    assert await world.alerts() == ["mail.undelivered"] * 2


async def test_a_mail_without_a_contact_waits_for_one(world: World) -> None:
    await world.queue("a")
    assert await world.send() == SentMails(found=1)
    await world.set(*CONTACTS)
    assert await world.send(timedelta(minutes=1)) == SentMails(found=1, sent=1)


async def test_changed_contacts_do_not_redirect_mail_and_previous_contacts_are_notified(world: World) -> None:
    await world.set(*CONTACTS)
    await world.queue("a", MailKind.PAYOUT_DESTINATION_CHANGED, held_until_on="2026-11-30")
    thief = Contact(address="thief@evil.example", purposes=CONTACTS[1].purposes)
    for _ in range(2):
        await world.set(thief)
    assert await world.send() == SentMails(found=2, sent=2)
    assert [each["recipients"] for each in world.mailbox.mails] == [[OWNER]] * 2
    assert any("kim changed the addresses" in each["text"] for each in world.mailbox.mails)


async def test_without_a_mail_server_mails_wait_until_they_are_too_old(world: World) -> None:
    world.sweep = MailActivities(world.database, None)
    await world.set(*CONTACTS)
    await world.queue("a")
    assert await world.send(GIVE_UP_AFTER - timedelta(hours=1)) == SentMails(found=0)
    assert await world.send(GIVE_UP_AFTER) == SentMails(found=1, failed=1)
    async with world.database.platform() as session:
        assert await session.scalar(select(Alert.kind).where(Alert.kind == "mail.no_server"))


async def test_tenant_cannot_read_mails_or_queue_them_for_others(world: World, db: Database) -> None:
    other: dict[str, Any] = {"key": new_id("key"), "kind": MailKind.STATEMENT_READY, "data": {"month": "2026-10"}}
    async with db.tenant(world.org) as session:
        await mail.queue(session, org_id=world.org, **other)
    with pytest.raises(Exception, match="permission denied"):
        async with db.tenant(world.org) as session:
            await session.execute(text("SELECT * FROM mails"))
    stranger = await World(db, world.mailbox, 1).begin()
    with pytest.raises(Exception, match="row-level security"):
        async with db.tenant(world.org) as session:
            await mail.queue(session, org_id=stranger.org, **{**other, "key": new_id("key")})


async def test_mail_shows_names_in_place_of_ids(world: World) -> None:
    await world.set(*CONTACTS)
    of_others = new_id("org")
    async with world.database.platform() as session:
        session.add(Organization(id=of_others, name="Somebody else", created_by="x", command_id=of_others))
    values = {"amount": "12.00", "currency": "USD", "ends_on": "2026-11-30"}
    await world.queue("a", MailKind.AGENT_NOT_RENEWED, agent=world.org, **values)
    await world.queue("b", MailKind.AGENT_NOT_RENEWED, agent=of_others, **values)
    await world.send()
    texts = " ".join(each["text"].replace("\n", " ") for each in world.mailbox.mails)
    assert f"the agent x ({world.org}) could not be paid" in texts
    assert f"the agent {of_others} could not be paid" in texts
