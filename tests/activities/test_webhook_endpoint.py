"""Delivery of an endpoint's backlog, and retention of its receiver's answers."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import select, update
from temporalio.testing import ActivityEnvironment

from activities.messages.webhook_dispatch import WebhookDispatchActivities
from activities.messages.webhook_endpoint import AT_ONCE, WebhookEndpointActivities
from contracts.messages.webhook_endpoint import (
    DispatchedWebhooks,
    DispatchWebhooks,
    DrainedWebhookEndpoint,
    DrainWebhookEndpoint,
)
from domain.common.access import Actor, Role
from domain.common.ids import is_id
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.webhook.delivery import MAX_TRIES, OVERLOAD_BACKOFF, RESPONSE_KEPT_FOR, TIMED_OUT, ReceiverResponse
from domain.messages.webhook.endpoint import FULL_ALERT
from models.messages.alert import Alert
from models.messages.webhook_endpoint import WebhookDeliveryRow, WebhookEndpointRow
from providers.notify.webhook import OutgoingWebhook, WebhookSender
from repositories.messages import event, webhook_endpoint as endpoints
from runtime.database import Database
from runtime.identity import new_id
from services.messages import webhook_endpoint as service
from tests.support.looking import again
from tests.support.notifications import an_organization
from tests.support.outbox import past_others
from tests.support.webhooks import SEALER, stored_endpoint

pytestmark = pytest.mark.db

TYPE, OTHER = "escrow.funded", "escrow.released"


@dataclass
class Slow:
    """Slow receivers that count concurrent requests."""

    under_way: Counter[str] = field(default_factory=Counter)
    most: int = 0
    most_of_a_subject: int = 0
    sent: list[tuple[str, int]] = field(default_factory=list)

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
        body = json.loads(webhook.body)
        subject = body["subject"]
        self.under_way[subject] += 1
        self.most = max(self.most, self.under_way.total())
        self.most_of_a_subject = max(self.most_of_a_subject, self.under_way[subject])
        await again()
        self.under_way[subject] -= 1
        self.sent.append((subject, body["subject_seq"]))
        return ReceiverResponse(status_code=200, body=f"taken at {now}")


async def an_endpoint(database: Database, subjects: int, each: int) -> str:
    """Make an endpoint with waiting events of the given number of subjects."""
    org_id = await an_organization(database)
    endpoint_id = await stored_endpoint(database, org_id)
    for subject in [new_id("esc") for _ in range(subjects)]:
        for _ in range(each):
            async with database.platform() as session:
                fact = Event(type=TYPE, org_id=org_id, subject=subject, data=CATALOGUE[TYPE].example)
                await event.record(session, [fact])
    await past_others(database)
    return endpoint_id


async def happens(database: Database, endpoint_id: str) -> None:
    """Record an event of a new subject."""
    async with database.platform() as session:
        row = await endpoints.get(session, endpoint_id)
        assert row is not None
        fact = Event(type=TYPE, org_id=row.org_id, subject=new_id("esc"), data=CATALOGUE[TYPE].example)
        await event.record(session, [fact])
    await past_others(database)


async def drained(
    database: Database, sender: WebhookSender, endpoint_id: str, at: datetime | None = None
) -> DrainedWebhookEndpoint:
    activities = WebhookEndpointActivities(database, AsyncMock(), sender, SEALER)
    return await ActivityEnvironment().run(
        activities.drain, DrainWebhookEndpoint(endpoint_id=endpoint_id, at=at or datetime.now(UTC))
    )


async def test_eight_requests_are_under_way_at_once_and_one_of_a_subject(database: Database) -> None:
    endpoint_id, sender = await an_endpoint(database, AT_ONCE + 4, 2), Slow()
    done = await drained(database, sender, endpoint_id)
    assert (done.tried, done.delivered, done.waiting, done.more) == (24, 24, 0, False)
    assert (sender.most, sender.most_of_a_subject) == (8, 1)
    of = {subject: [seq for each, seq in sender.sent if each == subject] for subject, _ in sender.sent}
    assert list(of.values()) == [[1, 2]] * 12


@dataclass
class Failing:
    """Receivers that refuse everything until they are repaired."""

    works: bool = False
    taken: list[tuple[str, int]] = field(default_factory=list)

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
        assert now.tzinfo is not None
        body = json.loads(webhook.body)
        if self.works:
            self.taken.append((body["subject"], body["subject_seq"]))
        return ReceiverResponse(status_code=204 if self.works else 500)


async def failing_since(database: Database, endpoint_id: str) -> datetime | None:
    async with database.platform() as session:
        row = await endpoints.get(session, endpoint_id)
    assert row is not None
    return row.failing_since


async def test_failure_weeks_after_the_last_delivery_failed_for_good_does_not_disable(database: Database) -> None:
    endpoint_id, sender, at = await an_endpoint(database, 1, 1), Failing(), datetime.now(UTC)
    began = at
    for tries in range(MAX_TRIES):
        assert (await failing_since(database, endpoint_id) is None) is (tries == 0)
        done = await drained(database, sender, endpoint_id, at)
        assert (done.tried, done.give_up) == (1, None)
        at = done.next_at or at
    assert (done.next_at, done.waiting) == (None, 0)
    assert timedelta(days=3) < at - began < timedelta(days=5)
    await happens(database, endpoint_id)
    later = at + timedelta(weeks=3)
    done = await drained(database, sender, endpoint_id, later)
    assert (done.tried, done.waiting, done.give_up) == (1, 1, None)
    since = await failing_since(database, endpoint_id)
    assert since is not None
    assert since >= later


async def test_endpoint_at_which_webhooks_wait_all_the_time_is_disabled_after_five_days(database: Database) -> None:
    endpoint_id, sender, at = await an_endpoint(database, 1, 1), Failing(), datetime.now(UTC)
    began, done = at, await drained(database, sender, endpoint_id, at)
    for _ in range(2):
        # Another one comes before the one before has failed for good.
        while done.give_up is None and done.next_at is not None and at - began < timedelta(days=2):
            at = done.next_at
            done = await drained(database, sender, endpoint_id, at)
        await happens(database, endpoint_id)
        while done.give_up is None and done.next_at is not None:
            at = done.next_at
            done = await drained(database, sender, endpoint_id, at)
    assert done.give_up == "failing"
    assert timedelta(days=5) <= at - began < timedelta(days=7)


async def resolved_alerts(database: Database, endpoint_id: str) -> list[bool]:
    async with database.platform() as session:
        query = select(Alert).where(Alert.kind == FULL_ALERT, Alert.subject == endpoint_id)
        rows = (await session.scalars(query)).all()
    assert {(row.shared, row.for_operators) for row in rows} <= {(True, True)}
    return [row.resolved_at is not None for row in rows]


async def dispatched(database: Database) -> DispatchedWebhooks:
    activities = WebhookDispatchActivities(database, AsyncMock())
    return await ActivityEnvironment().run(activities.dispatch, DispatchWebhooks(seconds=0))


async def test_limited_number_waits_and_the_rest_follows_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.messages.webhook_endpoint.PAGE", 4)
    for module in ("webhook_endpoint", "webhook_dispatch"):
        monkeypatch.setattr(f"activities.messages.{module}.MOST_PENDING", 6)
    endpoint_id, sender = await an_endpoint(database, 10, 2), Failing()
    done = await drained(database, sender, endpoint_id)
    assert (done.delivered, done.more) == (0, False)
    assert 6 <= done.waiting < 6 + 4
    # It is said once, to whoever has to mend the receiver, until far fewer wait.
    await drained(database, sender, endpoint_id)
    assert await resolved_alerts(database, endpoint_id) == [False]
    await dispatched(database)
    assert await resolved_alerts(database, endpoint_id) == [False]
    sender.works = True
    async with database.platform() as session:
        now = datetime.now(UTC)
        await session.execute(
            update(WebhookDeliveryRow).where(WebhookDeliveryRow.endpoint_id == endpoint_id).values(next_at=now)
        )
    done = await drained(database, sender, endpoint_id)
    # The alert has an event, too.
    assert (done.delivered, done.waiting, done.more) == (20 + 1, 0, False)
    await dispatched(database)
    assert await resolved_alerts(database, endpoint_id) == [True]
    of = {subject: [seq for each, seq in sender.taken if each == subject] for subject, _ in sender.taken}
    assert [numbers for subject, numbers in of.items() if is_id(subject, "esc")] == [[1, 2]] * 10


@dataclass
class Changing:
    """A receiver whose owner changes types and URL while the first webhook is being sent."""

    database: Database
    endpoint_id: str
    org_id: str
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
        if not self.sent:
            async with self.database.platform() as session:
                wanted = {"types": [TYPE, OTHER], "url": "https://new.example.com/"}
                row = WebhookEndpointRow
                await session.execute(update(row).where(row.id == self.endpoint_id).values(**wanted))
            async with self.database.platform() as session:
                data = CATALOGUE[OTHER].example
                await event.record(session, [Event(type=OTHER, org_id=self.org_id, subject=new_id("esc"), data=data)])
            await past_others(self.database)
        self.sent.append((json.loads(webhook.body)["type"], webhook.url))
        return ReceiverResponse(status_code=200, body="")


async def test_what_an_endpoint_is_changed_to_holds_for_the_drain_under_way(database: Database) -> None:
    endpoint_id = await an_endpoint(database, 1, 1)
    async with database.platform() as session:
        row = WebhookEndpointRow
        narrow = update(row).where(row.id == endpoint_id).values(types=[TYPE]).returning(row.org_id, row.url)
        org_id, url = (await session.execute(narrow)).one()
    sender = Changing(database, endpoint_id, org_id)
    await drained(database, sender, endpoint_id)
    assert sender.sent == [(TYPE, url), (OTHER, "https://new.example.com/")]


@dataclass
class Moved:
    """A receiver whose owner changes URL and keys while the first webhook is being sent.

    The second answers once the outcome of the first is stored.
    """

    database: Database
    endpoint_id: str
    sent: list[OutgoingWebhook] = field(default_factory=list)

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
        self.sent.append(webhook)
        if len(self.sent) == 1:
            await self.leave(now)
        while len(self.sent) == 2 and not await self.written():
            await again()
        return ReceiverResponse(status_code=200)

    async def leave(self, now: datetime) -> None:
        async with self.database.platform() as session:
            row = await endpoints.get(session, self.endpoint_id)
            assert row is not None
            owner, url = Actor(principal="kim", role=Role.OWNER, org_id=row.org_id), {"url": "https://new.example.com/"}
            await service.change(session, owner, row.id, url, status=None, command_id=new_id("cmd"), now=now)
            await service.rotate(session, owner, row.id, SEALER, command_id=new_id("cmd"), now=now)

    async def written(self) -> bool:
        row = WebhookDeliveryRow
        query = select(row.id).where(row.endpoint_id == self.endpoint_id, row.status == "delivered")
        async with self.database.platform() as session:
            return (await session.scalars(query)).first() is not None


async def test_an_address_that_was_left_gets_no_more_of_the_page_that_is_being_sent(database: Database) -> None:
    endpoint_id = await an_endpoint(database, 1, 4)
    sender = Moved(database, endpoint_id)
    done = await drained(database, sender, endpoint_id)
    assert (done.delivered, done.waiting) == (4, 0)
    first, second, *others = sender.sent
    assert first.url == second.url
    assert {each.url for each in others} == {"https://new.example.com/"}
    # The new keys sign first, and those that they replace as well.
    assert [len(each.keys) for each in sender.sent] == [1, 1, 2, 2]
    assert all(first.keys[0] == each.keys[1] for each in others)


async def test_what_was_answered_is_forgotten_after_thirty_days(database: Database) -> None:
    endpoint_id, row = await an_endpoint(database, 2, 1), WebhookDeliveryRow
    await drained(database, Slow(), endpoint_id)
    ages = timedelta(days=30, minutes=1), timedelta(days=29, hours=23)
    async with database.platform() as session:
        old, young = await session.scalars(select(row.id).where(row.endpoint_id == endpoint_id).order_by(row.id))
        for delivery_id, age in zip((old, young), ages, strict=True):
            await session.execute(update(row).where(row.id == delivery_id).values(tried_at=datetime.now(UTC) - age))
    done = await dispatched(database)
    async with database.platform() as session:
        rows = (await session.scalars(select(row).where(row.endpoint_id == endpoint_id).order_by(row.id))).all()
    assert done.forgotten >= 1
    assert timedelta(days=30) == RESPONSE_KEPT_FOR
    assert [each.answer is None for each in rows] == [True, False]
    assert {each.status for each in rows} == {"delivered"}


@dataclass
class Silent:
    """Receivers that answer the given number of requests and time out afterwards."""

    answers: int = 0
    sent: int = 0

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
        self.sent += 1
        number = self.sent
        await again()
        return ReceiverResponse(status_code=200) if number <= self.answers else ReceiverResponse(error=TIMED_OUT)


async def paused_for(database: Database, endpoint_id: str) -> timedelta | None:
    async with database.platform() as session:
        row = await endpoints.get(session, endpoint_id)
        assert row is not None
        assert row.seen_at is not None
        return None if row.slow_until is None else row.slow_until - row.seen_at


async def test_silent_receiver_is_delayed_and_releases_its_slot(database: Database) -> None:
    endpoint_id, sender = await an_endpoint(database, 2 * AT_ONCE, 1), Silent()
    done = await drained(database, sender, endpoint_id)
    assert AT_ONCE <= done.tried < 2 * AT_ONCE
    assert (done.delivered, done.more, done.waiting) == (0, False, 2 * AT_ONCE)
    pause = await paused_for(database, endpoint_id)
    assert pause is not None
    assert timedelta(0) < pause <= OVERLOAD_BACKOFF[0]


async def test_single_unanswered_webhook_slows_its_endpoint(database: Database) -> None:
    endpoint_id = await an_endpoint(database, 1, 1)
    await drained(database, Silent(), endpoint_id)
    assert await paused_for(database, endpoint_id) is not None


async def test_unanswered_webhooks_among_answered_ones_slow_nobody(database: Database) -> None:
    endpoint_id, sender = await an_endpoint(database, AT_ONCE, 1), Silent(answers=1)
    done = await drained(database, sender, endpoint_id)
    assert (done.tried, done.delivered, await paused_for(database, endpoint_id)) == (AT_ONCE, 1, None)
