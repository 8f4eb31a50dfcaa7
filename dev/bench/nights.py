"""The night of every score against one bare UPDATE of as many rows and columns with the insert of as much history.

`python -m dev.bench.nights` measures this row alone, on a PostgreSQL of its own with fsync on; 100,000 agents, or a
million with `BURSAR_BENCH_FULL=1`. The places among peers are counted in its time.
"""

import asyncio
import os
import resource
import time
from datetime import date, timedelta

import asyncpg

from dev.bench.books import Server, alone
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from dev.stack.migrate import migrate
from repositories.reputation import reputation_nights

AGENTS = 1_000_000 if os.environ.get("BURSAR_BENCH_FULL") else 100_000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
DATABASE = "bursar_bench_nights"
PAGE = 2_000
FIRST = date(2026, 1, 1)

# Triggers and foreign keys are left out: they would look up each of six million rows.
FILL = """
SET session_replication_role = replica;
INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_bench', 'Bench', 'bench', 'bench');
INSERT INTO agents (id, org_id, name, visibility, category, pricing_model, created_by, command_id)
SELECT 'agt_' || lpad(n::text, 26, '0'), 'org_bench', 'Agent', CASE WHEN n % 5 = 0 THEN 'private' ELSE 'public' END,
    CASE WHEN n % 2 = 0 THEN 'coding' END, 'free', 'bench', n::text
FROM generate_series(1, {n}) n;
INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6, evidence_count, latest_on,
    night_on, night_stars_e6, night_low_e6, night_high_e6, board, category)
SELECT id, '{first}'::date - 30, array_fill(0::bigint, ARRAY[116]), 500000, (random() * 1e6)::bigint,
    (random() * 150)::bigint, '{first}'::date - 1 - (random() * 100)::int, '{first}'::date - 1, 500000, 400000, 600000,
    CASE visibility WHEN 'public' THEN 'public' ELSE org_id END, category
FROM agents WHERE org_id = 'org_bench';
INSERT INTO reputation_scores (agent_id, dimension, good_e6, bad_e6, since, held_e6, earned_e6, prior_e6, through,
    stars_e6, rank_e6, evidence_count, latest_on, board, category)
SELECT agent_id, d, (random() * 50e6)::bigint, (random() * 5e6)::bigint, '{first}'::date - 1 - (random() * 30)::int,
    5000000, 50000000, 500000, '{first}'::date - 1, 500000, rank_e6, evidence_count, latest_on, board, category
FROM reputation_agents, unnest(ARRAY['task_success', 'response_time', 'reliability', 'collaboration', 'quality']) d;
UPDATE reputation_agents SET evidence_e6 = evidence_count * 1000000;
UPDATE reputation_scores SET evidence_e6 = evidence_count * 1000000;
SELECT open_reputation_months('{first}'::date - 31, '{first}'::date + 60);
INSERT INTO reputation_history
SELECT '{first}'::date - 30, agent_id, 500000, 400000, 600000, rank_e6, 0, evidence_count, false,
    array_fill(500000, ARRAY[5]) FROM reputation_agents;
RESET session_replication_role;
"""
# As many rows and columns, and the indices that they are in, without anything to work out.
SCORES = """
UPDATE reputation_scores SET through = $1, prior_e6 = prior_e6 - 1, stars_e6 = stars_e6 - 1, rank_e6 = rank_e6 - 1
"""
AGENT_ROWS = """
UPDATE reputation_agents SET stars_e6 = stars_e6 - 1, rank_e6 = rank_e6 - 1, night_on = $1, night_stars_e6 = stars_e6,
    night_low_e6 = rank_e6, night_high_e6 = stars_e6
"""
HISTORY = """
INSERT INTO reputation_history
SELECT $1, agent_id, 1, 1, 1, 1, 1, 1, false, ARRAY[1, 1, 1, 1, 1] FROM reputation_agents
"""


async def _filled(server: Server) -> None:
    owner = await asyncpg.connect(server.url("postgres", "postgres"))
    await owner.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await owner.execute(f"CREATE DATABASE {DATABASE}")
    await owner.close()
    await asyncio.to_thread(migrate, server.url("postgres", DATABASE))
    owner = await asyncpg.connect(server.url("postgres", DATABASE))
    await fill(owner, FIRST)
    await owner.close()


async def fill(owner: asyncpg.Connection, first: date) -> None:
    """Make agents with evidence, as of the night before a date."""
    await owner.execute(FILL.format(n=AGENTS, first=first), timeout=3_600)


async def _clean(server: Server) -> None:
    owner = await asyncpg.connect(server.url("postgres", DATABASE))
    await owner.execute("VACUUM ANALYZE reputation_scores")
    await owner.execute("VACUUM ANALYZE reputation_agents")
    await owner.execute("CHECKPOINT")
    await owner.close()


def _memory() -> float:
    """Return what this process has of the machine's memory, in MB."""
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * resource.getpagesize() / 1e6


async def _night(server: Server, day: date, memory: list[tuple[float, float]]) -> float:
    """Take a night in pages, a transaction each, count the peers, and return agents per second.

    What the process that takes it has of memory after the first page and after the last is added to `memory`.
    """
    await _clean(server)
    connection = await asyncpg.connect(server.url("bursar_platform", DATABASE))
    began, after, taken, first = time.monotonic(), "", 0, 0.0
    while True:
        async with connection.transaction():
            page = await reputation_nights.decay_agents(connection, day, after=after, limit=PAGE)
        taken, after, first = taken + page.agents, page.last, first or _memory()
        if page.agents < PAGE:
            break
    async with connection.transaction():
        await reputation_nights.count_peers(connection, day)
    memory.append((first, _memory()))
    rate = taken / (time.monotonic() - began)
    assert taken == AGENTS, taken
    await connection.close()
    return rate


async def _bare(server: Server, day: date) -> float:
    """Update and insert as much in one transaction, and return agents per second."""
    await _clean(server)
    connection = await asyncpg.connect(server.url("bursar_platform", DATABASE))
    began = time.monotonic()
    async with connection.transaction():
        for statement in (SCORES, AGENT_ROWS, HISTORY):
            await connection.execute(statement, day)
    rate = AGENTS / (time.monotonic() - began)
    await connection.close()
    return rate


async def measure(server: Server) -> list[BenchRow]:
    """Measure nights and bare updates in turn, each on a date of its own."""
    await _filled(server)
    days = iter(FIRST + timedelta(days=number) for number in range(2 * ROUNDS + 2))
    memory: list[tuple[float, float]] = []
    if AGENTS < 1_000_000:
        await _night(server, next(days), memory)
    ours, bare = await alternate(lambda: _night(server, next(days), memory), lambda: _bare(server, next(days)), ROUNDS)
    return [
        BenchRow(
            name=f"night of {AGENTS:,} agents, pages of {PAGE:,}",
            value=ours,
            unit="agents/s",
            against="one bare UPDATE and INSERT of as many rows",
            baseline=bare,
            target=0.4,
        ),
        BenchRow(
            name="memory of its process after the last page",
            value=memory[-1][1],
            unit="MB",
            against="after the first page",
            baseline=memory[-1][0],
            target=1.1,
            at_most=True,
        ),
    ]


async def run(world: World) -> list[BenchRow]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


if __name__ == "__main__":
    asyncio.run(alone(measure))
