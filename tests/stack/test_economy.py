"""A tenth of the day that `make economy` plays."""

import asyncpg
import pytest

from commands.verify import verify
from dev.economy.__main__ import BEGINS, is_right, lines, play
from dev.economy.world import Urls
from ledger.spends import Pool
from tests.conftest import DatabaseUrls
from tests.support.seeds import RUN_SEED

pytestmark = pytest.mark.db


async def test_a_day_of_a_hundred_agents_passes_no_limit_and_refuses_nothing_that_fits(
    fresh_database_urls: DatabaseUrls,
) -> None:
    urls = Urls(fresh_database_urls.tenant, fresh_database_urls.platform)
    day, report = await play(urls, BEGINS, projects=5, agents=100, seed=RUN_SEED)
    shown = "\n".join(lines(day, report))
    assert is_right(report), shown
    # Each kind did what it is there for.
    assert {reason for _, reason in report.refused} == {"limit", "per_spend", "pool_closed"}, shown
    assert report.refused["persons", "limit"] >= len(day.projects), shown
    assert report.expired, shown
    assert report.forged["tried"], shown
    assert {slot[-1] for slot, used in day.count.used.items() if used} >= {Pool.RESERVE, Pool.ALLOWANCE}, shown
    connection = await asyncpg.connect(urls.platform)
    assert (await verify(connection)).ok
    await connection.close()
