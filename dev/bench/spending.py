"""Charging under spend controls against plain postings on the same server.

`python -m dev.bench.spending` measures these rows alone, on a PostgreSQL of its own with fsync on. Each organization
has one control of itself and one of its agent, and every use counts in both. Of other organizations both are budgets
with pools.
"""

import asyncio
import os
import secrets
import statistics
import sys
import time
from decimal import Decimal

import asyncpg

from commands.verify import verify
from dev.bench.books import BOOKS, CLIENTS, HOT, NOW, SECONDS, Server, account, alone
from dev.bench.rows import BenchRow
from dev.bench.world import World
from dev.stack.migrate import migrate
from domain.common.accounts import org_credits, platform
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger, NewTransfer
from ledger.spending import Spending
from ledger.spends import MoneyCost, NewSpend, Spender

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
ORGANIZATIONS = 1_000
BATCH = 1_000
MUCH = 10**12
#: What the ids of organizations with limits begin with, and of those with budgets.
LIMITED, BUDGETED = "org_b", "org_p"

USE = """
\\set k random(1, 9000000000000000000)
\\set o random(1, {n})
SELECT ledger.charge_at(
    '{org}' || :o, 'bench' || :k, 'api_call', 1, 1, 'agt_b', NULL, NULL, NULL, NULL, NULL, NULL,
    'operating', 'refuse', now()
)
"""
COST = """
\\set k random(1, 9000000000000000000)
\\set o random(1, {n})
SELECT ledger.charge_at(
    '{org}' || :o, 'bench' || :k, 'llm_call', 1, 0, 'agt_b', NULL, NULL, NULL, NULL, NULL, NULL,
    'operating', 'refuse', now(), 0.7, 'USD', NULL
)
"""
POSTING = """
\\set k random(1, 9000000000000000000)
\\set o random(1, {n})
SELECT ledger.post('bench:' || :k, 'bench', {zero} + :o * 256, {hot}, 1, NULL, now(), 'org_bench')
"""
# Two controls of each organization, as `ledger.write_control` writes them.
CONTROLS = """
INSERT INTO ledger.controls (id, org_id, kind, subject_kind, subject_id, path, asset, zone, week_starts, status,
    version, windows, amounts, uses, hard, thresholds_e4, created_at, pools_of, reserve, emergency)
SELECT c.id, c.org_id, CASE WHEN $3 THEN 'budget' ELSE 'limit' END, c.kind, c.subject_id, ARRAY[c.id], 'CREDIT',
    'Europe/Berlin', 1, 'active', 1, ARRAY[c.window], ARRAY[10::bigint ^ 15], ARRAY[NULL::bigint], ARRAY[true],
    ARRAY[8000], now(), CASE WHEN $3 THEN c.window END, CASE WHEN $3 THEN 10::bigint ^ 14 END,
    CASE WHEN $3 THEN 10::bigint ^ 13 END
FROM (
    SELECT uuidv7() AS id, $2 || n AS org_id, k.kind, coalesce(k.subject_id, $2 || n) AS subject_id, k.window
    FROM generate_series(1, $1::integer) n,
        (VALUES ('organization', NULL, 'day'), ('agent', 'agt_b', 'month')) AS k (kind, subject_id, "window")
) c
"""


async def prepare(server: Server) -> None:
    """Make the database with the organizations, their credits and controls, and as many plain accounts."""
    owner = await asyncpg.connect(server.url("postgres", "postgres"))
    await owner.execute(f"DROP DATABASE IF EXISTS {BOOKS} WITH (FORCE)")
    await owner.execute(f"CREATE DATABASE {BOOKS}")
    await owner.close()
    await asyncio.to_thread(migrate, server.url("postgres", BOOKS))
    connection = await asyncpg.connect(server.url("bursar_platform", BOOKS))
    ledger, issuance = Ledger(connection), platform("credit_issuance", "CREDIT")
    numbers = range(1, ORGANIZATIONS + 1)
    orgs = [f"{kind}{n}" for kind in (LIMITED, BUDGETED) for n in numbers]
    await ledger._ids.of(HOT, platform("credit_redemption", "CREDIT"), issuance)
    await ledger.post_batch(
        kind="fund", transfers=[NewTransfer(f"fund:{n}", HOT, account(n), MUCH) for n in numbers], effective_at=NOW
    )
    # As a payment sells them: what was paid is deferred until it is used.
    await ledger.post(
        key="paid",
        kind="fund",
        source=platform("exchange", "USD"),
        destination=platform("deferred_revenue", "USD"),
        amount_minor=2 * MUCH * ORGANIZATIONS,
        effective_at=NOW,
    )
    bought = LotTerms(source=LotSource.PURCHASE, paid_minor=MUCH, paid_asset="USD")
    issued = [NewTransfer(f"issue:{org}", issuance, org_credits(org), MUCH, lots=bought) for org in orgs]
    await ledger.post_batch(kind="fund", transfers=issued, effective_at=NOW)
    await connection.close()
    owner = await asyncpg.connect(server.url("postgres", BOOKS))
    for kind in (LIMITED, BUDGETED):
        await owner.execute(CONTROLS, ORGANIZATIONS, kind, kind == BUDGETED)
    # Once each: windows have begun, and the planner does not take these tables for empty.
    today = await owner.fetchval("SELECT now()")
    for org in orgs:
        await Spending(owner, org).charge(_use(f"first:{org}"), at=today)
    server.zero = await owner.fetchval("SELECT min(id) - 256 FROM ledger.accounts WHERE org_id = 'org_bench'")
    server.hot = await owner.fetchval("SELECT id FROM ledger.accounts WHERE path = $1", HOT.path)
    await owner.execute("VACUUM ANALYZE")
    await owner.execute("CHECKPOINT")
    await owner.close()


def _use(key: str, cost: MoneyCost | None = None) -> NewSpend:
    credits = 1 if cost is None else 0
    return NewSpend(key=key, action="api_call", amount_minor=credits, cost=cost, spender=Spender(agent_id="agt_b"))


async def batches(server: Server, cost: MoneyCost | None) -> float:
    """Charge in sets for one organization on one connection, or a cost each, and return spends per second."""
    connection = await asyncpg.connect(server.url("bursar_platform", BOOKS))
    spending, run, done = Spending(connection, "org_b1"), secrets.token_hex(8), 0
    sets = [[_use(f"{run}:{number}:{n}", cost) for n in range(BATCH)] for number in range(30 * SECONDS)]
    began = time.monotonic()
    for spends in sets:
        await spending.charge_many(spends, at=NOW)
        done += len(spends)
        if time.monotonic() - began >= SECONDS:
            break
    rate = done / (time.monotonic() - began)
    await connection.close()
    return rate


async def prove(server: Server) -> None:
    """End the measurement where the books that it wrote are not right."""
    connection = await asyncpg.connect(server.url("bursar_platform", BOOKS))
    report = await verify(connection)
    await connection.close()
    if not report.ok:
        raise SystemExit("\n".join(report.lines()))


async def measure(server: Server) -> list[BenchRow]:
    """Measure all rows in turns and return them with their baselines."""
    await prepare(server)
    many, one = ORGANIZATIONS, 1
    scripts = {
        "use": USE.format(org=LIMITED, n=many),
        "cost": COST.format(org=LIMITED, n=many),
        "use_budgets": USE.format(org=BUDGETED, n=many),
        "posting": POSTING.format(n=many, zero=server.zero, hot=server.hot),
        "use_one": USE.format(org=LIMITED, n=one),
        "posting_one": POSTING.format(n=one, zero=server.zero, hot=server.hot),
    }
    sets = {"batch": None, "batch_costs": MoneyCost(minor=Decimal("0.7"), asset="USD")}
    rounds: list[dict[str, float]] = []
    for number in range(ROUNDS):
        found = {}
        for name in [*scripts, *sets] if number % 2 == 0 else [*sets, *reversed(scripts)]:
            found[name] = (
                await batches(server, sets[name])
                if name in sets
                else await server.pgbench(BOOKS, CLIENTS, scripts[name])
            )
        rounds.append(found)
        if "BENCH_VERBOSE" in os.environ:
            sys.stderr.write(f"{ {name: round(rate) for name, rate in sorted(found.items())} }\n")
    await prove(server)

    def row(name: str, of: str, against: str, baseline: str, target: float) -> BenchRow:
        base = statistics.median(found[baseline] for found in rounds)
        value = base * statistics.median(found[of] / found[baseline] for found in rounds)
        return BenchRow(name=name, value=value, unit="spends/s", against=against, baseline=base, target=target)

    return [
        row(f"use, two limits, {CLIENTS} clients, 1,000 organizations", "use", "plain posting", "posting", 0.6),
        row(f"use, two budgets with pools, {CLIENTS} clients", "use_budgets", "two limits", "use", 0.9),
        row("use, all in one organization", "use_one", "plain postings from one account", "posting_one", 0.7),
        row(f"cost in money, two limits, {CLIENTS} clients", "cost", "use", "use", 0.8),
        row("batch use, one connection", "batch", f"single use, {CLIENTS} clients", "use", 3.0),
        row("batch of costs, one connection", "batch_costs", "batch use", "batch", 0.8),
    ]


async def run(world: World) -> list[BenchRow]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


if __name__ == "__main__":
    asyncio.run(alone(measure))
