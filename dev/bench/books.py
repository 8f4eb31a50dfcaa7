"""The books against pgbench's TPC-B on the same server: rows 1 to 5 of the table.

`python -m dev.bench.books` measures these rows alone, on a PostgreSQL of its own with fsync on. Everything is measured
in short rounds, one after the other, and a ratio is the median over the rounds: a noisy neighbour meets both sides.
"""

import asyncio
import itertools
import os
import re
import secrets
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from dev.bench.rows import BenchRow
from dev.bench.world import World
from dev.stack.migrate import migrate
from dev.stack.postgres import Postgres, database_url, find_binaries, wait_until_ready
from dev.stack.process import Process
from domain.common.accounts import Account, AccountKind, platform
from ledger.gateway import Ledger, NewTransfer

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
CLIENTS = 20
TASKS = 16
ACCOUNTS = 10_000
BATCH = 5_000
#: TPC-B's own rule: at least as many branches as clients, or it measures the wait for a branch.
TPCB_SCALE = 20
BOOKS, TPCB = "bursar_bench_books", "bursar_bench_tpcb"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOT = platform("revenue/bench", "CREDIT")

# The ordinary accounts are of one organization, and opened one after the other: the id of account n is that of number 0
# plus n times 256, see ledger/sql/accounts.sql.
SINGLE = """
\\set k random(1, 9000000000000000000)
\\set s random(1, {n})
\\set d 1 + (:s + random(0, {n} - 2)) % {n}
SELECT ledger.post('bench:' || :k, 'bench', {zero} + :s * 256, {zero} + :d * 256, 100, NULL, '2026-01-01')
"""
STRIPED = """
\\set k random(1, 9000000000000000000)
\\set s random(1, {n})
SELECT ledger.post('bench:' || :k, 'bench', {zero} + :s * 256, {hot}, 1, NULL, '2026-01-01')
"""


def account(number: int) -> Account:
    """An of the ordinary accounts, with a minimum balance."""
    return Account(
        path=f"org/bench_{number}/cash/CREDIT",
        asset="CREDIT",
        org_id="org_bench",
        kind=AccountKind.LIABILITY,
        minimum_balance_minor=0,
    )


class Server:
    """The server under test: where its socket is, and the two databases that are measured."""

    def __init__(self, socket_dir: str) -> None:
        self.socket_dir = socket_dir
        self.zero = self.hot = 0
        self._scripts = tempfile.TemporaryDirectory(prefix="bursar-bench-sql-")

    @classmethod
    def of(cls, world: World) -> "Server":
        """Return that of a bench's stack."""
        return cls(parse_qs(urlsplit(world.database_url).query)["host"][0])

    def close(self) -> None:
        """Remove the scripts."""
        self._scripts.cleanup()

    def url(self, role: str, database: str) -> str:
        return database_url(Path(self.socket_dir), role, database)

    async def prepare(self) -> None:
        """Make both databases anew and fill them."""
        owner = await asyncpg.connect(self.url("postgres", "postgres"))
        for name in (BOOKS, TPCB):
            await owner.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await owner.execute(f"CREATE DATABASE {name}")
        await owner.close()
        await asyncio.to_thread(migrate, self.url("postgres", BOOKS))
        await self._pgbench(TPCB, "-i", "-q", "-s", str(TPCB_SCALE))
        connection = await asyncpg.connect(self.url("bursar_platform", BOOKS))
        ledger = Ledger(connection)
        transfers = [NewTransfer(f"fund:{n}", HOT, account(n), 10**12) for n in range(1, ACCOUNTS + 1)]
        await connection.fetch("SELECT ledger.open_account($1, $2, NULL, $3, NULL, $4::smallint)", *_opening(HOT))
        for part in _batched(transfers, BATCH):
            await ledger.post_batch(kind="fund", transfers=part, effective_at=NOW)
        await connection.close()
        owner = await asyncpg.connect(self.url("postgres", BOOKS))
        self.zero = await owner.fetchval("SELECT min(id) - 256 FROM ledger.accounts WHERE org_id = 'org_bench'")
        self.hot = await owner.fetchval("SELECT id FROM ledger.accounts WHERE path = $1", HOT.path)
        last = await owner.fetchval("SELECT max(id) FROM ledger.accounts WHERE org_id = 'org_bench'")
        assert last == self.zero + ACCOUNTS * 256, last
        await owner.execute("VACUUM ANALYZE")
        await owner.execute("CHECKPOINT")
        await owner.close()

    async def pgbench(self, database: str, clients: int, script: str | None = None) -> float:
        """Run pgbench for a round and return transactions per second; `script` None is TPC-B."""
        flags = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(SECONDS)]
        if script is not None:
            path = Path(self._scripts.name) / f"{zlib.crc32(script.encode())}.sql"
            path.write_text(script)
            flags += ["-f", str(path)]
        out = await self._pgbench(database, *flags)
        found = re.search(r"^tps = ([\d.]+)", out, re.MULTILINE)
        if found is None or "number of failed transactions: 0 " not in out:
            raise RuntimeError(out)
        return float(found[1])

    async def _pgbench(self, database: str, *flags: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(find_binaries() / "pgbench"), "-h", self.socket_dir, "-U", "postgres", *flags, database,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"pgbench: {err.decode()}")
        return out.decode()

    async def batches(self) -> float:
        """Post in sets through the gateway on one connection and return transfers per second."""
        connection = await asyncpg.connect(self.url("bursar_platform", BOOKS))
        ledger, run, posted = Ledger(connection), secrets.token_hex(8), 0
        accounts = [account(n) for n in range(1, ACCOUNTS + 1)]
        await ledger.post_batch(kind="bench", transfers=_set(accounts, run, 0)[:1], effective_at=NOW)
        sets = [_set(accounts, run, number) for number in range(1, 30 * SECONDS)]
        began = time.monotonic()
        for transfers in sets:
            await ledger.post_batch(kind="bench", transfers=transfers, effective_at=NOW)
            posted += len(transfers)
            if time.monotonic() - began >= SECONDS:
                break
        rate = posted / (time.monotonic() - began)
        await connection.close()
        return rate

    async def gateway(self) -> float:
        """Post one by one through the gateway, in a process of its own, and return transfers per second."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dev.bench.books", "gateway", self.url("bursar_platform", BOOKS),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("the gateway's load failed")
        return float(out)


def _opening(of: Account) -> tuple[str, str, str, int]:
    return of.path, of.asset, of.kind.value, of.stripes


def _batched(items: list[NewTransfer], size: int) -> list[list[NewTransfer]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _set(accounts: list[Account], run: str, number: int) -> list[NewTransfer]:
    """A batch: sources and destinations spread over all accounts."""
    size, step = len(accounts), 7919
    start = number * BATCH * step
    return [
        NewTransfer(
            f"{run}:{number}:{n}",
            accounts[(start + n * step) % size],
            accounts[(start + n * step + 17 + n) % size],
            100,
        )
        for n in range(BATCH)
        if (17 + n) % size
    ]


async def _gateway_load(url: str) -> float:
    connections = [await asyncpg.connect(url) for _ in range(TASKS)]
    ledgers = [Ledger(connection) for connection in connections]
    accounts = [account(n) for n in range(1, ACCOUNTS + 1)]
    await ledgers[0]._ids.of(*accounts)
    run, numbers, done = secrets.token_hex(8), itertools.count(1), 0
    began = time.monotonic()
    until = began + SECONDS

    async def work(ledger: Ledger) -> None:
        nonlocal done
        while time.monotonic() < until:
            n = next(numbers)
            await ledger.post(
                key=f"bench:{run}:{n}",
                kind="bench",
                source=accounts[n * 7919 % ACCOUNTS],
                destination=accounts[(n * 7919 + 17) % ACCOUNTS],
                amount_minor=100,
                effective_at=NOW,
            )
            done += 1

    await asyncio.gather(*(work(ledger) for ledger in ledgers))
    rate = done / (time.monotonic() - began)
    await asyncio.gather(*(connection.close() for connection in connections))
    return rate


async def measure(server: Server) -> list[BenchRow]:
    """Measure all rows in turns and return them with their baselines."""
    await server.prepare()
    measures = {
        "tpcb": lambda: server.pgbench(TPCB, CLIENTS),
        "single": lambda: server.pgbench(BOOKS, CLIENTS, SINGLE.format(n=ACCOUNTS, zero=server.zero)),
        "ten": lambda: server.pgbench(BOOKS, CLIENTS, SINGLE.format(n=10, zero=server.zero)),
        "striped": lambda: server.pgbench(BOOKS, CLIENTS, STRIPED.format(n=ACCOUNTS, zero=server.zero, hot=server.hot)),
        "batch": server.batches,
        "single16": lambda: server.pgbench(BOOKS, TASKS, SINGLE.format(n=ACCOUNTS, zero=server.zero)),
        "gateway": server.gateway,
    }
    names = os.environ.get("BENCH_ONLY", ",".join(measures)).split(",")
    rounds: list[dict[str, float]] = []
    for number in range(ROUNDS):
        order = names if number % 2 == 0 else names[::-1]
        rounds.append({name: await measures[name]() for name in order})
        if "BENCH_VERBOSE" in os.environ:
            sys.stderr.write(f"{ {name: round(rate) for name, rate in sorted(rounds[-1].items())} }\n")

    def row(name: str, of: str, against: str, baseline: str, target: float) -> BenchRow:
        base = statistics.median(found[baseline] for found in rounds)
        ratios = [found[of] / found[baseline] for found in rounds]
        return BenchRow(
            name=name,
            value=base * statistics.median(ratios),
            unit="transfers/s",
            against=against,
            baseline=base,
            target=target,
        )

    server.close()
    rows = (
        (f"single posting, {CLIENTS} clients, 10,000 accounts", "single", f"TPC-B, {CLIENTS} clients", "tpcb", 1.6),
        (f"single posting, {CLIENTS} clients, 10 accounts", "ten", f"TPC-B, {CLIENTS} clients", "tpcb", 0.61),
        ("every posting into one striped account", "striped", "single posting, 10,000 accounts", "single", 0.8),
        ("set-based posting, one connection", "batch", f"TPC-B, {CLIENTS} clients", "tpcb", 4.0),
        (f"gateway, {TASKS} tasks, one process", "gateway", f"pgbench, {TASKS} clients", "single16", 0.4),
    )
    return [row(*given) for given in rows if given[1] in names and given[3] in names]


async def run(world: World) -> list[BenchRow]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


async def alone(measured: Callable[[Server], Awaitable[list[BenchRow]]]) -> None:
    """Start a PostgreSQL, measure, print, stop."""
    from dev.bench.__main__ import line

    with tempfile.TemporaryDirectory(prefix="bursar-bench-books-") as directory:
        os.chmod(directory, 0o755)
        postgres = Postgres(Path(directory) / "pg", Path(directory) / "postgres.log")
        await asyncio.to_thread(postgres.prepare)
        process = Process(postgres.program())
        try:
            await asyncio.to_thread(wait_until_ready, postgres, process)
            for row in await measured(Server(str(postgres.socket_dir))):
                print(line(row), flush=True)
        finally:
            process.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["gateway"]:
        import uvloop

        print(uvloop.run(_gateway_load(sys.argv[2])))
    else:
        asyncio.run(alone(measure))
