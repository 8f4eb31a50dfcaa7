"""Retries are found without reading earlier or much later deliveries."""

from datetime import timedelta
from functools import partial

import asyncpg
import pytest

from models.messages.webhook_endpoint import WebhookEndpointRow
from repositories.messages import webhook_delivery as deliveries
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.repositories.test_event import FILL, LARGE, SLACK, SMALL, START
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db


@pytest.mark.slow
async def test_replay_costs_the_same_however_long_the_history_is(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    endpoint = WebhookEndpointRow(types=["*"], id="whe_1", org_id="org_1", read_in=2**62, read_id="")
    owner = await asyncpg.connect(fresh_database_urls.owner)
    costs: dict[str, list[int]] = {"all": [], "of a type": [], "failed": []}
    for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
        await owner.execute(FILL, first, last, START)
        await owner.execute("VACUUM ANALYZE events")
        since, until = (START + timedelta(minutes=minute) for minute in (last - 9, last + 1))
        read = partial(deliveries.replayable_events, endpoint=endpoint, since=since, until=until, most=100)
        async with database.platform() as session:
            rows = await read(session, types=None, only_failed=False)
        assert rows is not None
        assert len(rows) == 10
        for name, types in (("all", None), ("of a type", ["escrow.funded"]), ("failed", None)):
            reading = partial(read, types=types, only_failed=name == "failed")
            costs[name].append(await blocks_read(database, None, reading))
    await owner.close()
    assert {name: cost for name, cost in costs.items() if cost[1] > cost[0] + SLACK} == {}


@pytest.mark.slow
async def test_replay_of_an_old_time_costs_the_same_however_much_has_happened_since(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    endpoint = WebhookEndpointRow(types=["*"], id="whe_1", org_id="org_1", read_in=2**62, read_id="")
    since, until = (START + timedelta(minutes=minute) for minute in (11, 21))
    owner = await asyncpg.connect(fresh_database_urls.owner)
    costs: dict[str, list[int]] = {"all": [], "failed": []}
    for first, last in ((1, LARGE), (LARGE + 1, 2 * LARGE)):
        await owner.execute(FILL, first, last, START)
        await owner.execute("VACUUM ANALYZE events")
        read = partial(deliveries.replayable_events, endpoint=endpoint, since=since, until=until, most=100, types=None)
        async with database.platform() as session:
            rows = await read(session, only_failed=False)
        assert rows is not None
        assert len(rows) == 10
        for name in costs:
            costs[name].append(await blocks_read(database, None, partial(read, only_failed=name == "failed")))
    await owner.close()
    assert {name: cost for name, cost in costs.items() if cost[1] > cost[0] + SLACK} == {}


async def test_replay_has_what_was_written_within_a_day_of_its_time(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    endpoint = WebhookEndpointRow(types=["*"], id="whe_1", org_id="org_1", read_in=2**62, read_id="")
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute(FILL, 1, SMALL, START)
    # A subject of its own, whose events were written a day late.
    await owner.execute(FILL.replace("i / 8, i % 8, at", "'late' || i, 1, at - interval '1 day'"), 1_441, 1_449, START)
    await owner.close()
    since, until = START + timedelta(minutes=1), START + timedelta(minutes=10)
    async with database.platform() as session:
        rows = await deliveries.replayable_events(
            session, endpoint, since=since, until=until, types=None, only_failed=False, most=100
        )
    assert rows is not None
    assert len(rows) == 18
