"""Latency of a payment, a balance, an escrow's command and a price: p50 and p99.

One client asks for one thing after the other, over one connection, of a process that does nothing else. The figures are
of this machine; the targets are of the product's promises, and hold for the p50.
"""

import statistics
import time
from collections.abc import Sequence

from dev.bench.client import Connection
from dev.bench.escrow import COMMANDS, Escrows, command_times
from dev.bench.payments import PaymentDriver, creation_times
from dev.bench.prices import priced_agent
from dev.bench.rows import BenchRow
from dev.bench.world import World

#: How many answers each figure is of, after as many as warm up.
READS = 1_000
PAYMENTS = 200
ESCROWS = 100
WARM_UP = 20


def p99(seconds: Sequence[float]) -> float:
    """Return the time within which 99 of 100 are answered."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[98]


def rows_of(
    name: str, seconds: Sequence[float], target_ms: float, *, less: float = 0.0, note: str = ""
) -> list[BenchRow]:
    """Return the rows of one kind of answer, each `less` the seconds that somebody else takes of it."""
    middle, slow = ((found - less) * 1000 for found in (statistics.median(seconds), p99(seconds)))
    return [
        BenchRow(name=f"{name}, p50", value=middle, unit="ms", target=target_ms, at_most=True, note=note),
        BenchRow(name=f"{name}, p99", value=slow, unit="ms", note=f"of {len(seconds):,}"),
    ]


async def _read_times(world: World, path: str) -> list[float]:
    connection = Connection("127.0.0.1", world.port)
    lines = (
        f"GET /api/v1{path} HTTP/1.1",
        f"Host: 127.0.0.1:{world.port}",
        f"Authorization: Bearer {world.keys['client']}",
    )
    request = "\r\n".join((*lines, "", "")).encode()
    seconds = []
    try:
        for _ in range(WARM_UP + READS):
            began = time.perf_counter()
            status, answer = await connection.send(request)
            seconds.append(time.perf_counter() - began)
            if status != 200:
                raise RuntimeError(f"GET {path}: {status} {answer.decode()[:500]}")
    finally:
        connection.close()
    return seconds[WARM_UP:]


async def _payments(world: World) -> list[BenchRow]:
    till = PaymentDriver(world)
    try:
        await till.close_queue()
        await creation_times(till, WARM_UP)
        _, ours, theirs = await creation_times(till, PAYMENTS)
    finally:
        await till.http.aclose()
    there = statistics.median(theirs)
    note = f"the provider takes {there * 1000:.1f} ms of each, by plain HTTP"
    return rows_of("payment creation less the provider", ours, 100, less=there, note=note)


async def _commands(world: World) -> list[BenchRow]:
    escrows = Escrows(world)
    try:
        await command_times(escrows, WARM_UP)
        times = await command_times(escrows, ESCROWS)
    finally:
        escrows.close()
    note = ", ".join(f"{name} {statistics.median(times[name]) * 1000:.0f}" for name in COMMANDS) + " ms"
    return rows_of("escrow command", [each for name in COMMANDS for each in times[name]], 50, note=note)


async def run(world: World) -> list[BenchRow]:
    """Measure one after the other. The price is by fifty rules, which stay, so it comes last."""
    rows = [*await _payments(world), *rows_of("balance", await _read_times(world, "/billing/balance"), 10)]
    rows += await _commands(world)
    price = await _read_times(world, f"/payments/pricing/{await priced_agent(world)}")
    return rows + rows_of("price by fifty rules", price, 20)
