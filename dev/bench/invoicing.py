"""Invoices of a month from due to finalised and numbered, against a bare loop that writes the same rows.

The bare loop has one transaction for each invoice as well: the same functions of the database and inserts, with values
that are there already, and nothing read or decided. `python -m dev.bench.invoicing` measures these rows alone, on a
PostgreSQL of its own with fsync on.
"""

import asyncio
import json
import os
import time
from datetime import UTC, date, datetime

import asyncpg

from activities.billing.billing_run import BillingRunActivities
from contracts.billing.billing_run import InvoicePage
from dev.bench.books import Server, alone
from dev.bench.rows import BenchRow, alternate
from dev.bench.world import World
from dev.stack.migrate import migrate
from domain.common import accounts
from domain.common.accounts import Account
from runtime.database import Database

SIZES = tuple(int(size) for size in os.environ.get("BENCH_SIZES", "1000,10000").split(","))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "1"))
DATABASE, EMPTY = "bursar_bench_invoicing", "bursar_bench_invoicing_empty"
#: The arguments that write an invoice again.
Written = tuple[str, str, int, str, str, str]
MONTH, NOW = date(2026, 1, 1), datetime(2026, 2, 3, tzinfo=UTC)

# Each organization has a bill of three models, as if events had been added up.
FILL = """
SET session_replication_role = replica;
INSERT INTO organizations (id, name, created_by, command_id)
SELECT 'org_' || lpad(n::text, 26, '0'), 'Bench', 'bench', n::text FROM generate_series(1, {n}) n;
INSERT INTO billing_terms (org_id, version, starts_at, from_month, mode, currency, time_zone, commitment_minor,
    discounts, net_days, created_by, command_id)
SELECT id, 1, '2026-01-01', '2026-01-01', 'arrears', 'USD', 'UTC', 0, '[]', 30, 'bench', id FROM organizations;
INSERT INTO usage_bills (org_id, month, number, currency, minor_pico, opened_at)
SELECT id, '2026-01-01', 1, 'USD', 10000000000, '2026-01-01' FROM organizations;
INSERT INTO usage_bill_sums (org_id, month, number, source, ref, events, quantity, pico)
SELECT id, '2026-01-01', 1, 'model', 'model-' || m, 1000, 0, 7000000000000 + m
FROM organizations, generate_series(1, 3) m;
RESET session_replication_role;
"""


async def _migrated(server: Server) -> None:
    """Make the database that every other one is copied from."""
    owner = await asyncpg.connect(server.url("postgres", "postgres"))
    await owner.execute(f"DROP DATABASE IF EXISTS {EMPTY} WITH (FORCE)")
    await owner.execute(f"CREATE DATABASE {EMPTY}")
    await owner.close()
    await asyncio.to_thread(migrate, server.url("postgres", EMPTY))


async def _filled(server: Server, size: int) -> None:
    owner = await asyncpg.connect(server.url("postgres", "postgres"))
    await owner.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await owner.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {EMPTY}")
    await owner.close()
    owner = await asyncpg.connect(server.url("postgres", DATABASE))
    await owner.execute(FILL.format(n=size), timeout=600)
    # A table that was vacuumed while it was empty counts as empty until it is analyzed again: what is planned meanwhile
    # reads all of it, which no deployment that has invoiced before would do.
    await owner.execute("VACUUM ANALYZE organizations, billing_terms, usage_bills, usage_bill_sums")
    await owner.execute("CHECKPOINT")
    await owner.close()


async def _ours(server: Server, size: int) -> float:
    """Invoice everybody, and return invoices per second."""
    await _filled(server, size)
    database = Database(server.url("bursar_api", DATABASE), server.url("bursar_platform", DATABASE))
    work = BillingRunActivities(database)
    began = time.monotonic()
    done = await work.invoice(InvoicePage(now=NOW, month=MONTH, after="", limit=200, pages=1_000))
    rate = size / (time.monotonic() - began)
    assert (done.invoiced, done.failed, done.done) == (size, 0, True), done
    await database.close()
    return rate


CLAIM = """
INSERT INTO billed_periods (org_id, month, starts_at, ends_at, status, terms_version, currency, charges_minor,
    usage_minor, shortfall_minor, total_minor, invoice_id, done_at)
VALUES ($1, $2, $3, $3, 'invoiced', 1, 'USD', $4, $4, 0, $4, $5, $3)
"""
POST = "SELECT invoice_post($1, $2, $3, $4, $5, $6)"
INVOICE = "INSERT INTO invoices SELECT * FROM jsonb_populate_record(NULL::invoices, $1)"
AUDIT = """
INSERT INTO audit_log (org_id, principal, role, action, target, details)
VALUES ($1, 'bench', 'operator', 'invoice.issue', $2, '{"amount": "21.03", "currency": "USD"}')
"""
BILL = """
WITH billed AS (
    UPDATE usage_bills SET sealed_at = $4, billed_at = $4, invoice_id = $3, discount_bps = 0
    WHERE org_id = $1 AND month = $2 AND number = 1
)
UPDATE usage_bill_sums SET line = right(ref, 1)::integer - 1 WHERE org_id = $1 AND month = $2 AND number = 1
"""


def _account(account: Account) -> dict[str, object]:
    return {
        "path": account.path,
        "asset": account.asset,
        "org": account.org_id,
        "kind": account.kind.value,
        "floor": account.minimum_balance_minor,
        "stripes": account.stripes,
        "lots": account.lots,
        "lapse": account.lots_lapse,
    }


async def _written(connection: asyncpg.Connection) -> list[Written]:
    """Return what a run has written of each invoice, as the arguments that write it again; worked out beforehand."""
    found = []
    rows = await connection.fetch("SELECT to_jsonb(i) AS row, org_id, id FROM invoices i ORDER BY org_id")
    for each in rows:
        row, org_id, invoice_id = json.loads(each["row"]), each["org_id"], each["id"]
        pair = accounts.org_receivable(org_id, "USD"), accounts.platform("revenue/invoices", "USD")
        legs = [{"source": 1, "destination": 2, "amount": row["total_minor"]}]
        found.append(
            (
                org_id,
                invoice_id,
                row["total_minor"],
                json.dumps(row | {"number": None, "transfer_id": None}),
                json.dumps([_account(account) for account in pair]),
                json.dumps(legs),
            )
        )
    return found


async def _bare(server: Server, size: int, written: list[Written]) -> float:
    """Write the same rows, a transaction for each invoice, and return invoices per second."""
    await _filled(server, size)
    connection = await asyncpg.connect(server.url("bursar_platform", DATABASE))
    began = time.monotonic()
    for number, (org_id, invoice_id, total, row, opened, legs) in enumerate(written, start=1):
        async with connection.transaction():
            await connection.execute(CLAIM, org_id, MONTH, NOW, total, invoice_id)
            await connection.fetchval(POST, invoice_id, org_id, opened, legs, f"bench:{invoice_id}", NOW)
            await connection.execute(INVOICE, row)
            await connection.execute(AUDIT, org_id, invoice_id)
            await connection.execute(BILL, org_id, MONTH, invoice_id, NOW)
        if number % 200 == 0 or number == size:
            await connection.fetchval("SELECT invoice_number_page('invoice', 'INV-', 500)")
    rate = size / (time.monotonic() - began)
    assert await connection.fetchval("SELECT count(*) FROM invoices WHERE number IS NOT NULL") == size
    await connection.close()
    return rate


async def measure(server: Server) -> list[BenchRow]:
    """Measure runs and bare loops in turn, at each size."""
    rows: list[BenchRow] = []
    first = 0.0
    await _migrated(server)
    for size in SIZES:
        await _ours(server, size)
        owner = await asyncpg.connect(server.url("postgres", DATABASE))
        written = await _written(owner)
        await owner.close()

        async def ours(size: int = size) -> float:
            return await _ours(server, size)

        async def bare(size: int = size, written: list[Written] = written) -> float:
            return await _bare(server, size, written)

        rate, baseline = await alternate(ours, bare, ROUNDS)
        rows.append(
            BenchRow(
                name=f"invoices of {size:,} organizations, due to finalised",
                value=rate,
                unit="invoices/s",
                against="a bare loop of the same rows",
                baseline=baseline,
                target=0.5,
            )
        )
        if first:
            rows.append(
                BenchRow(
                    name=f"cost of an invoice at {size:,} organizations",
                    value=1_000 / rate,
                    unit="ms",
                    against=f"at {SIZES[0]:,}",
                    baseline=1_000 / first,
                    target=1.2,
                    at_most=True,
                )
            )
        first = first or rate
    return rows


async def run(world: World) -> list[BenchRow]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


if __name__ == "__main__":
    asyncio.run(alone(measure))
