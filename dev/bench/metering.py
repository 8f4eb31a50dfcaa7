"""Usage events: how fast one connection records them, and how long a summary of a million of them takes.

`python -m dev.bench.metering` measures these rows alone, on a PostgreSQL of its own with fsync on.
"""

import asyncio
import itertools
import statistics
import time
from datetime import UTC, datetime, timedelta

import asyncpg

from dev.bench.books import BOOKS, CLIENTS, SECONDS, Server, alone
from dev.bench.rows import BenchRow, alternate
from dev.bench.spending import ORGANIZATIONS, ROUNDS, USE, prepare
from dev.bench.world import World
from domain.common.access import Actor, Role
from domain.usage.meter import ALL
from domain.usage.prices import make_price
from repositories.usage import model_price, usage, usage_report
from repositories.usage.model_price import PriceBook
from runtime import collector
from runtime.database import Database
from services.usage.rating import Rates
from services.usage.usage import record
from services.usage.usage_validation import Delivery

ORG = "org_bench"
EVENTS = 1_000_000
BATCH = 1_000
#: How many values each dimension has.
MODELS, AGENTS, DEPARTMENTS, PROJECTS, ACTIONS = 50, 200, 20, 10, 20
DAYS = 30
NOW = datetime(2026, 3, 31, tzinfo=UTC)
NUMBERS = itertools.count()
ACTOR = Actor(principal="bench", role=Role.OPERATOR)


def documents(count: int) -> list[dict[str, object]]:
    """Make CloudEvents of the last minutes, as a producer sends them, spread over models, actions and runs."""
    now = datetime.now(UTC)
    return [
        {
            "specversion": "1.0",
            "id": f"{now.timestamp()}-{next(NUMBERS)}",
            "source": "bench",
            "type": "llm.call",
            "time": (now - timedelta(seconds=number % 300)).isoformat(),
            "data": {
                "run_id": f"run-{number % 100}",
                "action": f"action-{number % ACTIONS}",
                "model": f"model-{number % MODELS}",
                "usage": {"input_tokens": number, "output_tokens": 90, "requests": 1},
                "prompt": "x" * 40,
            },
        }
        for number in range(count)
    ]


class Recorder:
    """Judges, rates and records events over one connection, as a request does."""

    def __init__(self, server: Server) -> None:
        self.database = Database(
            server.url("bursar_api", BOOKS), server.url("bursar_platform", BOOKS), pool_size=1, pre_ping=False
        )
        self.rates = Rates(prices=PriceBook())

    async def prepare(self) -> None:
        """Set prices of models, and the garbage collector as in a serving process."""
        collector.freeze_startup_objects()
        costs = {"input_tokens": "0.000001", "output_tokens": "0.00001"}
        since = datetime.now(UTC) - timedelta(days=60)
        prices = [
            make_price(
                model=f"model-{number}",
                provider="openai",
                currency="USD",
                version="bench",
                valid_from=since,
                tiers={"standard": [(0, costs)]},
            )
            for number in range(MODELS)
        ]
        async with self.database.platform() as session:
            await model_price.add(session, prices, version="bench", sha256="bench", valid_from=since, entries=MODELS)
        await self.round()

    async def round(self) -> float:
        """Record batches for some seconds, each in a transaction of its own; return events a second."""
        made, spent = 0, 0.0
        while spent < SECONDS:
            batch = documents(BATCH)
            start = time.monotonic()
            delivery = Delivery(
                actor=ACTOR, org_id=ORG, at=datetime.now(UTC), late=timedelta(days=35), rates=self.rates
            )
            async with self.database.platform() as session:
                outcomes = await record(session, delivery, batch)
            spent += time.monotonic() - start
            made += sum(outcome.id is not None for outcome in outcomes)
        assert made
        return made / spent


async def summary(database: Database, dimension: str, *, by_day: bool) -> float:
    """Return how long a summary takes, in milliseconds: the median of some."""
    taken = []
    for _ in range(15):
        start = time.monotonic()
        async with database.tenant(ORG) as session:
            found = await usage_report.totals(
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
        'USD', n * 7919 % 100000000000, 0, 0, 'model', 'bench', NULL, NULL, '{{}}', NULL, NULL
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


async def measure(server: Server) -> list[BenchRow]:
    """Insert a million events, measure recording against single charges, and print a summary."""
    await prepare(server)
    kept = await fill(server)
    recorder, single = Recorder(server), USE.format(n=ORGANIZATIONS)
    await recorder.prepare()
    recorded, charged = await alternate(recorder.round, lambda: server.pgbench(BOOKS, CLIENTS, single), ROUNDS)
    await recorder.database.close()
    database = Database(server.url("bursar_api", BOOKS), server.url("bursar_platform", BOOKS))
    slowest = 0.0
    for dimension, by_day in ((ALL, True), *((name, False) for name in usage.DIMENSIONS)):
        slowest = max(slowest, await summary(database, dimension, by_day=by_day))
    await database.close()
    return [
        BenchRow(
            name=f"usage events judged, rated and recorded over one connection, {BATCH:,} a request",
            value=recorded,
            unit="events/s",
            against=f"single charges, {CLIENTS} clients",
            baseline=charged,
            target=3,
        ),
        BenchRow(
            name=f"summary over {EVENTS:,} events of one organization, the slowest dimension ({kept:,} rows kept)",
            value=slowest,
            unit="ms",
            target=100,
            at_most=True,
        ),
    ]


async def run(world: World) -> list[BenchRow]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


if __name__ == "__main__":
    asyncio.run(alone(measure))
