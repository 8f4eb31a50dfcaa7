"""A server that speaks the API of OpenSearch, in memory: `osmem-server`, one for a run of tests."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from osmem_server import resolve_binary

from providers.search_index import SearchIndex


@contextmanager
def search_server() -> Iterator[str]:
    """Start it on a free port of this machine, and yield its address."""
    command = [resolve_binary(), "-addr", "127.0.0.1:0", "-no-stdin-watch", "-no-ja"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.kill()


def index_at(url: str, client: httpx2.AsyncClient, *, name: str = "events", months: int = 24) -> SearchIndex:
    return SearchIndex(client, url, name=name, months=months, authorization="ApiKey test")


async def found(url: str, name: str = "events", **query: Any) -> dict[str, Any]:
    """Return the documents of an index by their ids."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        body = {"size": 10_000, "query": query or {"match_all": {}}}
        answer = await client.post(f"{url}/{name}-*/_search", json=body)
        return {hit["_id"]: hit for hit in answer.json()["hits"]["hits"]}
