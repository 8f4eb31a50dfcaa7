"""Runs that rotate secrets: by their schedule, at once, after failures, and by the commands of an operator."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.common.sweeps import Sweeps
from contracts.common.queues import DELIVERY_QUEUE, TASK_QUEUE
from contracts.common.sweeps import SweepPage, SweepProgress
from contracts.runs import rotation_news, rotation_run
from contracts.secrets.rotation import GiveUpRotationSignal, RotateSignal
from domain.common.errors import RotationUnderWay
from domain.secrets.rotation import ATTEMPT_TIMEOUT, RotationStatus
from domain.secrets.rotation_plan import OFF
from repositories.secrets import secret as rows
from runtime import reach
from runtime.database import Database
from services.secrets import rotation as service, rotation_plan
from tests.support.histories import replay_and_keep
from tests.support.looking import again
from tests.support.receivers import receiving
from tests.support.rotations import DAY, FIRST, Rotated, Target
from tests.workflows.conftest import with_plugin
from workflows.common.sweeps import RotationSweepWorkflow
from workflows.secrets import rotation as module
from workflows.secrets.rotation import RotationWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


@dataclass
class Running:
    """One secret at a target, and its workflow."""

    env: WorkflowEnvironment
    client: Client
    one: Rotated
    target: Target

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(rotation_run(*self._ids).workflow_id)

    @property
    def _ids(self) -> tuple[str, str]:
        return self.one.secret.id, self.one.vaulted.org_id

    async def begin(self) -> None:
        await reach.signal(self.client, *rotation_news(*self._ids))

    async def until(self, status: RotationStatus, *, failures: int | None = None) -> None:
        while (held := await self.one.held()).status is not status or failures not in {None, held.failures}:
            await again()

    async def pass_until(self, status: RotationStatus, *, step: timedelta, at_most: timedelta) -> None:
        """Pass time step by step until the rotation has a status."""
        passed = timedelta(0)
        while (await self.one.held()).status is not status:
            assert passed <= at_most
            assert await self.env.fast_forward(self.handle, step)
            passed += step

    async def shown(self, text: str) -> None:
        while text not in str(await self.handle.query("__temporal_workflow_metadata")):
            await again()

    async def order(self, act: Callable[..., Awaitable[None]], after: timedelta = timedelta(0)) -> None:
        """Send a command of the owner, as the endpoint does."""
        async with self.one.database.platform() as session:
            await act(session, self.one.vaulted.owner, self.one.secret.id, datetime.now(UTC) + after)
        await self.begin()

    async def end(self) -> None:
        """End the schedule, and see the run end."""
        async with self.one.database.platform() as session:
            secret = await rows.locked(session, self.one.secret.id)
            await rotation_plan.plan(session, secret, OFF, datetime.now(UTC))
        await self.begin()
        assert await self.handle.result() == {"outcome": "not rotated any more"}


@asynccontextmanager
async def running(
    env: WorkflowEnvironment, urls: Any, target: Target, runner: WorkflowRunner | None = None
) -> AsyncIterator[Running]:
    client, database = with_plugin(env.client), Database(urls.tenant, urls.platform)
    try:
        async with receiving(target.reply) as receiver:
            host = receiver.url.split("/")[2]
            one = await Rotated.of(database, target.document(receiver), hosts=(host,), now=datetime.now(UTC))
            work = one.work
            async with (
                Worker(
                    client,
                    task_queue=TASK_QUEUE,
                    workflows=[RotationWorkflow, RotationSweepWorkflow],
                    activities=[work.look, work.take, work.fail, work.command, Sweeps(database, client).rotations],
                    workflow_runner=runner or SandboxedWorkflowRunner(),
                ),
                Worker(client, task_queue=DELIVERY_QUEUE, activities=[work.take]),
            ):
                yield Running(env, client, one, target)
    finally:
        await database.close()


async def test_a_value_is_replaced_each_month_and_the_one_before_is_revoked_after_its_grace(
    idle_server: WorkflowEnvironment, database_urls: Any
) -> None:
    async with running(idle_server, database_urls, Target()) as run:
        await run.begin()
        await run.shown("**idle**")
        for month, until_due in ((1, 30 * DAY), (2, 29 * DAY - timedelta(hours=1))):
            assert await run.env.fast_forward(run.handle, until_due - timedelta(hours=1))
            assert len(run.target.keys) == 1
            assert await run.env.fast_forward(run.handle, timedelta(hours=2))
            await run.until(RotationStatus.PROMOTED)
            assert len(run.target.keys) == 2
            assert await run.env.fast_forward(run.handle, DAY)
            await run.until(RotationStatus.IDLE)
            values = await run.one.values(datetime.now(UTC))
            assert run.target.keys == {values["current"]}
            assert list((await run.one.versions()).values()) == ["destroyed"] * month + ["current"]
        assert await run.one.alerts() == {}
        await run.end()
        history = await run.handle.fetch_history()
        assert FIRST.decode() not in str(history.events)
        assert not any(value in str(history.events) for value in run.target.keys)
        await replay_and_keep(history, "secret-rotation/rotated")


@pytest.mark.parametrize("late", [1, 10])
async def test_a_value_that_works_some_time_after_it_was_made_is_asked_again_and_promoted(
    idle_server: WorkflowEnvironment, database_urls: Any, late: int
) -> None:
    async with running(idle_server, database_urls, Target(late=late)) as run:
        await run.begin()
        await run.shown("**idle**")
        rotate = RotateSignal(rotate=run.one.secret.id, operator="kim")
        assert (await run.handle.execute_update("rotate", rotate))["declined"] is None
        await run.until(RotationStatus.APPLIED)
        await run.pass_until(RotationStatus.PROMOTED, step=timedelta(seconds=5), at_most=timedelta(minutes=14))
        assert set(run.target.refusals.values()) == {late}
        assert run.target.keys == set((await run.one.values(datetime.now(UTC))).values())
        assert await run.one.alerts() == {}
        await run.handle.terminate("the test is over")
        if late == 1:
            await replay_and_keep(await run.handle.fetch_history(), "secret-rotation/asked_again")


async def test_a_test_that_stays_refused_is_rolled_back_reported_and_tried_again_within_the_hour(
    idle_server: WorkflowEnvironment, database_urls: Any
) -> None:
    async with running(idle_server, database_urls, Target(check=403)) as run:
        await run.begin()
        await run.shown("**idle**")
        rotate = RotateSignal(rotate=run.one.secret.id, operator="kim")
        assert (await run.handle.execute_update("rotate", rotate))["declined"] is None
        await run.until(RotationStatus.APPLIED)
        await run.pass_until(RotationStatus.FAILED, step=timedelta(minutes=1), at_most=timedelta(minutes=16))
        await run.shown("answered 403")
        assert len(run.target.keys) == 2
        await run.pass_until(RotationStatus.IDLE, step=timedelta(minutes=1), at_most=timedelta(minutes=3))
        assert (await run.one.held()).failures == 1
        assert run.target.keys == {FIRST.decode()}
        assert await run.one.alerts() == {"secret_rotation_failed": True}
        run.target.check = None
        assert await run.env.fast_forward(run.handle, timedelta(hours=1, minutes=1))
        await run.until(RotationStatus.PROMOTED)
        assert await run.one.alerts() == {"secret_rotation_failed": False}
        await run.handle.terminate("the test is over")
        await replay_and_keep(await run.handle.fetch_history(), "secret-rotation/failed")


async def test_a_target_that_is_away_is_given_up_and_overdue_in_the_end(
    idle_server: WorkflowEnvironment, database_urls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time is not skipped while an activity is tried again.
    monkeypatch.setattr(module, "GIVES_UP_AFTER", timedelta(seconds=2))
    async with running(idle_server, database_urls, Target(check=503), UnsandboxedWorkflowRunner()) as run:
        await run.begin()
        await run.shown("**idle**")
        assert await run.env.fast_forward(run.handle, 30 * DAY + timedelta(minutes=1))
        await run.until(RotationStatus.FAILED, failures=1)
        await run.shown("answered 503")
        # A request of the last attempt may still be on its way: nothing is put back before it is over.
        assert len(run.target.keys) == 2
        assert await run.env.fast_forward(run.handle, ATTEMPT_TIMEOUT)
        await run.until(RotationStatus.IDLE, failures=1)
        assert run.target.keys == {FIRST.decode()}
        assert await run.env.fast_forward(run.handle, timedelta(days=2, hours=2))
        while "secret_rotation_overdue" not in await run.one.alerts():
            await again()
        await run.handle.terminate("the test is over")


async def test_a_rotation_that_hangs_is_stopped_by_its_owner_and_given_up_without_the_target(
    idle_server: WorkflowEnvironment, database_urls: Any
) -> None:
    async with running(idle_server, database_urls, Target()) as run:
        await run.begin()
        await run.shown("**idle**")
        run.target.answering = asyncio.Event()
        rotate = RotateSignal(rotate=run.one.secret.id, operator="kim")
        assert (await run.handle.execute_update("rotate", rotate))["declined"] is None
        await run.until(RotationStatus.CREATED)
        # The books have the status before the request is under way, and only what is under way can be stopped.
        await run.target.asked.wait()
        await run.order(service.stop)
        await run.shown("Stopped on request")
        assert (await run.one.held()).failures == 1
        # Before the last attempt is over, its request could still set the value that is destroyed.
        with pytest.raises(RotationUnderWay, match="on its way"):
            await run.order(service.give_up)
        await run.order(service.give_up, after=ATTEMPT_TIMEOUT)
        assert await run.env.fast_forward(run.handle, ATTEMPT_TIMEOUT + timedelta(minutes=1))
        await run.until(RotationStatus.IDLE)
        assert sorted((await run.one.versions()).values()) == ["current", "destroyed"]
        run.target.answering.set()
        run.target.answering = None
        await run.end()
        history = await run.handle.fetch_history()
        assert any(each.HasField("activity_task_cancel_requested_event_attributes") for each in history.events)
        await replay_and_keep(history, "secret-rotation/stopped")


async def test_operators_cannot_rotate_secrets_of_organizations(
    idle_server: WorkflowEnvironment, database_urls: Any
) -> None:
    async with running(idle_server, database_urls, Target()) as run:
        await run.begin()
        await run.shown("**idle**")
        own = run.one.secret.id
        for name, given, code in (
            ("rotate", RotateSignal(rotate="sec_other", operator="kim"), "secret.signal_for_another"),
            ("rotate", RotateSignal(rotate=own), "secret.operator_unnamed"),
            ("give_up", GiveUpRotationSignal(give_up=own, operator="kim"), "secret.rotating"),
        ):
            answer = await run.handle.execute_update(name, given)
            assert answer["declined"]["code"] == code
        await run.shown("the last command was refused: The rotation is idle")
        await run.end()


async def test_the_sweep_starts_a_run_that_was_lost(idle_server: WorkflowEnvironment, database_urls: Any) -> None:
    async with running(idle_server, database_urls, Target()) as run:
        due = (await run.one.held()).due_at
        for before, found in ((due, 0), (due + timedelta(minutes=1), 1)):
            begin = SweepProgress(page=SweepPage(before=before, after="", limit=50))
            sweep = await run.client.start_workflow(
                "secret-rotation-sweep", begin, id=f"sweep-{found}", task_queue="bursar", result_type=SweepProgress
            )
            assert (await sweep.result()).started >= found
        await replay_and_keep(await sweep.fetch_history(), "secret-rotation-sweep/started")
        await run.shown("**idle**")
        await run.end()
