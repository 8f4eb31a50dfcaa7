"""Load of charges: `python -m dev.bench.use_load HOST PORT SECONDS KEY…` uses credits over one connection for each key.

Each request has an Idempotency-Key of its own. It prints requests a second, and stops at anything but a charge.
"""

import asyncio
import itertools
import os
import sys
import time

from dev.bench.client import Connection

BODY = b'{"action":"api_call"}'
NUMBERS = itertools.count(1)


def request_of(host: str, port: int, key: str) -> bytes:
    """Write a request to use credits for one action."""
    lines = (
        "POST /api/v1/credits/use HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {key}",
        f"Idempotency-Key: load-{os.getpid()}-{next(NUMBERS)}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + BODY


async def _one(host: str, port: int, key: str, until: float) -> int:
    connection, done = Connection(host, port), 0
    try:
        while time.perf_counter() < until:
            status, body = await connection.send(request_of(host, port, key))
            if status != 201:
                raise SystemExit(f"unexpected answer: {status} {body!r}")
            done += 1
    finally:
        connection.close()
    return done


async def load(host: str, port: int, seconds: float, keys: list[str]) -> float:
    """Charge until the time is up and return requests a second."""
    began = time.perf_counter()
    done = await asyncio.gather(*(_one(host, port, key, began + seconds) for key in keys))
    return sum(done) / (time.perf_counter() - began)


if __name__ == "__main__":
    import uvloop

    name, number, duration, *tokens = sys.argv[1:]
    print(f"{uvloop.run(load(name, int(number), float(duration), tokens)):.1f}")
