"""Events that were stored and lost their run are handed over all the same."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from domain.common.ids import provider_event_workflow_id
from models.payments.provider_event import ProviderEventRow
from repositories.payments import provider_event
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from tests.support.inbox import Mailroom
from workflows.common.sweeps import signalled_before

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def sweep(mailroom: Mailroom, *, keeps: bool = False):
    handle = await mailroom.client.start_workflow("inbox-sweep", id=new_id("sweep"), task_queue="bursar")
    result = await handle.result()
    if keeps:
        await replay_and_keep(await handle.fetch_history(), "inbox-sweep/completed")
    return result


async def ended(mailroom: Mailroom, event_id: str):
    return await mailroom.client.get_workflow_handle(provider_event_workflow_id("stripe", event_id)).result()


async def test_event_without_a_run_gets_one_after_a_minute_and_not_before(mailroom):
    payment_id = await mailroom.payment()
    lost = await mailroom.store(payment_id=payment_id, minutes_ago=2)
    young = await mailroom.store(payment_id=payment_id)
    result = await sweep(mailroom, keeps=True)
    assert result["started"] >= 1
    assert (await ended(mailroom, lost))["outcome"] == "forwarded"
    assert await mailroom.forwarded(payment_id) == [lost]
    assert (await mailroom.row(young)).status == "received"


async def test_event_whose_run_was_terminated_gets_another(mailroom):
    payment_id = new_id("pay")
    event_id = await mailroom.store(payment_id=payment_id, minutes_ago=2)
    # No worker has it in hand when it is terminated, and hands the event over after that.
    handle = await mailroom.start(event_id, task_queue="nobody's")
    await handle.terminate("by hand")
    await mailroom.payment(payment_id)
    await sweep(mailroom)
    assert (await ended(mailroom, event_id))["outcome"] == "forwarded"


async def test_run_that_waits_for_its_payment_is_left_alone(mailroom):
    payment_id = new_id("pay")
    event_id = await mailroom.store(payment_id=payment_id, minutes_ago=2)
    handle = await mailroom.start(event_id)
    run = (await handle.describe()).run_id
    await sweep(mailroom)
    assert (await handle.describe()).run_id == run
    await mailroom.payment(payment_id)
    await mailroom.env.fast_forward(handle, timedelta(minutes=1))
    assert (await handle.result()).outcome == "forwarded"


@pytest.mark.slow
async def test_more_than_a_page_of_lost_events_is_handled_in_one_sweep(mailroom):
    ids = [await mailroom.store(minutes_ago=2) for _ in range(103)]
    result = await sweep(mailroom)
    assert result["found"] >= 103
    for event_id in ids:
        await ended(mailroom, event_id)
    async with mailroom.database.platform() as session:
        left = select(func.count()).where(ProviderEventRow.event_id.in_(ids), ProviderEventRow.handled_at.is_(None))
        assert (await session.execute(left)).scalar_one() == 0


async def test_forwarded_event_is_signalled_again_after_a_pause(mailroom):
    event_id = await mailroom.store(minutes_ago=30)
    async with mailroom.database.platform() as session:
        await session.execute(
            update(ProviderEventRow).where(ProviderEventRow.event_id == event_id).values(status="forwarded")
        )
        row = (
            await session.execute(select(ProviderEventRow).where(ProviderEventRow.event_id == event_id))
        ).scalar_one()
        now = row.received_at.replace(minute=15) + timedelta(hours=1)
        found = {}
        for name, moment in (
            ("never", None),
            ("young", row.received_at),
            ("late", row.received_at + timedelta(seconds=1)),
        ):
            rows = await provider_event.unhandled(
                session, before=now, forwarded_before=moment, after=row.id - 1, limit=10
            )
            found[name] = event_id in {one.event_id for one in rows}
    assert found == {"never": False, "young": False, "late": True}
    assert signalled_before(now) == now - timedelta(minutes=15)
    assert signalled_before(now.replace(minute=16)) is None
