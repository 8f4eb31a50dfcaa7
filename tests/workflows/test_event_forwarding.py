"""A stored event reaches its payment directly, or through its own run where direct delivery fails."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from api.pool import StatementPool
from api.v1.webhooks.forwarding import forward
from contracts.payments.payment import ProviderEventInput
from domain.common.ids import provider_event_workflow_id
from runtime import reach
from runtime.identity import new_id
from tests.support.inbox import Mailroom
from tests.workflows.test_inbox_sweep import ended, sweep

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


@pytest.fixture
async def pool(database_urls: Any) -> AsyncIterator[StatementPool]:
    made = StatementPool(database_urls.platform, size=2, timeout=timedelta(minutes=1))
    yield made
    await made.close()


class Failing:
    """A client whose signals fail before or after sending."""

    def __init__(self, mailroom: Mailroom, error: BaseException, *, delivers: bool) -> None:
        self._client, self._error, self._delivers = mailroom.client, error, delivers

    async def start_workflow(self, *args: Any, **options: Any) -> Any:
        is_signal = "start_signal" in options
        started = None if is_signal and not self._delivers else await self._client.start_workflow(*args, **options)
        if is_signal:
            raise self._error
        return started


async def forwarded(mailroom: Mailroom, pool: StatementPool, event_id: str, client: Any = None) -> None:
    event = ProviderEventInput(provider="stripe", event_id=event_id)
    await forward(pool, client or mailroom.client, event, summary="payment_intent.succeeded")


async def has_run(mailroom: Mailroom, event_id: str) -> bool:
    return await reach.status(mailroom.client, provider_event_workflow_id("stripe", event_id)) is not None


async def test_event_that_names_a_known_payment_reaches_it_without_a_run(mailroom, pool):
    payment_id = await mailroom.payment()
    event_id = await mailroom.store(payment_id=payment_id)
    await forwarded(mailroom, pool, event_id)
    assert await mailroom.forwarded(payment_id) == [event_id]
    row = await mailroom.row(event_id)
    assert (row.status, row.payment_id, row.handled_at) == ("forwarded", payment_id, None)
    assert not await has_run(mailroom, event_id)


async def test_payment_whose_run_has_ended_starts_again_for_an_event(mailroom, pool):
    payment_id = await mailroom.payment()
    first, second = await mailroom.store(payment_id=payment_id), await mailroom.store(payment_id=payment_id)
    await forwarded(mailroom, pool, first)
    await mailroom.of(payment_id).signal("end")
    await mailroom.of(payment_id).result()
    await forwarded(mailroom, pool, second)
    assert await mailroom.forwarded(payment_id) == [second]
    assert await mailroom.of(payment_id).query("resumed") is True


async def test_pitfall_28_event_that_is_earlier_than_its_payment_gets_a_run_that_waits(mailroom, pool):
    payment_id = new_id("pay")
    event_id = await mailroom.store(payment_id=payment_id)
    await forwarded(mailroom, pool, event_id)
    assert (await mailroom.row(event_id)).status == "received"
    await mailroom.payment(payment_id)
    assert (await ended(mailroom, event_id))["outcome"] == "forwarded"
    assert await mailroom.forwarded(payment_id) == [event_id]


async def test_event_that_names_a_payment_of_another_provider_does_not_reach_it(mailroom, pool):
    payment_id = await mailroom.payment(provider="paypal")
    event_id = await mailroom.store(payment_id=payment_id)
    await forwarded(mailroom, pool, event_id)
    assert await has_run(mailroom, event_id)
    assert await reach.status(mailroom.client, f"payment/{payment_id}") is None


async def test_event_that_names_only_objects_of_the_provider_is_left_to_its_run(mailroom, pool):
    ref = new_id("pi")
    payment_id = await mailroom.payment(ref=ref)
    event_id = await mailroom.store("charge.dispute.created", refs=("dp_1", ref))
    await forwarded(mailroom, pool, event_id)
    assert (await ended(mailroom, event_id))["outcome"] == "forwarded"
    assert await mailroom.forwarded(payment_id) == [event_id]


async def test_event_already_handled_by_the_sweep_is_left_alone(mailroom, pool):
    payment_id = await mailroom.payment()
    event_id = await mailroom.store(payment_id=payment_id, minutes_ago=2)
    await sweep(mailroom)
    await ended(mailroom, event_id)
    await forwarded(mailroom, pool, event_id)
    assert await mailroom.forwarded(payment_id) == [event_id]


async def test_unsignalled_payment_gets_the_event_from_its_run(mailroom, pool):
    payment_id = await mailroom.payment()
    event_id = await mailroom.store(payment_id=payment_id)
    busy = Failing(mailroom, RPCError("busy", RPCStatusCode.RESOURCE_EXHAUSTED, b""), delivers=False)
    await forwarded(mailroom, pool, event_id, busy)
    assert (await ended(mailroom, event_id))["outcome"] == "forwarded"
    assert await mailroom.forwarded(payment_id) == [event_id]


@pytest.mark.parametrize("signalled", [False, True])
async def test_process_that_dies_before_marking_an_event_loses_nothing(signalled, mailroom, pool):
    payment_id = await mailroom.payment()
    event_id = await mailroom.store(payment_id=payment_id, minutes_ago=2)
    # What a process that ends does to its work: nothing after this line runs.
    dying = Failing(mailroom, asyncio.CancelledError(), delivers=signalled)
    with pytest.raises(asyncio.CancelledError):
        await forwarded(mailroom, pool, event_id, dying)
    assert (await mailroom.row(event_id)).status == "received"
    assert not await has_run(mailroom, event_id)
    await sweep(mailroom)
    assert (await ended(mailroom, event_id))["outcome"] == "forwarded"
    # A payment that has heard of it already asks its provider once more.
    assert await mailroom.forwarded(payment_id) == [event_id] * (2 if signalled else 1)


async def test_existing_run_of_an_event_is_kept(mailroom, pool):
    event_id = await mailroom.store(payment_id=new_id("pay"))
    await forwarded(mailroom, pool, event_id)
    await forwarded(mailroom, pool, event_id)
    workflow_id = provider_event_workflow_id("stripe", event_id)
    assert await reach.status(mailroom.client, workflow_id) is WorkflowExecutionStatus.RUNNING
