"""The night of every score against one bare UPDATE of as many rows and columns with the insert of as much history.

`python -m dev.bench.nights` measures this row alone, on a PostgreSQL of its own with fsync on; 100,000 agents, or a
million with `BURSAR_BENCH_FULL=1`.
"""

import asyncio
import os
import time
from datetime import date, timedelta

import asyncpg

from dev.bench.books import Server, alone
from dev.bench.rows import Row, alternate
from dev.bench.world import World
from dev.stack.migrate import migrate
from repositories import reputation_nights

AGENTS = 1_000_000 if os.environ.get("BURSAR_BENCH_FULL") else 100_000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
DATABASE = "bursar_bench_nights"
PAGE = 2_000
FIRST = date(2026, 1, 1)

FILL = """
INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_bench', 'Bench', 'bench', 'bench');
INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)
SELECT 'agt_' || lpad(n::text, 8, '0'), 'org_bench', 'Agent', 'public', 'free', 'bench', n::text
FROM generate_series(1, {n}) n;
INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6)
SELECT id, '2025-12-01', '{{}}', 500000, 200000 FROM agents;
INSERT INTO reputation_scores (agent_id, dimension, good_e6, bad_e6, since, held_e6, earned_e6, prior_e6, through,
    stars_e6, rank_e6)
SELECT id, d, (random() * 50e6)::bigint, (random() * 5e6)::bigint, DATE '2025-12-01' + (random() * 30)::int, 5000000,
    50000000, 500000, '2025-12-31', 500000, 200000
FROM agents, unnest(ARRAY['task_success', 'response_time', 'reliability', 'collaboration', 'quality']) d;
SELECT open_reputation_months('2025-12-01', '2026-12-01');
"""
# As many rows and columns, and the indices that they are in, without anything to work out.
SCORES = """
UPDATE reputation_scores SET through = $1, prior_e6 = prior_e6 - 1, stars_e6 = stars_e6 - 1, rank_e6 = rank_e6 - 1
"""
AGENT_ROWS = """
UPDATE reputation_agents SET stars_e6 = stars_e6 - 1, rank_e6 = rank_e6 - 1, night_on = $1, night_stars_e6 = stars_e6,
    night_low_e6 = rank_e6, night_high_e6 = stars_e6
"""
HISTORY = "INSERT INTO reputation_history SELECT $1, agent_id, 1, 1, 1, 1, 1, 1, false FROM reputation_agents"


async def _filled(server: Server) -> None:
    owner = await asyncpg.connect(server.url("postgres", "postgres"))
    await owner.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await owner.execute(f"CREATE DATABASE {DATABASE}")
    await owner.close()
    await asyncio.to_thread(migrate, server.url("postgres", DATABASE))
    owner = await asyncpg.connect(server.url("postgres", DATABASE))
    await owner.execute(FILL.format(n=AGENTS))
    await owner.close()


async def _clean(server: Server) -> None:
    owner = await asyncpg.connect(server.url("postgres", DATABASE))
    await owner.execute("VACUUM ANALYZE reputation_scores")
    await owner.execute("VACUUM ANALYZE reputation_agents")
    await owner.execute("CHECKPOINT")
    await owner.close()


async def _night(server: Server, day: date) -> float:
    """Take a night in pages, a transaction each, and return agents per second."""
    await _clean(server)
    connection = await asyncpg.connect(server.url("bursar_platform", DATABASE))
    began, after, taken = time.monotonic(), "", 0
    while True:
        async with connection.transaction():
            page = await reputation_nights.take(connection, day, after=after, limit=PAGE)
        taken, after = taken + page.agents, page.last
        if page.agents < PAGE:
            break
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


async def measure(server: Server) -> list[Row]:
    """Measure nights and bare updates in turn, each on a date of its own."""
    await _filled(server)
    days = iter(FIRST + timedelta(days=number) for number in range(2 * ROUNDS + 2))
    await _night(server, next(days))
    ours, bare = await alternate(lambda: _night(server, next(days)), lambda: _bare(server, next(days)), ROUNDS)
    return [
        Row(
            name=f"night of {AGENTS:,} agents, pages of {PAGE:,}",
            value=ours,
            unit="agents/s",
            against="one bare UPDATE and INSERT of as many rows",
            baseline=bare,
            target=0.4,
        )
    ]


async def run(world: World) -> list[Row]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


if __name__ == "__main__":
    asyncio.run(alone(measure))
