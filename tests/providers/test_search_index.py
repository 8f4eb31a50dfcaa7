"""Answers of the search index to documents, including malformed ones."""

import json

import httpx2
import pytest

from providers.payments.base import ProviderUnavailable
from providers.search_index import SearchIndex
from tests.support.cases import for_each


def sizes(limit: int) -> "tuple[list[int], httpx2.MockTransport]":
    """Return a server with a size limit, and the number of documents in each request."""
    asked = list[int]()

    def answer(request: httpx2.Request) -> httpx2.Response:
        lines = request.content.decode().splitlines()
        asked.append(len(lines) // 2)
        if len(request.content) > limit:
            return httpx2.Response(413, text="<html>Request Entity Too Large</html>")
        ids = [json.loads(line)["create"]["_id"] for line in lines[::2]]
        return httpx2.Response(200, json={"items": [{"create": {"_id": each, "status": 201}} for each in ids]})

    return asked, httpx2.MockTransport(answer)


def at(transport: httpx2.MockTransport, client: httpx2.AsyncClient) -> SearchIndex:
    return SearchIndex(client, "http://search.test", name="events", months=1)


async def test_too_large_batch_is_halved_and_a_too_large_document_is_refused_by_name() -> None:
    asked, transport = sizes(1_000)
    documents = [("events-2026-01", f"evt_{n}", {"type": "x" * (2_000 if n == 5 else 10)}) for n in range(9)]
    async with httpx2.AsyncClient(transport=transport) as client:
        sent = await at(transport, client).create(documents)
    assert sent.created == 8
    assert list(sent.refused) == ["evt_5"]
    assert "413" in sent.refused["evt_5"]
    assert asked[0] == 9


@for_each(
    "answer",
    [
        {},
        {"took": 1},
        {"items": None},
        {"items": [{}]},
        {"items": [{"index": {"_id": "evt_1", "status": 201}}]},
        {"items": [{"create": {"status": 201}}]},
        {"items": [{"create": {"_id": "evt_1"}}]},
        {"items": [{"create": {"_id": "evt_1", "status": "no"}}]},
        {"items": ["x"]},
        {"error": "an ingest node is gone"},
        [],
        "x",
    ],
)
async def test_unexpected_response_is_a_named_failure(answer: object) -> None:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=answer))
    async with httpx2.AsyncClient(transport=transport) as client:
        with pytest.raises(ProviderUnavailable):
            await at(transport, client).create([("events-2026-01", "evt_1", {})])
        with pytest.raises(ProviderUnavailable):
            await at(transport, client).indices()
