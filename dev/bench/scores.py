"""Scores and leaderboards over HTTP compared with a bare endpoint, and events with a bare insert.

100,000 agents, or a million with `BURSAR_BENCH_FULL=1`.
"""

import os
import statistics
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg

from dev.bench.books import Server
from dev.bench.http import bare_server, measure
from dev.bench.nights import AGENTS, fill
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from repositories.reputation.reputation_nights import count_peers

CONNECTIONS = 16
CLIENTS = 1_000
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CLIENT_ROWS = f"""
INSERT INTO organizations (id, name, created_by, command_id)
SELECT 'org_bench' || n, 'Client', 'bench', 'bench' || n FROM generate_series(1, {CLIENTS}) n
"""
_EVENT = f"""
\\set k random(1, 9000000000000000000)
\\set n random(1, {AGENTS})
\\set c random(1, {CLIENTS})
"""
# The release of a contract of 50 credits that an unrelated client paid, as the end of an escrow sends it.
TAKE = (
    _EVENT
    + """
SELECT reputation_take(('{"agent_id": "agt_' || lpad((:n)::text, 26, '0') || '", "agent_org_id": "org_bench",
    "counterparty_org_id": "org_bench' || :c || '", "source": "escrow", "actor": "bench", "at": "{at}",
    "escrow_id": null, "value_minor": 5000, "commission_minor": 250, "typical_minor": 5000,
    "unit_commission_minor": 250, "weight_e6": null, "exempt": ["*"], "seasons_days": 120}')::jsonb,
    ('[{"id": "rev_' || :k || '", "kind": "released", "key": "' || :k || '", "subject": "bench",
    "says": [{"dimension": "task_success", "share_e4": 10000, "good_e4": 10000}], "note": null, "is_rated": true,
    "client_good_e4": 5000, "client_bad_e4": 0, "is_end": true, "is_success": true, "response_ms": null}]')::jsonb)
"""
)
INSERT = (
    _EVENT
    + """
INSERT INTO reputation_events (id, agent_id, agent_org_id, counterparty_org_id, counterparty, kind, source, key,
    subject, actor, weight_e6, rater_e6, says, client_good_e6, is_end, is_success, score_delta_e6, day, seasoned_on, at)
VALUES ('rev_' || :k, 'agt_' || lpad((:n)::text, 26, '0'), 'org_bench', 'org_bench' || :c, 'org_bench' || :c,
    'released', 'escrow', :k, 'bench', 'bench', 1000000, 211325,
    '[{"good_e6": 211325, "bad_e6": 0, "dimension": "task_success", "proven_e6": 500000, "is_proven": true,
    "newcomer_e6": 500000, "lesson_bad_e6": 0, "lesson_good_e6": 8000}]', 500000, true, true,
    100, '{at}', '{at}', '{at}')
"""
)


async def _over_http(world: World) -> list[BenchRow]:
    """Compare the p99 of each reading with that of the bare endpoint."""
    # Another public agent on each connection.
    agent = f"agt_{AGENTS // 2_000:023}{{n:02}}1"
    readings = {
        "score": f"score/{agent}",
        "leaderboard": "leaderboard",
        "leaderboard by dimension, category, period, evidence": (
            "leaderboard?dimension=quality&category=coding&period=30d&minimum_evidence=20"
        ),
        "place among peers": f"peers/{agent}",
        "history of 30 days": f"history/{agent}",
    }
    key = f"Authorization: Bearer {world.keys['client']}"
    rows = []
    async with bare_server(world) as port:
        for name, path in readings.items():
            slow: list[tuple[float, float]] = []

            async def ours(path: str = path) -> tuple[float, float]:
                return await measure(world.port, f"/api/v1/reputation/{path}", key)

            await ours()
            for _ in range(ROUNDS):
                slow.append(((await ours())[1], (await measure(port, "/row"))[1]))
            bare = statistics.median(theirs for _, theirs in slow)
            rows.append(
                BenchRow(
                    name=f"p99 of the {name}, {AGENTS:,} agents",
                    value=bare * statistics.median(it / theirs for it, theirs in slow),
                    unit="ms",
                    against="bare FastAPI + asyncpg, one row",
                    baseline=bare,
                    target=2.0,
                    at_most=True,
                )
            )
    return rows


async def run(world: World) -> list[BenchRow]:
    """Measure on the bench's own stack."""
    server, name = Server.of(world), urlsplit(world.database_url).path.lstrip("/")
    today = datetime.now(UTC).date()
    owner = await asyncpg.connect(server.url("postgres", name))
    await fill(owner, today)
    await owner.execute(CLIENT_ROWS)
    await owner.execute("VACUUM ANALYZE", timeout=3_600)
    await owner.execute("CHECKPOINT")
    async with owner.transaction():
        await count_peers(owner, today - timedelta(days=1))
    rows = await _over_http(world)
    take, insert = (script.replace("{at}", today.isoformat()) for script in (TAKE, INSERT))
    await server.pgbench(name, CONNECTIONS, take)
    ours, bare = await alternate(
        lambda: server.pgbench(name, CONNECTIONS, take), lambda: server.pgbench(name, CONNECTIONS, insert), ROUNDS
    )
    await owner.close()
    server.close()
    return [
        *rows,
        BenchRow(
            name=f"events with scores, {CONNECTIONS} connections, {AGENTS:,} agents",
            value=ours,
            unit="events/s",
            against="INSERT of the event alone",
            baseline=bare,
            target=0.4,
        ),
    ]
