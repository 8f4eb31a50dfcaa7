"""Calls of the Python client against the HTTP client that it stands on, sending the same bytes."""

import asyncio
import sys

from dev.bench.rows import BenchRow
from dev.bench.world import World
from dev.stack.temporal import free_port

TASKS = 16
SECONDS = 2.0
ROUNDS = 7


async def run(_world: World) -> list[BenchRow]:
    """Measure both in one process, against a server of their own that answers at once."""
    port = str(free_port())
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "dev.bench.fixed_answer", port)
    try:
        command = (sys.executable, "-m", "dev.bench.sdk_load", port, str(TASKS), str(SECONDS), str(ROUNDS))
        await answering(int(port))
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("the client failed")
    finally:
        server.terminate()
        await server.wait()
    ours, theirs = map(float, out.split())
    return [
        BenchRow(
            name=f"AsyncBursar.credits.use, {TASKS} tasks, a server that answers at once",
            value=ours,
            unit="calls/s",
            against="httpx2 alone, the same bytes",
            baseline=theirs,
            target=0.7,
        )
    ]


async def answering(port: int) -> None:
    """Wait until a server takes connections."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
