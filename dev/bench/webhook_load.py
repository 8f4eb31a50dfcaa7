"""A bare HTTP client that posts the same body repeatedly on several connections.

`python -m dev.bench.webhook_load HOST PORT CONNECTIONS COUNT BYTES`; anything but 204 ends it.
"""

import asyncio
import sys

import httpcore2


async def main(host: str, port: int, connections: int, count: int, size: int) -> None:
    """Post bodies of a given size over a given number of connections."""
    url = httpcore2.URL(scheme="http", host=host, port=port, target="/0")
    headers = [("host", f"{host}:{port}"), ("content-type", "application/json"), ("content-length", str(size))]
    numbers, body = iter(range(count)), b"x" * size
    async with httpcore2.AsyncConnectionPool(
        max_connections=connections, max_keepalive_connections=connections
    ) as pool:

        async def post() -> None:
            for _ in numbers:
                answer = await pool.request("POST", url, headers=headers, content=body)
                if answer.status != 204:
                    raise SystemExit(f"unexpected answer: {answer.status}")

        await asyncio.gather(*(post() for _ in range(connections)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
