"""The benches measure real operations: each is in the books."""

from contextlib import AsyncExitStack

import asyncpg
import pytest

from dev.bench import latencies, neighbours
from runtime.database import Database
from tests.conftest import DatabaseUrls


@pytest.mark.parametrize("kind", neighbours.KINDS)
async def test_the_books_take_what_is_measured_beside_a_busy_organization(
    kind: str, fresh_database_urls: DatabaseUrls
) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner.replace("+asyncpg", ""))
    await neighbours.seed(owner)
    await owner.close()
    database = Database(fresh_database_urls.platform, fresh_database_urls.platform)
    async with AsyncExitStack() as held:
        held.push_async_callback(database.close)
        act = await neighbours.KINDS[kind](database, neighbours.org_of(0, busy=False), held)
        await act()
        await act()


def test_latencies_are_less_what_somebody_else_takes_and_the_target_is_of_the_middle() -> None:
    middle, slow = latencies.rows_of("payment", [number / 1000 for number in range(1, 102)], 100, less=0.010)
    assert (round(middle.value, 6), round(slow.value, 6)) == (41, 90)
    assert (middle.reached, slow.reached) == (True, None)
