"""The story of a year's events in a file and in the search index, whose totals are those of the API."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx2

from dev.stack.narrator import Narrator

TITLE = "Events leave for a file and for the search index, and their totals are the API's"
#: How long the story waits for the index, in seconds.
PATIENCE = 300
_LONG_AGO = "2020-01-01T00:00:00Z"
_TYPE = "escrow.funded"


class SearchStory:
    """Tells it of what the client has funded so far."""

    def __init__(self, narrator: Narrator) -> None:
        """Take the narrator."""
        self._narrator = narrator

    async def tell(self) -> None:
        """Tell it; raises StoryEnded when it cannot go on."""
        narrator, org_id = self._narrator, self._narrator.running.ids["client_org"]
        made = await narrator.post("client", "/exports", {"dataset": "events", "from": _LONG_AGO, "format": "jsonl"})
        at = f"/exports/{made['id']}"
        await narrator.wait_for("the export is done", "client", at, lambda found: found["status"] == "done")
        export = await narrator.get("client", at)
        files = export["files"]
        narrator.expect("rows of the files", sum(each["rows"] for each in files), export["rows_done"])
        narrator.say(f"   {export['rows_done']} events are in {', '.join(each['name'] for each in files)}, with a hash")
        if narrator.running.search_url is None:
            return
        count, total = 0, Decimal(0)
        cursor: str | None = ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            page = await narrator.get("client", f"/events?type={_TYPE}&limit=100{more}")
            count += len(page["data"])
            total += sum(Decimal(each["data"]["funded_amount"]) for each in page["data"])
            cursor = page["next_cursor"]
        found = await self._search(org_id, count)
        minor = int(found["aggregations"]["funded"]["value"])
        narrator.expect("escrows funded, by the search index", found["hits"]["total"]["value"], count)
        narrator.expect("credits funded, by the search index", Decimal(minor) / 10**6, total)
        narrator.say(f"   the search index says so as well: {count} escrows were funded with {total} credits")

    async def _search(self, org_id: str, count: int) -> dict[str, Any]:
        """Ask until the index has as many events, which come within a second or two of the fact."""
        asked = {"bool": {"filter": [{"term": {"organization_id": org_id}}, {"term": {"type": _TYPE}}]}}
        body = {
            "size": 0,
            "track_total_hits": True,
            "query": asked,
            "aggs": {"funded": {"sum": {"field": "funded_amount_minor"}}},
        }
        found: dict[str, Any] = {"hits": {"total": {"value": 0}}, "aggregations": {"funded": {"value": 0}}}
        url = f"{self._narrator.running.search_url}/bursar-events-*/_search"
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while found["hits"]["total"]["value"] < count:
                        await asyncio.sleep(0.2)
                        answer = await client.post(url, json=body)
                        found = answer.json() if answer.status_code == 200 else found
        return found
