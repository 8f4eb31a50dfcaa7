"""A server that speaks the API of OpenSearch, in memory: `osmem-server`, one for a run of tests."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from osmem_server import resolve_binary

from providers.search_index import SearchIndex

RECIPE = Path(__file__).parents[2] / "docs" / "guides" / "recipes" / "search-index.md"


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


class Secured(httpx2.AsyncBaseTransport):
    """Reaches the server with a key that has the rights of the recipe and no other, as Elasticsearch checks them.

    The rights of each call: https://www.elastic.co/docs/api/doc/elasticsearch, "Required authorization".
    """

    #: The method, the path, and what it takes on the cluster or on the index.
    NEEDS = (
        ("(GET|PUT)", "/_index_template/[^/]+", "manage_index_templates"),
        ("GET", "/_resolve/index/(?P<index>[^/]+)", "view_index_metadata"),
        ("GET", "/(?P<index>[^/_][^/]*)", "view_index_metadata"),
        ("PUT", "/(?P<index>[^/_][^/]*)", "create_index"),
        ("DELETE", "/(?P<index>[^/_][^/]*)", "delete_index"),
        ("GET", "/_cat/indices/(?P<index>[^/]+)", "monitor"),
        ("POST", "/_bulk", "create_doc"),
    )

    def __init__(self) -> None:
        self.server, self.asked = httpx2.AsyncHTTPTransport(), list[str]()
        words = " ".join(RECIPE.read_text().split())
        named = re.search(r"the rights (.+?) on `bursar-events-\*`, and (.+?) on the cluster", words)
        assert named is not None
        self.rights = frozenset(re.findall(r"`(\w+)`", f"{named[1]} {named[2]}"))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        for method, pattern, right in self.NEEDS:
            found = re.fullmatch(pattern, path) if re.fullmatch(method, request.method) else None
            if found is None:
                continue
            index = found.groupdict().get("index") or ""
            if right in self.rights and (not index or index.startswith("bursar-events-")):
                self.asked.append(right)
                return await self.server.handle_async_request(request)
            break
        kind = {"type": "security_exception", "reason": f"{request.method} {path} is unauthorized"}
        return httpx2.Response(403, json={"error": kind, "status": 403})

    async def aclose(self) -> None:
        await self.server.aclose()


def index_at(url: str, client: httpx2.AsyncClient, *, name: str = "events", months: int = 24) -> SearchIndex:
    return SearchIndex(client, url, name=name, months=months, authorization="ApiKey test")


async def found(url: str, name: str = "events", **query: Any) -> dict[str, Any]:
    """Return the documents of an index by their ids."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        body = {"size": 10_000, "query": query or {"match_all": {}}}
        answer = await client.post(f"{url}/{name}-*/_search", json=body)
        return {hit["_id"]: hit for hit in answer.json()["hits"]["hits"]}
