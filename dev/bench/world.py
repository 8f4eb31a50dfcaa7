"""A stack of its own for a bench: fresh data, free ports, the seeded keys."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from dev.stack.claim import Ports
from dev.stack.supervisor import Stack

#: The product, and the one provider that is measured against.
PARTS = ("postgres", "temporal", "stripe", "worker", "server")


@dataclass
class World:
    """Addresses and keys of the stack."""

    stack: Stack
    keys: dict[str, str]
    ids: dict[str, str]
    port: int
    api_url: str
    temporal_address: str
    database_url: str
    data_dir: Path

    async def wait_for(self, url: str, seconds: float = 30) -> None:
        """Wait until an address answers 200."""
        until = time.monotonic() + seconds
        async with httpx2.AsyncClient() as client:
            while True:
                try:
                    if (await client.get(url)).status_code == 200:
                        return
                except httpx2.TransportError:
                    pass
                if time.monotonic() > until:
                    raise TimeoutError(f"{url} did not answer within {seconds} s")
                await asyncio.sleep(0.1)


@asynccontextmanager
async def running_world(parts: Sequence[str] = PARTS) -> AsyncIterator[World]:
    """Start a stack in a temporary directory and stop it afterwards."""
    for limit in ("BURSAR_RATE_LIMIT", "BURSAR_ORGANIZATION_RATE_LIMIT"):
        os.environ.setdefault(limit, "100000000/minute")
    os.environ.setdefault("BURSAR_LIMIT_STREAMS", "1000")
    os.environ.setdefault("BURSAR_LOG_LEVEL", "WARNING")
    # Payments wait for their webhooks: a poll would book before the burst that is measured.
    os.environ.setdefault("BURSAR_FIRST_POLL", "PT1H")
    with tempfile.TemporaryDirectory(prefix="bursar-bench-") as directory:
        os.chmod(directory, 0o755)
        stack = Stack(Path(directory), Ports.free(), parts=parts, say=lambda _line: None)
        await stack.start()
        try:
            dev = json.loads(stack.dev_file.read_text())
            yield World(
                stack=stack,
                keys=dev["keys"],
                ids=dev["ids"],
                port=int(dev["api_url"].rsplit(":", 1)[1]),
                api_url=dev["api_url"] + "/api/v1",
                temporal_address=dev["temporal_address"],
                database_url=dev["database_url"],
                data_dir=Path(directory),
            )
        finally:
            await stack.stop()
