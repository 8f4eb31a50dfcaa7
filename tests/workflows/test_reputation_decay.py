"""The schedule that takes the night of every score, on the real workflow."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.reputation.reputation import ReputationActivities
from contracts.reputation.reputation import ReputationNight, ReputationNightResult
from domain.reputation.evidence import ONE_E6, Beta, Dimension, Evidence, Priors, catch_up
from domain.reputation.score import HALF_E6, overall, points, rank_e6, stars
from runtime.database import Database, plain_url
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from runtime.settings import Settings
from tests.support.histories import replay_and_keep
from tests.support.looking import pass_to_the_end
from tests.workflows.conftest import with_plugin
from workflows.reputation.reputation_decay import ReputationDecayWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

HALF = Priors(HALF_E6, HALF_E6)
ONE = timedelta(days=1)
AGENTS = ("agt_bad", "agt_good", "agt_mixed")
SEEN = {"agt_bad": (0, 5 * ONE_E6), "agt_good": (40 * ONE_E6, 0), "agt_mixed": (3 * ONE_E6, 2 * ONE_E6)}


@workflow.defn(name="calendar", sandboxed=False)
class Calendar:
    """Has nights from one day on, each at noon: the real workflow, on a clock that skips ahead."""

    @workflow.run
    async def run(self, first: date, nights: int) -> list[date]:
        taken = []
        for night in range(nights):
            noon = datetime.combine(first + night * ONE, time(12), UTC)
            await workflow.sleep(noon - workflow.now())
            result = await ReputationDecayWorkflow().run()
            assert result.day is not None
            taken.append(result.day)
        return taken


@dataclass
class Nights:
    client: Client
    database: Database
    queue: str
    first: date

    async def start(self, *arguments: Any) -> WorkflowHandle[Any, ReputationNightResult]:
        return await self.client.start_workflow(
            ReputationDecayWorkflow.run, args=arguments, id=new_id("night"), task_queue=self.queue
        )

    def row(self, agent_id: str, day: date) -> Evidence:
        """Return a row on a day by the pure rules, in each dimension alike."""
        good, bad = SEEN[agent_id]
        return catch_up(Evidence(Beta(good, bad, self.first), bad, good, HALF_E6, self.first), day, HALF)

    async def equal_the_rules(self, day: date) -> None:
        async with self.database.platform() as session:
            rows = (
                await session.execute(text("SELECT agent_id, through, stars_e6, rank_e6 FROM reputation_scores"))
            ).all()
        assert len(rows) == len(AGENTS) * len(Dimension)
        for agent_id, through, mean, rank in rows:
            expected = self.row(agent_id, day)
            assert (through, mean, rank) == (day, stars(expected).mean_e6, rank_e6(expected))


@pytest.fixture
async def nights(
    database: Database, fresh_database_urls: Any, idle_server: WorkflowEnvironment
) -> AsyncIterator[Nights]:
    queue = new_id("queue")
    first = datetime.now(UTC).date() - 3 * ONE
    owner = await asyncpg.connect(plain_url(fresh_database_urls.owner))
    await owner.execute("INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_a', 'A', 'x', 'a')")
    for agent_id, (good, bad) in SEEN.items():
        await owner.execute(
            "INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)"
            " VALUES ($1, 'org_a', 'Agent', 'public', 'free', 'test', $1)",
            agent_id,
        )
        await owner.execute(
            "INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6)"
            " VALUES ($1, $2, '{}', 0, 0)",
            agent_id,
            first,
        )
        for dimension in Dimension:
            await owner.execute(
                "INSERT INTO reputation_scores (agent_id, dimension, good_e6, bad_e6, since, held_e6, earned_e6,"
                " prior_e6, through, stars_e6, rank_e6) VALUES ($1, $2, $3, $4, $5, $4, $3, 500000, $5, 0, 0)",
                agent_id,
                dimension.value,
                good,
                bad,
                first,
            )
    await owner.close()
    client = with_plugin(idle_server.client)
    work = ReputationActivities(database)
    async with Worker(
        client,
        task_queue=queue,
        workflows=[ReputationDecayWorkflow, Calendar],
        activities=[work.plan, work.change_rate, work.take, work.conclude],
    ):
        yield Nights(client, database, queue, first)


async def test_a_night_is_taken_once_and_reads_without_the_code(nights: Nights) -> None:
    latest = (datetime.now(UTC) - timedelta(minutes=10)).date()
    handle = await nights.start()
    result = await handle.result()
    today = result.day
    assert today is not None
    assert today >= latest
    await replay_and_keep(await handle.fetch_history(), "reputation-decay/completed")
    assert (result.agents, result.changed, result.sudden) == (3, 3, 2)
    good = overall({each: stars(nights.row("agt_good", today)) for each in Dimension}).mean_e6
    moves = {move.agent_id: move for move in result.moves}
    assert (moves["agt_good"].stars_e6, moves["agt_good"].moved_e6) == (good, good - HALF_E6)
    shown = str(await handle.query("__temporal_workflow_metadata"))
    for words in (
        f"Night of {today}",
        "by this run 3, in 1 page",
        "scores that changed: 3",
        "sudden changes**: 2",
        "priors of the next day: closed",
        f"`agt_good` +{points(good - HALF_E6)}, now {points(good)}",
    ):
        assert words in shown
    assert "1 pages" not in shown
    again = await (await nights.start(ReputationNight(day=today))).result()
    assert (again.changed, again.moves, again.closed_priors) == (3, result.moves, False)
    await nights.equal_the_rules(today)


async def test_two_runs_for_one_date_at_once_take_its_night_once(nights: Nights) -> None:
    today = nights.first + 2 * ONE
    # Pages of one agent, so that each run is between pages while the other processes one.
    asked = ReputationNight(day=today, limit=1)
    handles = [await nights.start(asked) for _ in range(2)]
    first, second = await asyncio.gather(*(handle.result() for handle in handles))
    assert (
        (first.changed, first.sudden, first.moves)
        == (second.changed, second.sudden, second.moves)
        == (
            3,
            2,
            first.moves,
        )
    )
    assert sorted([first.closed_priors, second.closed_priors]) == [False, True]
    times = [await handle.describe() for handle in handles]
    assert all(other.close_time and one.start_time < other.close_time for one in times for other in times)
    await nights.equal_the_rules(today)
    async with nights.database.platform() as session:
        counted = text(
            "SELECT (SELECT count(*) FROM reputation_history),"
            " (SELECT count(DISTINCT agent_id) FROM reputation_history),"
            " (SELECT count(*) FROM alerts WHERE kind = 'reputation_anomaly')"
        )
        assert tuple((await session.execute(counted)).one()) == (3, 3, 2)


async def test_a_year_of_nights_equals_that_of_the_rules(nights: Nights, idle_server: WorkflowEnvironment) -> None:
    taken, begins = list[date](), datetime.now(UTC).date() + ONE
    # Every night of a year, in histories of a fifth, and one that takes the fourteen that were missed before it.
    for first, count in (*((fifth, 73) for fifth in range(0, 365, 73)), (379, 1)):
        handle = await nights.client.start_workflow(
            Calendar.run, args=[begins + first * ONE, count], id=new_id("calendar"), task_queue=nights.queue
        )
        taken += await pass_to_the_end(idle_server, handle)
    assert taken == [begins + day * ONE for day in (*range(365), 379)]
    await nights.equal_the_rules(taken[-1])
    async with nights.database.platform() as session:
        history = (
            await session.execute(text("SELECT day, agent_id, stars_e6 FROM reputation_history ORDER BY 1, 2"))
        ).all()
    expected = []
    for agent_id in AGENTS:
        last: tuple[int, int] | None = None
        for day in taken:
            row = nights.row(agent_id, day)
            if last != (last := (stars(row).mean_e6, rank_e6(row))):
                expected.append((day, agent_id, last[0]))
    assert [tuple(each) for each in history] == sorted(expected)


async def test_nothing_is_taken_where_nights_are_switched_off(nights: Nights) -> None:
    off = ReputationActivities(nights.database, enabled=False)
    queue = new_id("queue")
    async with Worker(nights.client, task_queue=queue, workflows=[ReputationDecayWorkflow], activities=[off.plan]):
        handle = await nights.client.start_workflow(ReputationDecayWorkflow.run, id=new_id("night"), task_queue=queue)
        result = await handle.result()
        assert result == ReputationNightResult(skipped="BURSAR_NIGHTLY_REPUTATION_UPDATE_ENABLED is false")
        assert "No night was taken" in str(await handle.query("__temporal_workflow_metadata"))


def test_missed_nights_are_processed_and_a_rate_out_of_bounds_is_refused() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "reputation-decay"]
    assert job.catch_up_within >= timedelta(hours=12)
    assert Settings().reputation_rate_e4 == 9_500
    for wrong in ("0.4", "1", "0.99999", "fast"):
        with pytest.raises(ValueError, match="BURSAR_REPUTATION_DECAY_RATE"):
            Settings(reputation_decay_rate=wrong)
