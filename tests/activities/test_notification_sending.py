"""Due messages are sent once, retried, given up, or dropped when no longer wanted."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import select, text, update
from temporalio.testing import ActivityEnvironment

from activities.messages.notification import NO_CARRIER, UNOPENED, NotificationActivities
from contracts.messages.notification import ClosedDigest, CloseDigest, SendNotifications
from dev.sandbox.mail.mailbox import Mailbox
from domain.common.access import Actor, Role
from domain.common.mail import GIVE_UP_AFTER
from domain.messages.notification.channel import CODE_LASTS, ChannelKind
from domain.messages.notification.due import Cadence, NotificationClock
from domain.messages.notification.preferences import Preferences, recipient_of
from models.messages.alert import Alert
from models.messages.notification import NotificationChannel, NotificationRow
from models.tenants.api_key import ApiKey
from models.tenants.organization import Organization
from providers.notify.base import Delivery, Message, Throttled
from repositories.messages import notification as notifications
from repositories.messages.notification import NewNotification
from repositories.tenants import contact
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import Sealer
from services.messages import notification as service
from services.messages.notification import ChannelRequest
from tests.support.mails import listening, mailer
from tests.support.notifications import SEALER, a_channel, a_locale, a_principal, an_organization

pytestmark = pytest.mark.db

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Slack:
    """Records messages and returns the configured answers."""

    def __init__(self) -> None:
        self.messages: list[tuple[Message, str]] = []
        self.answers: list[Exception] = []

    async def send(self, message: Message, *, idempotency_key: str) -> Delivery:
        if self.answers:
            raise self.answers.pop(0)
        self.messages.append((message, idempotency_key))
        return Delivery(accepted=message.to)


class World:
    """An owner with a channel, a mail server, a Slack, and the sender."""

    def __init__(self, database: Database, mailbox: Mailbox, port: int, slack: Slack) -> None:
        self.database, self.mailbox, self.slack = database, mailbox, slack
        self.carriers: dict[ChannelKind, Any] = {ChannelKind.MAIL: mailer(port), ChannelKind.SLACK: slack}
        self.sender = self.another()
        self.org, self.channel = "", ""

    def another(self, **more: Any) -> NotificationActivities:
        # No run is reached by what is tested here.
        return NotificationActivities(self.database, Mock(), self.carriers, SEALER, **more)

    async def begin(self) -> "World":
        async with self.database.platform() as session:
            # Whatever other tests have left in the queue is not this one's.
            await session.execute(text("UPDATE notifications SET status = 'failed' WHERE status = 'queued'"))
        self.org = await an_organization(self.database)
        await a_principal(self.database, self.org, "ann", Role.OWNER)
        self.channel = await a_channel(self.database, self.org, "ann", address=f"{new_id('ann')}@acme.example")
        return self

    async def queue(self, *, channel: str | None = None, digest: str | None = None, **more: Any) -> str:
        made = new_id("ntf")
        values = {
            "id": made,
            "source": made,
            "org_id": self.org,
            "principal": "ann",
            "channel": channel or self.channel,
            "kind": "payout",
            "fact": "payout.paid",
            "subject": "po_1",
            "data": {"payout_id": "po_1", "amount": "120.00", "currency": "USD"},
            "status": "queued" if digest is None else "waiting",
            "digest": digest,
            "due_at": NOW,
            "created_at": NOW,
            **more,
        }
        async with self.database.platform() as session:
            await notifications.add(session, [NewNotification(**values)])
        return made

    async def row(self, notification_id: str) -> NotificationRow:
        async with self.database.platform() as session:
            return await session.get_one(NotificationRow, notification_id)

    async def wants(self, choices: dict[str, Any], **clock: Any) -> None:
        async with self.database.platform() as session:
            wanted = Preferences(choices=choices, clock=NotificationClock(**clock))
            await notifications.put_preferences(session, org_id=self.org, principal="ann", wanted=wanted, now=NOW)

    def mails(self) -> list[dict[str, Any]]:
        return self.mailbox.mails


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    mailbox = Mailbox()
    async with listening(mailbox) as port:
        yield await World(db, mailbox, port, Slack()).begin()


async def test_two_senders_at_once_send_one_mail(world: World) -> None:
    sent = [await world.queue() for _ in range(5)]
    other = world.another()
    ends = await asyncio.gather(*(each.send_due(NOW) for each in (world.sender, other) for _ in range(3)))
    assert [end for each in ends for end in each] == ["sent"] * 5
    assert len(world.mails()) == 5
    # By the row: the data of an event has no order of its own in the database.
    assert {mail["subject"] for mail in world.mails()} == {"Payout of 120.00 USD"}
    assert all("It is about po_1." in mail["text"] for mail in world.mails())
    assert {(await world.row(each)).status for each in sent} == {"sent"}
    assert await world.sender.send_due(NOW + timedelta(days=1)) == []


async def test_organization_with_many_messages_does_not_delay_others(world: World) -> None:
    for number in range(8):
        await world.queue(due_at=NOW - timedelta(minutes=10 - number))
    flooding, world.org = world.org, await an_organization(world.database)
    last = await world.queue()
    async with world.database.platform() as session:
        taken = await notifications.claim(session, now=NOW, limit=4)
        assert [row.org_id for row in taken].count(flooding) == 2
        assert last in {row.id for row in taken}
        # Nobody waits who need not.
        assert len(await notifications.claim(session, now=NOW, limit=16)) == 6


async def test_sender_that_dies_after_acceptance_resends_the_mail_under_the_same_id(world: World) -> None:
    made = await world.queue()
    world.mailbox.faults.append("break")
    assert await world.sender.send_due(NOW) == ["queued"]
    # Whoever claims it and dies has it due again a moment later.
    async with world.database.platform() as session:
        assert await notifications.claim(session, now=NOW, limit=10) == []
        assert [row.id for row in await notifications.claim(session, now=NOW + timedelta(hours=1), limit=10)] == [made]
    assert await world.sender.send_due(NOW + timedelta(hours=3)) == ["sent"]
    assert len({mail["message_id"] for mail in world.mails()}) == 1
    assert len(world.mails()) == 2


async def test_refused_mail_is_retried_and_given_up_with_one_alert_a_day(world: World) -> None:
    first, second = await world.queue(), await world.queue()
    world.mailbox.faults.extend(["defer", "defer"])
    assert await world.sender.send_due(NOW) == ["queued", "queued"]
    row = await world.row(first)
    assert (row.due_at, "451" in str(row.problem)) == (NOW + timedelta(minutes=1), True)
    world.mailbox.faults.extend(["defer", "refuse"])
    over = NOW + GIVE_UP_AFTER
    assert await world.sender.send_due(over) == ["failed", "failed"]
    assert (await world.row(second)).status == "failed"
    async with world.database.platform() as session:
        raised = (await session.scalars(select(Alert).where(Alert.subject == world.channel))).all()
    assert [(each.kind, each.org_id, each.shared) for each in raised] == [("notification.undelivered", world.org, True)]
    assert "@" not in raised[0].detail


async def test_message_without_a_sender_waits(world: World) -> None:
    made = await world.queue()
    world.carriers[ChannelKind.MAIL] = None
    assert await world.another().send_due(NOW) == ["queued"]
    assert (await world.row(made)).problem == NO_CARRIER


async def test_nothing_is_sent_to_recipients_that_lost_access(world: World) -> None:
    off, gone, late = (
        await world.queue(kind="payout"),
        await world.queue(channel=await a_channel(world.database, world.org, "ann")),
        await world.queue(kind="refund", fact="refund.succeeded"),
    )
    pending = await world.queue(channel=await a_channel(world.database, world.org, "ann", verified=False))
    await world.wants({"payout": {world.channel: Cadence.OFF}})
    async with world.database.platform() as session:
        channel = (await world.row(gone)).channel
        actor = Actor(principal="Ann", role=Role.OWNER, org_id=world.org)
        await service.delete_channel(session, actor, channel, now=datetime.now(UTC))
    assert sorted(await world.sender.send_due(NOW)) == ["dropped", "dropped", "dropped", "sent"]
    assert {(await world.row(each)).status for each in (off, gone, pending)} == {"dropped"}
    assert (await world.row(late)).status == "sent"
    # A key that was revoked while a message waited.
    after = await world.queue(kind="refund", fact="refund.succeeded")
    async with world.database.platform() as session:
        await session.execute(update(ApiKey).where(ApiKey.org_id == world.org).values(revoked_at=NOW))
    assert await world.sender.send_due(NOW) == ["dropped"]
    assert (await world.row(after)).status == "dropped"
    assert len(world.mails()) == 1


async def test_verification_code_is_sent_over_its_channel(world: World) -> None:
    actor = Actor(principal="ann", role=Role.OWNER, org_id=world.org)
    hook = f"https://hooks.slack.com/services/T0/B0/{new_id('x')}"
    async with world.database.platform() as session:
        made = [
            await service.create_channel(
                session, actor, ChannelRequest(kind=kind, target=target, command_id=new_id("cmd")), SEALER, now=NOW
            )
            for kind, target in ((ChannelKind.MAIL, f"{new_id('a')}@acme.example"), (ChannelKind.SLACK, hook))
        ]
    assert await world.sender.send_due(NOW) == ["sent", "sent"]
    ((message, key),) = world.slack.messages
    assert (message.to, message.unsubscribe, key.startswith("notification:ntf_")) == ((hook,), None, True)
    said = {made[0].id: world.mails()[0]["subject"], made[1].id: message.words.subject}
    for row in made:
        (code,) = re.findall(r"\d{6}", str(said[row.id]))
        async with world.database.platform() as session:
            after, problem = await service.verify_channel(session, actor, row.id, code, SEALER, now=NOW)
        assert (after.status, problem) == ("verified", None)


async def test_expired_code_is_not_sent(world: World) -> None:
    actor = Actor(principal="ann", role=Role.OWNER, org_id=world.org)
    async with world.database.platform() as session:
        wanted = ChannelRequest(kind=ChannelKind.MAIL, target=f"{new_id('a')}@acme.example", command_id=new_id("cmd"))
        row = await service.create_channel(session, actor, wanted, SEALER, now=NOW)
    assert await world.sender.send_due(NOW + CODE_LASTS) == ["dropped"]
    async with world.database.platform() as session:
        assert (await session.get_one(NotificationChannel, row.id)).code is not None
    assert world.mails() == []


async def test_pause_requested_by_slack_is_respected(world: World) -> None:
    channel = await a_channel(world.database, world.org, "ann", kind=ChannelKind.SLACK)
    made = await world.queue(channel=channel)
    world.slack.answers.append(Throttled("Later.", timedelta(seconds=90)))
    assert await world.sender.send_due(NOW) == ["queued"]
    assert (await world.row(made)).due_at == NOW + timedelta(seconds=90)
    linked = world.another(link=lambda row: f"https://bursar.example/{row.kind}")
    assert await linked.send_due(NOW + timedelta(seconds=90)) == ["sent"]
    assert world.slack.messages[0][0].unsubscribe == "https://bursar.example/payout"


async def test_channel_without_its_key_keeps_messages_until_the_key_returns(world: World) -> None:
    channel = await a_channel(world.database, world.org, "ann", kind=ChannelKind.SLACK)
    made = await world.queue(channel=channel)
    without = NotificationActivities(world.database, Mock(), world.carriers, Sealer())
    assert await without.send_due(NOW) == ["queued"]
    assert (await world.row(made)).problem == UNOPENED
    assert await world.sender.send_due(NOW + timedelta(minutes=1)) == ["sent"]


async def test_digest_is_one_message_and_an_empty_one_is_not_sent(world: World) -> None:
    digest, whose = "daily-2026-11-22", recipient_of(world.org, "ann")
    held = [await world.queue(digest=digest) for _ in range(3)]
    await world.queue(digest="daily-2026-11-23")
    close = CloseDigest(recipient=whose, digest=digest, now=NOW)
    done = await asyncio.gather(*(world.sender.close_digest(close) for _ in range(2)))
    assert sorted((each.count, each.messages, each.until) for each in done) == [(0, 0, None), (3, 1, None)]
    assert {(await world.row(each)).status for each in held} == {"digested"}
    assert await world.sender.send_due(NOW) == ["sent"]
    (mail,) = world.mails()
    assert mail["subject"] == "3 notifications"
    # Something that came late is told, too.
    late = await world.queue(digest=digest)
    assert (await world.sender.close_digest(close)).messages == 1
    assert await world.sender.send_due(NOW) == ["sent"]
    await world.queue(digest=digest)
    await world.wants({"payout": {world.channel: Cadence.OFF}})
    assert await world.sender.close_digest(close) == ClosedDigest()
    assert await world.sender.send_due(NOW) == []
    assert (await world.row(late)).status == "digested"


async def test_digest_uses_its_owners_current_time_zone(world: World) -> None:
    made = await world.queue(digest="daily-2026-10-25")
    close = CloseDigest(
        recipient=recipient_of(world.org, "ann"), digest="daily-2026-10-25", now=datetime(2026, 10, 24, 12, tzinfo=UTC)
    )
    assert (await world.sender.close_digest(close)).until == datetime(2026, 10, 25, 8, tzinfo=UTC)
    await a_locale(world.database, world.org, "ann", zone="Europe/Vienna")
    until = datetime(2026, 10, 25, 7, tzinfo=UTC)
    assert (await world.sender.close_digest(close)).until == until
    assert (await world.row(made)).due_at == until


async def test_single_run_reads_sends_and_ends(world: World) -> None:
    made = await world.queue(due_at=datetime.now(UTC), created_at=datetime.now(UTC))
    environment = ActivityEnvironment()
    sent = await environment.run(world.sender.send_notifications, SendNotifications(seconds=0))
    assert (sent.tried, sent.sent) == (1, 1)
    assert (await world.row(made)).status == "sent"


@pytest.mark.parametrize(
    ("locale", "contacts", "subject"),
    [
        ("fr", "de", "Versement de 120,00 USD"),
        ("de-AT", None, "Auszahlung über 120,00 USD"),
        ("sv", "es", "Transferencia de 120,00 USD"),
        (None, "es", "Transferencia de 120,00 USD"),
        (None, None, "Payout of 120.00 USD"),
    ],
)
async def test_message_is_in_the_language_of_the_person_or_else_of_the_organization(
    world: World, locale: str | None, contacts: str | None, subject: str
) -> None:
    await a_locale(world.database, world.org, "ann", locale=locale)
    if contacts is not None:
        async with world.database.platform() as session:
            await contact.put(session, world.org, contacts, (), by="ann", now=NOW)
    await world.queue()
    assert await world.sender.send_due(NOW) == ["sent"]
    assert [each["subject"] for each in world.mails()] == [subject]


async def test_alert_mail_shows_names_and_the_recipients_local_times(world: World) -> None:
    await a_locale(world.database, world.org, "ann", zone="Europe/Berlin")
    detail = f"{world.org} owes 5.00 USD since 2026-11-22T12:00:00Z."
    data = {"kind": "payment.debt", "subject": world.org, "severity": "warning", "detail": detail}
    await world.queue(kind="alert_warning", fact="alert", subject=world.org, data=data)
    await world.sender.send_due(NOW)
    (mail,) = world.mails()
    assert mail["subject"] == "Warning: Money owed"
    async with world.database.platform() as session:
        name = (await session.get_one(Organization, world.org)).name
    assert f"{name} ({world.org}) owes 5.00 USD since 22 Nov 2026, 13:00 CET." in " ".join(mail["text"].split())
