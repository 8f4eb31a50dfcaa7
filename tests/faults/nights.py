"""One run of a night of scores: started twice for one date, while the worker is killed between its pages.

In the end every agent has had the night once, as the rules have it, with one row of history.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from temporalio.client import Client

from contracts.common.queues import TASK_QUEUE
from contracts.reputation.reputation import ReputationNight, ReputationNightResult
from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from domain.reputation.evidence import ONE_E6, Beta, Dimension, Evidence, Priors, catch_up
from domain.reputation.score import HALF_E6, rank_e6, stars
from runtime.settings import Settings
from runtime.temporal import connect
from tests.faults.audit import Findings, books

Say = Callable[[str], None]

#: How many agents a page takes: many pages, so that the worker dies between them.
PAGE = 50
#: How long the run may take once the worker is back for good.
END_SECONDS = 300.0
HALF = Priors(HALF_E6, HALF_E6)


@dataclass(frozen=True)
class NightSetup:
    """Setup of a run; the same setup draws the same agents and the same moments."""

    seed: int
    agents: int = 10_000
    kills: int = 4


def described(setup: NightSetup) -> str:
    """Say what a run does."""
    return (
        f"a night of {setup.agents} scores that is started twice; the worker killed {setup.kills} times between pages"
    )


async def run_nights(setup: NightSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; the date's night must not have been taken on the stack."""
    findings, rng = Findings(), random.Random(f"{setup.seed} night")
    day = datetime.now(UTC).date()
    client = await connect(Settings(temporal_address=stack.temporal.address, temporal_namespace=NAMESPACE))
    schedule = client.get_schedule_handle("reputation-decay")
    await schedule.pause()
    try:
        async with books(stack) as connection:
            rows = await _agents(connection, rng, setup.agents, day - timedelta(days=3))
            fell = await _strike(setup, say, stack, client, connection, rng, day)
            between = [f"a kill fell with {taken} agents taken" for taken in fell if not 0 < taken < setup.agents]
            findings.check(f"{len(fell)} kills of the worker between pages, with {fell} agents taken", between)
            await _count(findings, connection, rows, day)
    finally:
        await schedule.unpause()
    return findings


async def _agents(connection: Any, rng: random.Random, number: int, since: date) -> dict[str, Evidence]:
    """Create agents whose evidence is three days old, and return their rows, equal in each dimension."""
    rows = {}
    for place in range(number):
        good, bad = rng.randrange(1, 40 * ONE_E6), rng.randrange(0, 9 * ONE_E6)
        rows[f"agt_night{place:06}"] = Evidence(Beta(good, bad, since), bad, good, HALF_E6, since)
    await connection.execute(
        "INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_nights', 'N', 'faults', 'nights')"
    )
    ids = list(rows)
    await connection.execute(
        "INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)"
        " SELECT a, 'org_nights', 'Agent', 'public', 'free', 'faults', a FROM unnest($1::text[]) a",
        ids,
    )
    await connection.execute(
        "INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6)"
        " SELECT a, $2, '{}', 0, 0 FROM unnest($1::text[]) a",
        ids,
        since,
    )
    await connection.execute(
        "INSERT INTO reputation_scores (agent_id, dimension, good_e6, bad_e6, since, held_e6, earned_e6, prior_e6,"
        " through, stars_e6, rank_e6)"
        " SELECT a, d, good, bad, $4, bad, good, $5, $4, 0, 0"
        " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS t (a, good, bad), unnest($6::text[]) d",
        ids,
        [row.beta.good_e6 for row in rows.values()],
        [row.beta.bad_e6 for row in rows.values()],
        since,
        HALF_E6,
        [dimension.value for dimension in Dimension],
    )
    return rows


async def _strike(
    setup: NightSetup, say: Say, stack: Stack, client: Client, connection: Any, rng: random.Random, day: date
) -> list[int]:
    """Start the night twice, and kill the worker whenever some more pages of it are taken."""
    taken = "SELECT count(*) FROM reputation_agents WHERE night_on = $1 AND agent_id LIKE 'agt_night%'"
    handles = [
        await client.start_workflow(
            "reputation-decay",
            ReputationNight(day=day, limit=PAGE),
            id=f"faults-night-{setup.seed}-{number}",
            task_queue=TASK_QUEUE,
            result_type=ReputationNightResult,
        )
        for number in range(2)
    ]
    fell: list[int] = []
    share = setup.agents // (setup.kills + 1)
    for number in range(setup.kills):
        wanted = share * number + rng.randrange(PAGE, max(PAGE + 1, share // 2))
        deadline = time.monotonic() + END_SECONDS
        while (now := await connection.fetchval(taken, day)) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{now} of {wanted} agents had their night")
            await asyncio.sleep(0.002)
        await stack.kill("worker")
        fell.append(await connection.fetchval(taken, day))
        await stack.wait_ready("worker")
        say(f"  kill {number + 1}/{setup.kills}  worker, with {fell[-1]} agents taken")
    async with asyncio.timeout(END_SECONDS):
        await asyncio.gather(*(handle.result() for handle in handles))
    return fell


async def _count(findings: Findings, connection: Any, rows: dict[str, Evidence], day: date) -> None:
    scores = await connection.fetch(
        "SELECT agent_id, through, good_e6, stars_e6, rank_e6 FROM reputation_scores WHERE agent_id LIKE 'agt_night%'"
    )
    expected = {agent_id: catch_up(row, day, HALF) for agent_id, row in rows.items()}
    wrong = [
        f"{row['agent_id']} is {tuple(row)[1:]}"
        for row in scores
        for due in (expected[row["agent_id"]],)
        if tuple(row)[1:] != (day, due.beta.good_e6, stars(due).mean_e6, rank_e6(due))
    ]
    if len(scores) != len(rows) * len(Dimension):
        wrong.append(f"{len(scores)} rows of {len(rows)} agents")
    findings.check(f"{len(scores)} scores as one night of the rules leaves them", wrong)
    history = await connection.fetch(
        "SELECT agent_id, count(*) AS nights, min(day) AS first, max(day) AS last FROM reputation_history"
        " WHERE agent_id LIKE 'agt_night%' GROUP BY agent_id"
    )
    findings.check(
        f"{len(history)} agents with one row of history of the date each",
        [f"{row['agent_id']}: {tuple(row)[1:]}" for row in history if tuple(row)[1:] != (1, day, day)]
        + [f"{len(history)} of {len(rows)} agents have history"] * (len(history) != len(rows)),
    )
    alerts = await connection.fetch(
        "SELECT subject FROM alerts WHERE kind = 'reputation_anomaly' AND subject LIKE 'agt_night%'"
        " GROUP BY subject HAVING count(*) > 1"
    )
    findings.check("no sudden change was flagged twice", [row["subject"] for row in alerts])
    priors = await connection.fetchval("SELECT count(*) FROM reputation_priors WHERE day = $1", day + timedelta(days=1))
    findings.check(
        "the priors of the next day were closed once", [] if priors == len(Dimension) else [f"{priors} rows"]
    )
