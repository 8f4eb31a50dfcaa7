"""Usage events as clients send them."""

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.usage.prices import make_price
from repositories.usage import meter, model_price, usage, usage_charge
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.conftest import DatabaseUrls
from tests.support import proving

NUMBERS = itertools.count(1)
BATCH = "application/cloudevents-batch+json"
WHY = "The reporter counted in bytes."


def event(**changes: Any) -> dict[str, Any]:
    """Return a new event; what is None is left out."""
    made = {
        "specversion": "1.0",
        "id": f"event-{next(NUMBERS)}",
        "source": "tests",
        "type": "task",
        "time": datetime.now(UTC).isoformat(),
        "data": {},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


async def send(caller: Caller, *events: Any, path: str = "/usage/events") -> dict[str, Any]:
    """Send a batch."""
    headers = {"Content-Type": BATCH}
    sent: dict[str, Any] = good(await caller.ask("POST", path, content=json.dumps(events), headers=headers))
    return sent


async def void(caller: Caller, tenant: Tenant, event_id: str, **changes: Any) -> Any:
    body = {"organization_id": tenant.org_id, "reason": WHY, **changes}
    return await caller.post(f"/usage/charges/{event_id}/void", body, key=new_key())


def statuses(answer: dict[str, Any]) -> list[str]:
    return [item["code"] or item["status"] for item in answer["events"]]


async def prove(urls: DatabaseUrls) -> None:
    """Check that what is kept by day is what the events add up to."""
    await proving.prove(urls, usage.INVARIANTS, meter.INVARIANTS, usage_charge.INVARIANTS)


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove(database_urls)


async def import_prices(
    database: Database, model: str, since: datetime, provider: str = "openai", **prices: str
) -> None:
    """Set a model's price per unit from a time on."""
    price = make_price(
        model=model,
        provider="openai",
        currency="USD",
        version=f"v{next(NUMBERS)}",
        valid_from=since,
        tiers={"standard": [(0, prices)]},
    )
    async with database.platform() as session:
        await model_price.add(
            session, [price], version=price.version, sha256=new_id("sha"), valid_from=since, entries=1
        )
