"""The notification run, and digests that wait until their hour across clock changes."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import select
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.messages.notification import NotificationActivities
from contracts.messages.notification import (
    ClosedDigest,
    CloseDigest,
    DigestInput,
    FanOut,
    FanOutResult,
    SendNotifications,
    SentNotifications,
)
from contracts.runs import digest_run
from domain.common.access import Role
from domain.messages.notification.due import Cadence, NotificationClock, send_time
from domain.messages.notification.preferences import Preferences, recipient_of
from models.messages.notification import NotificationRow
from repositories.messages import notification as notifications
from repositories.messages.notification import NewNotification
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from tests.support.histories import replay_and_keep
from tests.support.looking import pass_to_the_end
from tests.support.notifications import SEALER, a_channel, a_locale, a_principal, an_organization
from tests.workflows.conftest import with_plugin
from workflows.messages.digest import DigestWorkflow
from workflows.messages.notifications import NotificationsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_notification_run_reads_and_sends_for_a_minute(idle_server: WorkflowEnvironment) -> None:
    @activity.defn
    async def fan_out(message: FanOut) -> FanOutResult:
        return FanOutResult(looks=message.seconds, events=3, alerts=1, notifications=7, digests=2)

    @activity.defn
    async def send_notifications(message: SendNotifications) -> SentNotifications:
        return SentNotifications(tried=message.seconds, sent=50, failed=4, dropped=1)

    client, queue = with_plugin(idle_server.client), new_id("queue")
    workflows, activities = [NotificationsWorkflow], [fan_out, send_notifications]
    async with Worker(client, task_queue=queue, workflows=workflows, activities=activities):
        handle = await client.start_workflow(NotificationsWorkflow.run, id=new_id("run"), task_queue=queue)
        assert (await handle.result()).looks == 60
        details = str(await handle.query("__temporal_workflow_metadata"))
        assert "notifications written: 7" in details
        assert "to be retried: 5" in details
        assert "**given up**: 4, see the alerts" in details
        await replay_and_keep(await handle.fetch_history(), "notifications/completed")
    (job,) = [job for job in SCHEDULES if job.id == "notifications"]
    assert job.workflow == "notifications"


class Person:
    """An owner of a separate organization with digests enabled."""

    def __init__(self, database: Database, clock: NotificationClock) -> None:
        self.database, self.clock = database, clock
        self.org, self.channel = "", ""

    async def begin(self) -> "Person":
        self.org = await an_organization(self.database)
        await a_principal(self.database, self.org, "ann", Role.OWNER)
        self.channel = await a_channel(self.database, self.org, "ann")
        await self.moves(self.clock)
        return self

    async def moves(self, clock: NotificationClock) -> None:
        async with self.database.platform() as session:
            wanted = Preferences(clock=clock)
            await notifications.put_preferences(
                session, org_id=self.org, principal="ann", wanted=wanted, now=datetime.now(UTC)
            )
        await a_locale(self.database, self.org, "ann", zone=clock.zone)

    async def happens(self, at: datetime, cadence: Cadence) -> str:
        """Queue a notification for the next digest, and return the digest."""
        when, made = send_time(cadence, at, self.clock), new_id("ntf")
        async with self.database.platform() as session:
            row = NewNotification(
                id=made,
                source=made,
                org_id=self.org,
                principal="ann",
                channel=self.channel,
                kind="payout",
                fact="payout.paid",
                subject="po_1",
                data={"payout_id": "po_1", "amount": "1.00", "currency": "USD"},
                status="waiting",
                digest=when.digest,
                due_at=when.at,
                created_at=at,
            )
            await notifications.add(session, [row])
        return when.digest or ""

    async def messages(self) -> list[datetime]:
        """Return the times at which digest messages were queued."""
        row = NotificationRow
        async with self.database.platform() as session:
            query = select(row.due_at).where(row.org_id == self.org, row.kind == "digest").order_by(row.due_at)
            return list(await session.scalars(query))


@pytest.mark.parametrize(
    ("cadence", "at", "expected"),
    [
        (Cadence.HOURLY, None, None),
        (Cadence.WEEKLY, None, None),
        # Clocks of Vienna go forward in the night to 28 March 2027, and back in the night to 31 October.
        (Cadence.DAILY, "2027-03-26T12:00:00", "2027-03-27T07:00:00"),
        (Cadence.DAILY, "2027-03-27T12:00:00", "2027-03-28T06:00:00"),
        (Cadence.DAILY, "2027-10-29T12:00:00", "2027-10-30T06:00:00"),
        (Cadence.DAILY, "2027-10-30T12:00:00", "2027-10-31T07:00:00"),
    ],
)
async def test_digest_is_sent_once_at_its_hour(
    cadence: Cadence, at: str | None, expected: str | None, idle_server: WorkflowEnvironment, db: Database
) -> None:
    person = await Person(db, NotificationClock(zone="Europe/Vienna", digest_hour=8)).begin()
    client, queue = with_plugin(idle_server.client), new_id("queue")
    work = NotificationActivities(db, Mock(), {}, SEALER)
    async with Worker(client, task_queue=queue, workflows=[DigestWorkflow], activities=[work.close_digest]):
        now = datetime.now(UTC) if at is None else datetime.fromisoformat(at).replace(tzinfo=UTC)
        digest = await person.happens(now, cadence)
        await person.happens(now, cadence)
        start = DigestInput(recipient=recipient_of(person.org, "ann"), digest=digest)
        handle = await client.start_workflow(DigestWorkflow.run, start, id=new_id("digest"), task_queue=queue)
        assert await pass_to_the_end(idle_server, handle) == ClosedDigest(count=2, messages=1)
        (sent,) = await person.messages()
        wanted = send_time(cadence, now, person.clock).at
        assert 0 <= (sent - wanted).total_seconds() < 60
        assert expected is None or wanted == datetime.fromisoformat(expected).replace(tzinfo=UTC)
        assert "messages, one for each channel: 1" in str(await handle.query("__temporal_workflow_metadata"))
        if cadence is Cadence.DAILY:
            await replay_and_keep(await handle.fetch_history(), "digest/completed")
        again = await client.start_workflow(DigestWorkflow.run, start, id=new_id("digest"), task_queue=queue)
        assert await again.result() == ClosedDigest()
    assert await person.messages() == [sent]


@pytest.mark.slow
async def test_a_digest_follows_its_owner_to_another_zone(idle_server: WorkflowEnvironment, db: Database) -> None:
    person = await Person(db, NotificationClock(zone="Pacific/Auckland")).begin()
    client, queue = with_plugin(idle_server.client), new_id("queue")
    work = NotificationActivities(db, Mock(), {}, SEALER)
    asked: list[datetime | None] = []

    @activity.defn
    async def close_digest(message: CloseDigest) -> ClosedDigest:
        done = await work.close_digest(message)
        if not asked:
            # While it waits, its owner flies home: eight in the morning of that day is eleven hours later or more.
            await person.moves(NotificationClock(zone="Europe/Vienna"))
        asked.append(done.until)
        return done

    async with Worker(client, task_queue=queue, workflows=[DigestWorkflow], activities=[close_digest]):
        digest = await person.happens(datetime.now(UTC), Cadence.DAILY)
        start = DigestInput(recipient=recipient_of(person.org, "ann"), digest=digest)
        handle = await client.start_workflow(DigestWorkflow.run, start, id=new_id("digest"), task_queue=queue)
        assert (await pass_to_the_end(idle_server, handle)).messages == 1
    first, second, closed = asked
    assert first is not None
    assert second is not None
    assert (closed, second > first) == (None, True)
    assert second.astimezone(UTC).hour in {6, 7}


def test_digests_of_two_people_and_of_two_organizations_have_runs_of_their_own() -> None:
    def run_of(**more: Any) -> str:
        given = {"org": "org_1", "principal": "kim", "digest": "daily-2026-11-22", **more}
        start = DigestInput(recipient=recipient_of(given["org"], given["principal"]), digest=given["digest"])
        return digest_run(start, given["org"]).workflow_id

    found = [
        run_of(),
        run_of(org="org_2"),
        run_of(org=None),
        run_of(principal="lou"),
        run_of(digest="daily-2026-11-23"),
    ]
    assert len(set(found)) == len(found)
    assert run_of(principal="KIM") == found[0]
    assert "kim" not in found[0]
    assert len(run_of(principal="k" * 100)) < 100
