"""No worker while a deadline passes: what was sent in time counts, whatever the timer says."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from contracts import search_attributes
from runtime.settings import Settings
from runtime.temporal import data_converter
from stack.temporal import find_temporal
from tests.conftest import TIME_SKIPPING
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import Job, stage_on

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """A server of this file's own, because its only worker comes and goes."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=find_temporal(),
        dev_server_extra_args=TIME_SKIPPING,
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(Settings()),
    )
    async with environment:
        yield environment


async def fired(job: Job) -> None:
    """Return when the escrow's deadline has passed on the server."""
    while True:
        events = (await job.handle.fetch_history()).events
        if any(event.HasField("timer_fired_event_attributes") for event in events):
            return


async def test_a_dispute_signalled_too_late_is_refused(server, database_urls):
    """The worker was back within seconds, so the deadline acts as ever."""
    async with stage_on(server, database_urls) as stage:
        job = await (await stage.award()).delivered()
    passing = asyncio.create_task(server.fast_forward(job.handle, timedelta(days=3, hours=1)))
    await fired(job)
    await job.handle.signal("dispute", {"reason": "look at this"})
    async with stage_on(server, database_urls):
        assert await job.end() == "released"
        await passing
    assert await job.kinds() == ["opened", "funded", "delivered", "review_expired"]
    await replay_and_keep(await job.handle.fetch_history(), "disputed_by_signal_too_late")
