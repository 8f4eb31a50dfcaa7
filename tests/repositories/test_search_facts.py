"""Frequent reads for new search documents do not grow with the history."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from repositories.insight import search_facts
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.plans import blocks_read, vacuum

pytestmark = pytest.mark.db

#: What a deeper index and fuller last blocks add.
SLACK = 60
ENTRIES = """
    INSERT INTO purchase_entries (org_id, id, order_id, agent_id, transaction_type, item, amount_minor, currency,
        status, budget_remaining, at)
    SELECT 'org_' || number % 2000, uuidv7(- number * interval '1 minute'), 'por_' || number, 'agt_1',
        'purchase_attempt', 'A book', 100, 'USD', 'succeeded', '{}', now()
    FROM generate_series($1::integer, $2, -1) AS number
"""


async def test_reads_for_new_facts_do_not_grow_with_history(
    fresh_database_urls: DatabaseUrls,
) -> None:
    urls = fresh_database_urls
    database, owner = Database(urls.tenant, urls.platform), await asyncpg.connect(urls.owner)
    now = datetime.now(UTC)

    async def look(session: AsyncSession) -> None:
        since = now - timedelta(minutes=10)
        assert await search_facts.organizations(session, since, now)
        await search_facts.others(session, since, now)

    async def read(first: int, last: int) -> int:
        await owner.execute(ENTRIES, first, last)
        await vacuum(owner, "purchase_entries")
        return await blocks_read(database, None, look)

    try:
        await owner.execute("SET session_replication_role = replica")
        before = await read(4_000, 1)
        assert await read(40_000, 4_001) <= before + SLACK
    finally:
        await owner.close()
        await database.close()
