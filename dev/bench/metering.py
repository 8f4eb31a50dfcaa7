"""Usage events: how fast one connection records them, and how long a summary of a million of them takes.

`python -m dev.bench.metering` measures these rows alone, on a PostgreSQL of its own with fsync on.
"""

import asyncio
import itertools
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from dev.bench.books import BOOKS, CLIENTS, SECONDS, Server, alone
from dev.bench.rows import Row
from dev.bench.spending import ORGANIZATIONS, ROUNDS, USE, prepare
from dev.bench.world import World
from domain.usage.meter import ALL
from repositories import usage
from runtime.database import Database

ORG = "org_bench"
EVENTS = 1_000_000
BATCH = 1_000
#: How many values each dimension has.
MODELS, AGENTS, DEPARTMENTS, PROJECTS, ACTIONS = 50, 200, 20, 10, 20
DAYS = 30
NOW = datetime(2026, 3, 31, tzinfo=UTC)
NUMBERS = itertools.count()


def events(count: int) -> list[dict[str, object]]:
    """Make events of a month, spread over the values of every dimension."""
    chance = random.Random(next(NUMBERS))
    return [
        {
            "content": chance.getrandbits(62),
            "refused": False,
            "digest": UUID(int=chance.getrandbits(128)),
            "occurred_at": NOW - timedelta(seconds=chance.randrange(DAYS * 86_400)),
            "received_at": NOW,
            "source": "bench",
            "event_id": str(chance.getrandbits(128)),
            "type": "llm.call",
            "action": f"action-{chance.randrange(ACTIONS)}",
            "agent_id": f"agt_{chance.randrange(AGENTS):026}",
            "department_id": f"dep_{chance.randrange(DEPARTMENTS):026}",
            "project_id": f"prj_{chance.randrange(PROJECTS):026}",
            "run_id": f"run-{chance.randrange(10_000)}",
            "model": f"model-{chance.randrange(MODELS)}",
            "sent_by": "bench",
            "data": {"prompt": "x" * 40},
            "usage": {"input_tokens": chance.randrange(9_000), "output_tokens": chance.randrange(900), "requests": 1},
            "currency": "USD",
            "cost_pico": chance.randrange(10**11),
            "creator_pico": 0,
            "platform_pico": 0,
            "rated_by": "model",
            "price_ref": "bench",
            "meters": [],
        }
        for _ in range(count)
    ]


async def ingestion(connection: asyncpg.Connection) -> float:
    """Record batches for some seconds over one connection, each in its own transaction; return events a second."""
    made, began = 0, time.monotonic()
    spent = 0.0
    while time.monotonic() - began < SECONDS:
        batch = events(BATCH)
        start = time.monotonic()
        async with connection.transaction():
            await usage.record(connection, ORG, batch)
        spent += time.monotonic() - start
        made += len(batch)
    return made / spent


async def summary(database: Database, dimension: str, *, by_day: bool) -> float:
    """Return how long a summary takes, in milliseconds: the median of some."""
    taken = []
    for _ in range(15):
        start = time.monotonic()
        async with database.tenant(ORG) as session:
            found = await usage.totals(
                session,
                ORG,
                (NOW - timedelta(days=DAYS)).date(),
                NOW.date() + timedelta(days=1),
                dimension=dimension,
                value=None,
                by_day=by_day,
            )
        taken.append(1000 * (time.monotonic() - start))
        assert found
    return statistics.median(taken)


#: A million events as `usage.record` writes them, and what they add up to, in SQL: what is measured is reading them.
FILL = f"""
    INSERT INTO usage_events (org_id, id, {usage.NAMES})
    SELECT $1, uuidv7(), $2::timestamptz - random() * $3 * interval '1 day', uuidv4(), $2, 'bench', n::text, 'llm.call',
        NULL, 'action-' || n % {ACTIONS}, 'agt_' || lpad((n / 7 % {AGENTS})::text, 26, '0'),
        'dep_' || lpad((n / 3 % {DEPARTMENTS})::text, 26, '0'), 'prj_' || lpad((n / 5 % {PROJECTS})::text, 26, '0'),
        'run-' || n / 11 % 10000, NULL, NULL, NULL, 'model-' || n / 13 % {MODELS}, NULL, 'bench', NULL,
        jsonb_build_object('prompt', repeat('x', 40)),
        jsonb_build_object('input_tokens', n % 9000, 'output_tokens', n % 900, 'requests', 1),
        'USD', n * 7919 % 100000000000, 0, 0, 'model', 'bench', NULL, '{{}}'
    FROM generate_series(1, $4::bigint) n
"""
DIGESTS = "INSERT INTO usage_digests SELECT digest, 0 FROM usage_events"
ADD_UP = f"INSERT INTO usage_days {usage.DAYS_OF_EVENTS}"


async def fill(server: Server) -> int:
    """Write a million events of a month and their days; return how many rows of days there are."""
    owner = await asyncpg.connect(server.url("postgres", BOOKS))
    await owner.execute("SELECT open_usage_months($1, $2)", NOW - timedelta(days=DAYS), NOW)
    await owner.execute(FILL, ORG, NOW, DAYS, EVENTS)
    await owner.execute(DIGESTS)
    await owner.execute(ADD_UP)
    await owner.execute("VACUUM ANALYZE usage_events, usage_digests, usage_days")
    await owner.execute("CHECKPOINT")
    kept: int = await owner.fetchval("SELECT count(*) FROM usage_days")
    await owner.close()
    return kept


async def measure(server: Server) -> list[Row]:
    """Fill with a million events, measure recording beside single charges, and summarise."""
    await prepare(server)
    kept = await fill(server)
    connection = await asyncpg.connect(server.url("bursar_platform", BOOKS))
    await ingestion(connection)
    single = USE.format(n=ORGANIZATIONS)
    pairs = []
    for number in range(ROUNDS):
        if number % 2:
            charged = await server.pgbench(BOOKS, CLIENTS, single)
            pairs.append((await ingestion(connection), charged))
        else:
            recorded = await ingestion(connection)
            pairs.append((recorded, await server.pgbench(BOOKS, CLIENTS, single)))
    await connection.close()
    baseline = statistics.median(charged for _, charged in pairs)
    database = Database(server.url("bursar_api", BOOKS), server.url("bursar_platform", BOOKS))
    slowest = 0.0
    for dimension, by_day in ((ALL, True), *((name, False) for name in usage.DIMENSIONS)):
        slowest = max(slowest, await summary(database, dimension, by_day=by_day))
    await database.close()
    return [
        Row(
            name=f"usage events recorded over one connection, {BATCH:,} a request",
            value=baseline * statistics.median(recorded / charged for recorded, charged in pairs),
            unit="events/s",
            against=f"single charges, {CLIENTS} clients",
            baseline=baseline,
            target=3,
        ),
        Row(
            name=f"summary over {EVENTS:,} events of one organization, the slowest dimension ({kept:,} rows kept)",
            value=slowest,
            unit="ms",
            target=100,
            at_most=True,
        ),
    ]


async def run(world: World) -> list[Row]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


if __name__ == "__main__":
    asyncio.run(alone(measure))
