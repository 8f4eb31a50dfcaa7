"""Earnings of agents in a period are equal before and after the daily batch, and read from daily sums."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from repositories.payouts import payable
from repositories.payouts.payable import Flow
from runtime.database import Database
from tests.conftest import new_database
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db

SMALL, LARGE = 2_000, 16_000
BEGUN, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)
ORG, AGENT, ACCOUNT = "org_busy", "agt_busy", 256
#: Within ten days, whatever their number: most are earnings, some leave for a payout and some of these come back.
FILL = """
WITH made AS (
    SELECT i, ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid AS id,
        $1::timestamptz + (i * 7919 % 864000) * interval '1 s' AS at,
        CASE WHEN i % 10 = 0 THEN 'payout.requested' WHEN i % 30 = 1 THEN 'payout.returned' ELSE 'released' END AS kind
    FROM generate_series($2::bigint, $3::bigint) i
), moved AS (
    INSERT INTO ledger.transfers (id, effective_at, recorded_at, idempotency_key, request_hash, kind)
    SELECT id, at, at, 'k' || i, '', kind FROM made
)
INSERT INTO ledger.entries
    (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
SELECT 256, i, CASE kind WHEN 'payout.requested' THEN -i ELSE i END, 0, at, id, 0, 'CREDIT', 'org_busy' FROM made
"""
NAIVE = """
SELECT coalesce(sum(e.amount) FILTER (WHERE e.amount > 0 AND t.kind <> 'payout.returned'), 0)::bigint,
    coalesce(-sum(e.amount) FILTER (WHERE t.kind LIKE 'payout.%'), 0)::bigint
FROM ledger.entries e JOIN ledger.transfers t ON t.id = e.transfer_id
WHERE ($1::timestamptz IS NULL OR e.effective_at >= $1) AND ($2::timestamptz IS NULL OR e.effective_at < $2)
"""
UP_TO = "UPDATE ledger.accounting_place SET summed = ('00000000-0000-7000-8000-' || lpad($1::text, 12, '0'))::uuid"


class Books:
    def __init__(self, database: Database, owner: asyncpg.Connection) -> None:
        self.database, self.owner = database, owner

    async def fill(self, first: int, last: int, *, added_up: int) -> None:
        await self.owner.execute("SET session_replication_role = replica")
        await self.owner.execute(FILL, BEGUN, first, last)
        await self.owner.execute("SET session_replication_role = origin")
        await self.add_up(added_up)
        await self.owner.execute("ANALYZE")

    async def add_up(self, number: int) -> None:
        await self.owner.execute(UP_TO, str(number))

    async def flow(self, since: datetime | None, until: datetime | None) -> Flow:
        async with self.database.platform() as session:
            found = await payable.flows(session, ORG, [AGENT], since=since, until=until)
        return found.get((AGENT, "CREDIT"), Flow(0, 0))

    async def expected(self, since: datetime | None, until: datetime | None) -> Flow:
        found = await self.owner.fetchrow(NAIVE, since, until)
        assert found is not None
        return Flow(found[0], found[1])


@pytest.fixture
async def books(cluster: Postgres) -> AsyncIterator[Books]:
    with new_database(cluster, "bursar_flows") as urls:
        database, owner = Database(urls.tenant, urls.platform), await asyncpg.connect(urls.owner)
        try:
            await owner.execute(
                "INSERT INTO ledger.accounts (id, path, asset, org_id, kind)"
                f" VALUES ({ACCOUNT}, 'agent/{AGENT}/earnings/CREDIT', 'CREDIT', '{ORG}', 'liability')"
            )
            yield Books(database, owner)
        finally:
            await database.close()
            await owner.close()


async def test_flows_equal_the_entries_for_any_period_and_batch_progress(books: Books) -> None:
    await books.fill(1, 600, added_up=0)
    chance = random.Random("flows")
    ends = [BEGUN + timedelta(seconds=chance.randrange(-DAY.seconds, 11 * 86_400)) for _ in range(8)]
    ends += [BEGUN, BEGUN + 3 * DAY, BEGUN + 4 * DAY, BEGUN + 10 * DAY]
    periods = [(None, None), *((None, end) for end in ends), *((end, None) for end in ends)]
    periods += [(since, until) for since in ends for until in ends if since < until]
    for number in (0, 250, 599, 600):
        await books.add_up(number)
        for since, until in periods:
            assert await books.flow(since, until) == await books.expected(since, until), (number, since, until)


async def test_total_earnings_are_read_from_daily_sums(books: Books) -> None:
    whole_days = {"since": BEGUN + DAY, "until": BEGUN + 9 * DAY}
    costs = []
    for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
        await books.fill(first, last, added_up=last - 50)
        costs.append(
            [
                await blocks_read(books.database, None, partial(payable.flows, org_id=ORG, agents=[AGENT], **period))
                for period in ({"since": None, "until": None}, whole_days)
            ]
        )
    small, large = costs
    # The deeper indexes of the larger tables, for each of the fifty that are not added up.
    assert all(after <= before + 150 for before, after in zip(small, large, strict=True)), (small, large)
