"""Charges through the Python client, and the same bytes through the HTTP client that it stands on.

`python -m dev.bench.sdk_load PORT TASKS SECONDS ROUNDS` prints calls a second of both.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sdk"))

from bursar import AsyncBursar
from dev.bench.rows import alternate


async def rate(call: Callable[[], Awaitable[None]], tasks: int, seconds: float) -> float:
    """Return how many calls a second some tasks make together."""
    made, began = 0, time.perf_counter()

    async def one() -> None:
        nonlocal made
        while time.perf_counter() < began + seconds:
            await call()
            made += 1

    await asyncio.gather(*(one() for _ in range(tasks)))
    return made / (time.perf_counter() - began)


async def load(port: int, tasks: int, seconds: float, rounds: int) -> str:
    """Measure both in turn."""
    sent: list[httpx2.Request] = []

    class Recorder(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            sent.append(request)
            return await super().handle_async_request(request)

    url = f"http://127.0.0.1:{port}"
    async with AsyncBursar("bsk_bench", base_url=url, transport=Recorder()) as recorded:
        await recorded.credits.use(action="api_call", quantity=2)
    [request] = sent
    headers = [(name, value) for name, value in request.headers.items() if name != "content-length"]
    async with AsyncBursar("bsk_bench", base_url=url) as client, httpx2.AsyncClient(timeout=30) as bare:

        async def ours() -> None:
            await client.credits.use(action="api_call", quantity=2)

        async def send_bare() -> None:
            answer = await bare.request("POST", str(request.url), headers=headers, content=request.content)
            assert answer.status_code == 201

        await ours()
        await send_bare()
        charged, posted = await alternate(
            lambda: rate(ours, tasks, seconds), lambda: rate(send_bare, tasks, seconds), rounds
        )
    return f"{charged:.1f} {posted:.1f}"


if __name__ == "__main__":
    import uvloop

    port, tasks, seconds, rounds = sys.argv[1:]
    print(uvloop.run(load(int(port), int(tasks), float(seconds), int(rounds))))
