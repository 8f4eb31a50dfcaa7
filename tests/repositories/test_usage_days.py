"""Sums of usage by day."""

from datetime import UTC, date, datetime

import asyncpg
import pytest

from repositories.usage import usage_report
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.arrears import Market
from tests.support.proving import prove_all

pytestmark = pytest.mark.db

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
#: What a day is brought to by events like those, so many that a test cannot send them.
MANY = 2**63 - 1


async def test_tokens_of_a_day_add_up_to_more_than_64_bits(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    market = await Market(database).open()
    org_id = await market.organization()
    data = {"model": market.model, "usage": {"output_tokens": 5}}
    owner = await asyncpg.connect(fresh_database_urls.owner)

    async def report() -> None:
        await market.report(org_id, "work", NOON, data)

    async def kept() -> int:
        async with database.platform() as session:
            [total] = await usage_report.totals(
                session, org_id, date(2026, 1, 5), date(2026, 1, 6), dimension="all", value=None, by_day=False
            )
        found: int = total.counted["output_tokens"]
        return found

    await report()
    await owner.execute(f"UPDATE usage_days SET output_tokens = output_tokens + {MANY - 5}")
    await report()
    assert await kept() == MANY + 5
    await owner.execute(f"UPDATE usage_days SET output_tokens = output_tokens - {MANY - 5}")
    assert await kept() == 10
    await owner.close()
    await prove_all(fresh_database_urls)
