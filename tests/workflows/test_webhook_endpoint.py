"""Deliveries to a receiver: order and number of attempts for every answer."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.messages.webhook_dispatch import WebhookDispatchActivities
from contracts.messages.webhook_endpoint import (
    DisableWebhookEndpoint,
    DispatchedWebhooks,
    DispatchWebhooks,
    WebhookEndpointResult,
)
from domain.common.access import Actor, Role
from domain.messages.webhook.delivery import ReceiverResponse
from domain.messages.webhook.endpoint import Ordering
from models.messages.alert import Alert
from models.messages.mail import QueuedMail
from models.messages.webhook_endpoint import WebhookDeliveryRow, WebhookEndpointRow
from repositories.messages import event
from runtime import reach
from runtime.identity import new_id
from services.messages import webhook_endpoint as service
from tests.support.histories import replay, replay_and_keep
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.webhook_driver import EndpointDriver, endpoint, happening
from workflows.messages.webhook_dispatch import WebhookDispatchWorkflow
from workflows.messages.webhook_endpoint import SHORT_HISTORY

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

OK = ReceiverResponse(status_code=204)
FAILED = ReceiverResponse(status_code=500, body="broken")


async def test_events_are_delivered_once_in_the_order_of_their_subject(stage: Stage):
    one = await endpoint(stage)
    for _ in range(3):
        for subject in "abc":
            await one.happens(subject)
    await one.begin()
    rows = await one.settled(9)
    assert [row.tries for row in rows] == [1] * 9
    assert sorted(each.message_id for each in one.received) == sorted(row.event_id for row in rows)
    sequence = [(body["subject"], body["subject_seq"]) for body in map(json.loads, (r.body for r in one.received))]
    for subject in one.subjects.values():
        assert [seq for of, seq in sequence if of == subject] == [1, 2, 3]
    body = json.loads(one.received[0].body)
    assert (body["type"], body["organization_id"]) == ("escrow.released", one.actor.org_id)
    assert body["timestamp"] == body["at"]
    assert one.received[0].keys == (one.keys,)


async def test_only_later_events_of_the_same_subject_wait(stage: Stage):
    one = await endpoint(stage)
    await one.happens("a", 2)
    one.answers(ReceiverResponse(status_code=500, body="broken", retry_after="3600"))
    await one.begin()
    [row] = [each for each in await pending_after(one, 1) if each.tries]
    assert (row.status_code, row.answer, row.subject_seq) == (500, "broken", 1)
    await one.happens("b")
    await one.signal_change()
    [delivered] = await one.settled(1)
    assert delivered.subject == one.subjects["b"]
    await stage.env.fast_forward(one.handle, timedelta(hours=2))
    await one.settled(3)
    of_a = [each.message_id for each in one.received if json.loads(each.body)["subject"] == one.subjects["a"]]
    assert len(of_a) == 3
    assert of_a[0] == of_a[1] != of_a[2]


async def pending_after(one: EndpointDriver, tries: int) -> list[WebhookDeliveryRow]:
    while not any(row.tries >= tries for row in await one.deliveries("pending")):
        await again()
    return await one.deliveries("pending")


async def test_delivery_fails_after_the_last_attempt_and_the_next_of_its_subject_continues(stage: Stage):
    one = await endpoint(stage)
    await one.happens("a", 2)
    one.answers(*[FAILED] * 10)
    await one.begin()
    await stage.env.fast_forward(one.handle, timedelta(days=4, hours=20))
    [failed] = await one.settled(1, "failed")
    [delivered] = await one.settled(1)
    assert (failed.subject_seq, failed.tries, delivered.subject_seq) == (1, 10, 2)
    assert (await one.state()).status == "enabled"
    await replay(await one.handle.fetch_history())


@pytest.mark.slow
async def test_run_continues_after_its_endpoint_is_disabled_and_enabled_during_delivery(stage: Stage):
    one = await endpoint(stage)
    await one.enabled()
    answered = one.hangs()
    await one.happens("a")
    await one.signal_change()
    while not one.received:
        await again()
    disable = DisableWebhookEndpoint(command_id=new_id("cmd"), actor=one.actor)
    ids = {"update_id": disable.command_id, "result_type": WebhookEndpointResult}
    assert (await reach.update(stage.client, one.run, "disable", disable, **ids)).status == "disabled"
    async with stage.database.platform() as session:
        await service.change(
            session,
            one.actor,
            one.endpoint_id,
            {},
            status="enabled",
            command_id=new_id("cmd"),
            now=datetime.now(UTC),
        )
    await one.signal_change()
    answered.set()
    enabled = (await one.state()).version
    while await is_running(one) and await one.handle.query("version") < enabled:
        await again()
    assert await is_running(one)
    await one.settled(1)
    await replay(await one.handle.fetch_history())


async def is_running(one: EndpointDriver) -> bool:
    return (await one.handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_status_410_disables_at_once_and_notifies_the_owner(stage: Stage):
    one = await endpoint(stage)
    await one.happens("a", 2)
    one.answers(ReceiverResponse(status_code=410))
    await one.begin()
    assert (await one.handle.result()).status == "disabled"
    assert len(one.received) == 1
    assert (await one.kinds())[-1] == "given_up"
    assert await alerts_and_mails(one) == (["webhook_endpoint.given_up"], ["webhook_endpoint_disabled"])
    await replay_and_keep(await one.handle.fetch_history(), "webhook-endpoint/disabled")


async def alerts_and_mails(one: EndpointDriver) -> tuple[list[str], list[str]]:
    """Return the kinds of alerts about an endpoint, and of mails to its organization."""
    async with one.stage.database.platform() as session:
        alerts = await session.scalars(select(Alert.kind).where(Alert.subject == one.endpoint_id))
        mails = await session.scalars(select(QueuedMail.kind).where(QueuedMail.org_id == one.actor.org_id))
        return list(alerts), list(mails)


async def test_five_days_without_success_disable_the_endpoint_and_notify_the_owner(stage: Stage):
    one = await endpoint(stage)
    await one.happens("a", 2)
    one.answers(*[FAILED] * 20)
    await one.begin()
    await stage.env.fast_forward(one.handle, timedelta(days=7))
    assert (await one.handle.result()).status == "disabled"
    [given_up] = [each for each in await one.timeline() if each.kind == "given_up"]
    failing_since = (await one.row()).failing_since
    assert failing_since is not None
    assert timedelta(days=5) <= given_up.at - failing_since < timedelta(days=6)
    assert {row.subject_seq: row.status for row in await one.deliveries()} == {1: "failed", 2: "pending"}
    assert await alerts_and_mails(one) == (["webhook_endpoint.given_up"], ["webhook_endpoint_disabled"])


@pytest.mark.slow
async def test_without_order_no_event_waits_for_another(stage: Stage):
    one = await endpoint(stage, ordering=Ordering.NONE)
    await one.happens("a", 3)
    one.answers(ReceiverResponse(status_code=500, retry_after="3600"))
    await one.begin()
    await one.settled(2)
    assert len(await one.deliveries("pending")) == 1


async def test_overloaded_receiver_gets_no_deliveries_at_all(stage: Stage):
    one = await endpoint(stage)
    one.answers(ReceiverResponse(status_code=429, retry_after="3600"))
    await one.happens("a")
    await one.begin()
    await pending_after(one, 1)
    await one.happens("b")
    await one.signal_change()
    while await one.drains() < 2:
        await again()
    assert len(one.received) == 1
    await stage.env.fast_forward(one.handle, timedelta(hours=2))
    await one.settled(2)


async def test_a_pause_holds_events_back_until_it_is_resumed(stage: Stage):
    one = await endpoint(stage)
    await one.begin()
    await one.paused()
    await one.happens("a")
    await one.signal_change()
    assert one.received == []
    await one.signal("resume", resume=one.endpoint_id)
    await one.settled(1)
    assert [each for each in await one.kinds() if each != "created"] == ["paused", "resumed"]


@pytest.mark.slow
async def test_long_pause_does_not_count_as_failure(stage: Stage):
    one = await endpoint(stage)
    one.answers(FAILED)
    await one.paused()
    async with stage.database.platform() as session:
        long_ago = {"failing_since": datetime.now(UTC) - timedelta(days=6), "slowed": 3}
        row = WebhookEndpointRow
        await session.execute(update(row).where(row.id == one.endpoint_id).values(**long_ago))
    await one.happens("a")
    await one.signal("resume", resume=one.endpoint_id)
    while not any(row.tries for row in await one.deliveries()):
        await again()
    await one.reaches("enabled")
    assert "given_up" not in await one.kinds()
    failing_since = (await one.row()).failing_since
    assert failing_since is not None
    assert failing_since > datetime.now(UTC) - timedelta(days=1)


@pytest.mark.slow
async def test_paused_run_ends_despite_a_lost_deletion_signal(stage: Stage):
    one = await endpoint(stage)
    await one.paused()
    async with stage.database.platform() as session:
        await service.delete(session, one.actor, one.endpoint_id, command_id=new_id("cmd"), now=datetime.now(UTC))
    await stage.env.fast_forward(one.handle, timedelta(days=1, minutes=1))
    assert (await one.handle.result()).status == "deleted"
    await replay_and_keep(await one.handle.fetch_history(), "webhook-endpoint/deleted")


@pytest.mark.slow
async def test_run_ends_when_its_organization_is_closed(stage: Stage):
    one = await endpoint(stage)
    await one.enabled()
    await one.happens("a")
    async with stage.database.platform() as session:
        operator = Actor(principal="kim", role=Role.OPERATOR)
        await service.disable_all(session, operator, one.actor.org_id or "", now=datetime.now(UTC))
    await one.signal_change()
    assert (await one.handle.result()).status == "disabled"
    assert (one.received, await one.kinds()) == ([], ["created", "disabled"])


@pytest.mark.slow
async def test_blocking_delivery_can_be_skipped(stage: Stage):
    one = await endpoint(stage)
    # It is not tried again while the signal is on its way.
    one.answers(ReceiverResponse(status_code=500, retry_after="3600"))
    await one.happens("a", 2)
    await one.begin()
    [first] = [each for each in await pending_after(one, 1) if each.tries]
    await one.signal("skip", skip=one.endpoint_id, delivery=first.id)
    [delivered] = await one.settled(1)
    assert delivered.subject_seq == 2
    await one.signal("skip", skip=one.endpoint_id, delivery=first.id)
    while "command_refused" not in await one.kinds():
        await again()
    assert {row.subject_seq: row.status for row in await one.deliveries()} == {1: "skipped", 2: "delivered"}


@pytest.mark.slow
async def test_the_history_of_a_busy_endpoint_stays_short_and_nothing_is_lost_between_two_runs(stage: Stage):
    one = await endpoint(stage)
    await one.begin()
    first = (await one.handle.describe()).run_id
    count = 0
    while (await one.handle.describe()).run_id == first or count % 10:
        count += 1
        await one.happens("a")
        await one.signal_change()
        await one.settled(count)
    ended = stage.client.get_workflow_handle(one.run.workflow_id, run_id=first)
    assert len((await ended.fetch_history()).events) < SHORT_HISTORY + 50
    assert [json.loads(each.body)["subject_seq"] for each in one.received] == list(range(1, count + 1))


# The dispatcher -------------------------------------------------------------------------------------------------------


def dispatcher(stage: Stage) -> WebhookDispatchActivities:
    return WebhookDispatchActivities(stage.database, stage.client)


async def test_dispatcher_starts_with_the_backlog_and_missing_runs(stage: Stage):
    one, quiet = await endpoint(stage), await endpoint(stage, types=("escrow.disputed",))
    await one.happens("a")
    await quiet.happens("a")
    done = await ActivityEnvironment().run(dispatcher(stage).dispatch, DispatchWebhooks(seconds=0))
    assert done.found_behind >= 1
    await one.settled(1)
    asked = await one.row()
    # Readers see the last of it once no older transaction of the cluster is open, and other tests have some.
    while ((passed := await quiet.row()).read_in, passed.read_id) < (asked.read_in, asked.read_id):
        await ActivityEnvironment().run(dispatcher(stage).dispatch, DispatchWebhooks(seconds=0))
        await again()
    assert (passed.lease, passed.seen_at, quiet.received) == (None, None, [])


@pytest.mark.slow
async def test_dispatcher_signals_idle_endpoints(stage: Stage):
    one, other = await endpoint(stage, types=("*",)), await endpoint(stage)
    looking = ActivityEnvironment()
    running = asyncio.ensure_future(looking.run(dispatcher(stage).dispatch, DispatchWebhooks(seconds=600)))
    for count in (1, 2):
        await one.happens("a")
        await one.settled(count)
    looking.worker_shutdown()
    done = await running
    # On a busy machine the second event is there before the first look is over, which finds its endpoint behind.
    assert done.told + done.found_behind >= 1
    assert await other.deliveries() == []


@pytest.mark.slow
async def test_the_dispatcher_does_not_pause_behind_a_flood_of_another_organization(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    one, looking = await endpoint(stage), ActivityEnvironment()
    async with stage.database.platform() as session:
        began = await event.head(session)
        await event.record(session, [happening(new_id("org"), new_id("esc")) for _ in range(5)])

    async def head(_session: AsyncSession) -> event.Position | None:
        return began

    monkeypatch.setattr(event, "head", head)
    monkeypatch.setattr("activities.messages.webhook_dispatch.LOOKS_AT", 1)
    monkeypatch.setattr("activities.messages.webhook_dispatch.LOOKS_EVERY", 3600.0)
    await one.happens("a")
    running = asyncio.ensure_future(looking.run(dispatcher(stage).dispatch, DispatchWebhooks(seconds=600)))
    await one.settled(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_pitfall_38_late_commit_is_not_skipped(stage: Stage):
    one = await endpoint(stage)
    late = new_id("esc")
    async with stage.database.platform() as session:
        await event.record(session, [happening(one.actor.org_id or "", late)])
        await one.happens("b", seen=False)
        await one.begin()
        while await one.drains() < 1:
            await again()
        assert one.received == []
    await one.seen()
    await one.signal_change()
    await one.settled(2)
    assert {json.loads(each.body)["subject"] for each in one.received} == {late, one.subjects["b"]}


@pytest.mark.slow
async def test_the_dispatcher_s_history_replays(stage: Stage):
    @activity.defn(name="dispatch_webhooks")
    async def dispatch(message: DispatchWebhooks) -> DispatchedWebhooks:
        return DispatchedWebhooks(looks=message.seconds, told=2, found_behind=1, forgotten=3)

    queue = new_id("queue")
    async with Worker(stage.client, task_queue=queue, workflows=[WebhookDispatchWorkflow], activities=[dispatch]):
        handle = await stage.client.start_workflow(WebhookDispatchWorkflow.run, id=new_id("run"), task_queue=queue)
        assert (await handle.result()).looks == 60
        await replay_and_keep(await handle.fetch_history(), "webhook-dispatch/completed")
