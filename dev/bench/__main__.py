"""Measures the product, and prints one table of ratios.

`python -m dev.bench [books] [accounting] [spending] [neighbours] [http] [uses] [escrow] [exports] [outbox] [webhooks]
[payments] [metering] [nights] [scores] [prices] [documents] [invoicing] [collecting] [market]
[lists] [sdk] [live] [console] [latencies]`

By default everything is measured. Every ratio compares two things that ran in turn on the same machine in the same run,
so it holds on a noisy one; absolute figures are of this machine only.
"""

import argparse
import asyncio
import os
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import asyncpg

from dev.bench import (
    accounting,
    books,
    collecting,
    console,
    documents,
    escrow,
    exports,
    http,
    invoicing,
    latencies,
    lists,
    live,
    market,
    metering,
    neighbours,
    nights,
    outbox,
    payments,
    prices,
    scores,
    sdk,
    spending,
    uses,
    webhooks,
)
from dev.bench.rows import BenchRow
from dev.bench.world import World, running_world
from dev.stack.temporal import find_temporal

PARTS: dict[str, Callable[[World], Awaitable[list[BenchRow]]]] = {
    "books": books.run,
    "accounting": accounting.run,
    "spending": spending.run,
    "neighbours": neighbours.run,
    "http": http.run,
    "uses": uses.run,
    "escrow": escrow.run,
    "exports": exports.run,
    "outbox": outbox.run,
    "webhooks": webhooks.run,
    "payments": payments.run,
    "metering": metering.run,
    "nights": nights.run,
    "invoicing": invoicing.run,
    "collecting": collecting.run,
    "market": market.run,
    "lists": lists.run,
    "sdk": sdk.run,
    "live": live.run,
    "console": console.run,
    "scores": scores.run,
    "prices": prices.run,
    "documents": documents.run,
    "latencies": latencies.run,
}
FLUSHES = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


async def machine(world: World) -> list[str]:
    """Say on what was measured."""
    connection = await asyncpg.connect(world.database_url)
    try:
        server = await connection.fetchval("SHOW server_version")
        settings = [f"{name} {await connection.fetchval(f'SHOW {name}')}" for name in FLUSHES]
    finally:
        await connection.close()
    temporal = await asyncio.create_subprocess_exec(find_temporal(), "--version", stdout=asyncio.subprocess.PIPE)
    release = (await temporal.communicate())[0].decode().strip().removeprefix("temporal version ")
    packages = ("temporalio", "fastapi", "uvicorn", "asyncpg", "sqlalchemy", "pydantic", "stripe")
    return [
        f"machine     {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {platform.platform()}",
        f"python      {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in packages),
        f"postgresql  {server}; {', '.join(settings)}",
        f"temporal    {release}, SQLite file",
    ]


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def line(row: BenchRow) -> str:
    """Write one row of the table."""
    figure = f"{row.value:,.0f} {row.unit}" if row.value >= 100 else f"{row.value:.1f} {row.unit}"
    against = f"{row.baseline:,.0f}" if row.baseline and row.baseline >= 100 else f"{row.baseline or 0:.1f}"
    ratio = f"{row.ratio:.2f} x" if row.ratio is not None else ""
    target = "" if row.target is None else f"{'≤' if row.at_most else '≥'} {row.target:g}{'' if row.at_most else ' x'}"
    verdict = {True: "ok", False: "MISSED", None: ""}[row.reached]
    compared = f"{row.against}: {against}" if row.baseline else row.note
    return f"{row.name:<64} {figure:>18}  {ratio:>8}  {target:>8}  {verdict:<6}  {compared}"


async def main() -> int:
    """Measure what was asked for; the exit code is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; everything by default")
    chosen = parser.parse_args().parts or list(PARTS)
    missed = False
    async with running_world() as world:
        print("\n".join(await machine(world)), end="\n\n", flush=True)
        print(f"{'what':<64} {'figure':>18}  {'ratio':>8}  {'target':>8}  {'':<6}  against", flush=True)
        for name in chosen:
            for row in await PARTS[name](world):
                print(line(row), flush=True)
                missed = missed or row.reached is False
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
