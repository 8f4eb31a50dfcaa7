"""Allocation runs: waiting for an answer, their end, and the sweep that starts them and pays trials."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.returns.allocation import AllocationActivities
from contracts.returns.allocation import AcceptSignal, AllocationInput, AllocationSweep
from contracts.runs import Run, allocation_run
from domain.returns.allocation import PROPOSAL_VALID_FOR, AllocationMode
from domain.returns.trial import TrialStage
from models.returns.allocation import Allocation
from repositories.marketplace import agent as agents
from repositories.returns import allocation as allocations
from runtime import reach
from runtime.database import Database
from runtime.identity import new_id
from services.returns import trial
from services.returns.trial import TrialRequest
from tests.support.histories import replay_and_keep
from tests.support.looking import again
from tests.support.returns import MATURES, Team, early
from tests.workflows.conftest import with_plugin
from workflows.common.handling import AllocationSweepWorkflow
from workflows.returns.allocation import AllocationWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

DAY = timedelta(days=1)


@dataclass
class Nights:
    """Starts and follows allocation runs."""

    env: WorkflowEnvironment
    client: Client
    database: Database

    async def team(self, mode: AllocationMode = AllocationMode.PROPOSE) -> Team:
        """Make a team of two whose settings were made yesterday."""
        now = datetime.now(UTC)
        team = await Team.of(self.database, "ada", "bob", zone=early(now))
        await team.give(ada=80, bob=20)
        await team.set(mode, now=now - DAY)
        return team

    async def begun(self, team: Team) -> WorkflowHandle[Any, Any]:
        """Start today's run."""
        run = await self.run_of(team)
        await reach.start_missing(self.client, run)
        return self.client.get_workflow_handle(run.workflow_id)

    async def run_of(self, team: Team) -> Run:
        night = (await team.setting()).next_night
        return allocation_run(AllocationInput(project_id=team.project_id, night=night), team.org_id)

    async def shown(self, handle: WorkflowHandle[Any, Any], text: str) -> None:
        while text not in str(await handle.query("__temporal_workflow_metadata")):
            await again()

    async def of(self, team: Team) -> Allocation:
        """Return the newest allocation of a team."""
        night = (await team.setting()).next_night - DAY
        async with self.database.platform() as session:
            found = await allocations.of_night(session, team.project_id, night)
        assert found is not None
        return found


@asynccontextmanager
async def nights_on(env: WorkflowEnvironment, urls: Any, *, sealed_signals: bool = False) -> AsyncIterator[Nights]:
    made = Nights(env, with_plugin(env.client), Database(urls.tenant, urls.platform))
    work = AllocationActivities(made.database, made.client, matures=MATURES, sealed_signals=sealed_signals)
    activities = [work.propose, work.look, work.accept, work.start, work.pay]
    workflows = [AllocationWorkflow, AllocationSweepWorkflow]
    async with Worker(made.client, task_queue="bursar", workflows=workflows, activities=activities):
        yield made
    await made.database.close()


@pytest.fixture
async def nights(idle_server: WorkflowEnvironment, database_urls: Any) -> AsyncIterator[Nights]:
    async with nights_on(idle_server, database_urls) as made:
        yield made


async def test_allocation_unaccepted_for_twelve_hours_changes_nothing(nights: Nights) -> None:
    team = await nights.team()
    handle = await nights.begun(team)
    await nights.shown(handle, "expires at")
    passing = asyncio.ensure_future(nights.env.fast_forward(handle, 2 * DAY))
    assert await handle.result() == {"outcome": "expired"}
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)
    row = await nights.of(team)
    described = await handle.describe()
    assert described.close_time is not None
    assert described.close_time >= row.created_at + PROPOSAL_VALID_FOR
    assert (row.status, row.answer_by) == ("expired", None)
    assert await team.days() == {"ada": 8_000, "bob": 2_000, "project": 10_000}
    await replay_and_keep(await handle.fetch_history(), "allocation/expired")


async def test_an_answer_over_the_api_ends_the_run(nights: Nights) -> None:
    team = await nights.team()
    handle = await nights.begun(team)
    await nights.shown(handle, "expires at")
    await team.accept(await nights.of(team), now=datetime.now(UTC))
    await handle.signal("news")
    assert await handle.result() == {"outcome": "applied"}
    # On the way to equal shares, each by a fifth at most.
    assert await team.days() == {"ada": 7_600, "bob": 2_400, "project": 10_000}
    await replay_and_keep(await handle.fetch_history(), "allocation/applied")


async def test_an_operator_accepts_from_the_temporal_ui(nights: Nights) -> None:
    team = await nights.team()
    handle = await nights.begun(team)
    await nights.shown(handle, "expires at")
    row = await nights.of(team)
    for given, code in (
        (AcceptSignal(accept="alo_other", operator="kim"), "allocation.signal_for_another"),
        (AcceptSignal(accept=row.id), "allocation.operator_unnamed"),
    ):
        answer = await handle.execute_update("accept", given)
        assert answer["declined"]["code"] == code
    await nights.shown(handle, "the last command was refused")
    assert (await handle.execute_update("accept", AcceptSignal(accept=row.id, operator="kim")))["declined"] is None
    assert await handle.result() == {"outcome": "applied"}
    assert (await nights.of(team)).applied_by == "temporal-ui:kim"
    await replay_and_keep(await handle.fetch_history(), "allocation/accepted")


async def test_unsealed_commands_are_declined_where_they_must_be_sealed(
    idle_server: WorkflowEnvironment, database_urls: Any
) -> None:
    async with nights_on(idle_server, database_urls, sealed_signals=True) as nights:
        team = await nights.team()
        handle = await nights.begun(team)
        await nights.shown(handle, "expires at")
        row = await nights.of(team)
        answer = await handle.execute_update("accept", AcceptSignal(accept=row.id, operator="kim"))
        assert answer["declined"]["code"] == "allocation.signal_not_sealed"
        assert (await nights.of(team)).status == "proposed"
        await handle.terminate("the test is over")


async def test_automatic_run_needs_no_acceptance(nights: Nights) -> None:
    team = await nights.team(AllocationMode.AUTO)
    handle = await nights.begun(team)
    assert await handle.result() == {"outcome": "applied"}
    await replay_and_keep(await handle.fetch_history(), "allocation/auto")


async def test_due_run_is_retried(nights: Nights) -> None:
    team = await nights.team()
    night = (await team.setting()).next_night + DAY
    run = allocation_run(AllocationInput(project_id=team.project_id, night=night), team.org_id)
    for _ in range(2):
        assert await reach.start_missing(nights.client, run)
        done = await nights.client.get_workflow_handle(run.workflow_id).result()
        assert done == {"outcome": f"none: the day {night} is not now"}


async def test_sweep_starts_each_run_once_and_pays_trials(nights: Nights) -> None:
    now = datetime.now(UTC)
    team, other = await nights.team(AllocationMode.AUTO), await Team.of(nights.database, "cy")
    wanted = TrialRequest(currency="USD", amount_minor=500, stages=(TrialStage(due_at=now, share_bps=10_000),))
    async with nights.database.platform() as session:
        agent = await agents.get(session, other.agents["cy"])
        begun = await trial.create(session, other.owner, agent, wanted, command_id=new_id("cmd"), now=now)
    run = await nights.run_of(team)
    # The pages of the tests that share this database come before.
    start = AllocationSweep(now=now, limit=1, after=team.project_id[:-1])
    sweep = await nights.client.start_workflow("allocation-sweep", start, id=new_id("run"), task_queue="bursar")
    done = await sweep.result()
    assert min(done["started"], done["paid"]) >= 1
    assert await nights.client.get_workflow_handle(run.workflow_id).result() == {"outcome": "applied"}
    async with nights.database.platform() as session:
        assert (await trial.pay(session, begun.id, matures=MATURES, now=now)).status == "finished"
    assert (await nights.of(team)).status == "applied"
    again_ = await nights.client.execute_workflow("allocation-sweep", start, id=new_id("run"), task_queue="bursar")
    assert again_["started"] == 0
    await replay_and_keep(await sweep.fetch_history(), "allocation-sweep/completed")
