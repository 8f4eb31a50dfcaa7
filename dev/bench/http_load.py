"""A small HTTP/1.1 client for load: a process of its own, some keep-alive connections, one request at a time on each.

`python -m dev.bench.http_load HOST PORT PATH CONNECTIONS SECONDS [HEADER…]` prints requests a second, and the p50 and
p99 in milliseconds. Each connection sends one of the headers, in turn. It counts only answers of 200 and stops at
anything else. A PATH of several, with spaces between them, is asked for one after the other and counted as one; `{n}`
in it is the number of the connection.
"""

import asyncio
import itertools
import statistics
import sys
import time

from dev.bench.client import Connection


async def _one(connection: Connection, requests: list[bytes], until: float, times: list[float]) -> None:
    clock = time.perf_counter
    try:
        while (began := clock()) < until:
            for request in requests:
                status, body = await connection.send(request)
                if status != 200:
                    raise SystemExit(f"unexpected answer: {status} {body[:500]!r}")
            times.append(clock() - began)
    finally:
        connection.close()


async def load(host: str, port: int, path: str, connections: int, seconds: float, headers: list[str]) -> str:
    """Send requests until the time is up and return the three figures."""
    ends = itertools.cycle([f"{header}\r\n\r\n" for header in headers] or ["\r\n"])
    turns = [
        [f"GET {each.format(n=n)} HTTP/1.1\r\nHost: {host}:{port}\r\n{end}".encode() for each in path.split()]
        for n, end in zip(range(connections), ends, strict=False)
    ]
    times: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_one(Connection(host, port), request, began + seconds, times) for request in turns))
    taken = time.perf_counter() - began
    p99 = statistics.quantiles(times, n=100)[98]
    return f"{len(times) / taken:.1f} {statistics.median(times) * 1000:.3f} {p99 * 1000:.3f}"


if __name__ == "__main__":
    import uvloop

    name, number, target, count, duration, *extra = sys.argv[1:]
    print(uvloop.run(load(name, int(number), target, int(count), float(duration), extra)))
