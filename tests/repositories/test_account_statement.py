"""The cost of a statement does not grow with earlier history, and every interval adds up."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from dev.stack.postgres import Postgres
from domain.books.account_statement import StatementPeriod
from repositories.books import account_statement as statements
from repositories.books.account_statement import StatedAccount
from runtime.database import Database
from tests.conftest import new_database
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db

SMALL, LARGE = 2_000, 16_000
BEGUN, MINUTE = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=1)
ACCOUNT = StatedAccount(256, "CREDIT")
#: One transfer a minute; each tenth is stamped after the one that follows it, and each hundredth has two entries.
FILL = """
WITH made AS (
    SELECT i, ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid AS id,
        $1::timestamptz + i * interval '1 minute' + CASE WHEN i % 10 = 0 THEN interval '61 s' ELSE '0' END AS at
    FROM generate_series($2::bigint, $3::bigint) i
), moved AS (
    INSERT INTO ledger.transfers (id, effective_at, recorded_at, idempotency_key, request_hash, kind, reference)
    SELECT id, at - interval '1 day', at, 'k' || i, '', 'common', 'ref' || i FROM made
), balanced AS (
    INSERT INTO ledger.balances (account_id, stripe, asset, org_id, posted, version)
    SELECT 256, 0, 'CREDIT', 'org_busy', 3 * $3, $3 + $3 / 100
    ON CONFLICT (account_id, stripe) DO UPDATE SET posted = excluded.posted, version = excluded.version
)
INSERT INTO ledger.entries
    (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
SELECT 256, i + (i - 1) / 100, CASE WHEN i % 100 = 0 THEN 1 ELSE 3 END, 3 * i - CASE WHEN i % 100 = 0 THEN 2 ELSE 0 END,
    at, id, 0, 'CREDIT', 'org_busy' FROM made
UNION ALL SELECT 256, i + i / 100, 2, 3 * i, at, id, 0, 'CREDIT', 'org_busy' FROM made WHERE i % 100 = 0
"""


async def fill(owner: asyncpg.Connection, first: int, last: int) -> None:
    await owner.execute("SET session_replication_role = replica")
    await owner.execute(FILL, BEGUN, first, last)
    await owner.execute("ANALYZE")


@pytest.fixture(scope="module")
async def books(cluster: Postgres) -> AsyncIterator[tuple[Database, asyncpg.Connection]]:
    with new_database(cluster, "bursar_statements") as urls:
        database, owner = Database(urls.tenant, urls.platform), await asyncpg.connect(urls.owner)
        try:
            await owner.execute(
                "INSERT INTO ledger.accounts (id, path, asset, org_id, kind)"
                " VALUES (256, 'busy', 'CREDIT', 'org_busy', 'asset')"
            )
            await fill(owner, 1, SMALL)
            yield database, owner
        finally:
            await database.close()
            await owner.close()


async def test_statement_adds_up_wherever_it_begins_and_ends(books: tuple[Database, asyncpg.Connection]) -> None:
    random_ = random.Random(random.randrange(2**32))  # the run's seed
    async with books[0].platform() as session:
        for _ in range(15):
            a, b, c = sorted(BEGUN + random_.uniform(-10, SMALL + 10) * MINUTE for _ in range(3))
            earlier = await statements.bounds(session, ACCOUNT, StatementPeriod(a, b))
            later = await statements.bounds(session, ACCOUNT, StatementPeriod(b, c))
            assert (earlier.last, earlier.closing) == (later.first, later.opening)
            first, total, seen = earlier.first, earlier.opening, set[str]()
            while first < earlier.last:
                lines = await statements.lines(
                    session, "org_busy", ACCOUNT, first=first, last=earlier.last, limit=random_.randint(1, 300)
                )
                first, total = lines[-1].version, total + sum(line.amount_minor for line in lines)
                assert not seen & {line.transfer_id for line in lines}
                seen |= {line.transfer_id for line in lines}
                assert lines[-1].balance_minor == total
            assert (first, total) == (max(earlier.first, earlier.last), earlier.closing)


async def test_history_before_a_statement_costs_nothing(books: tuple[Database, asyncpg.Connection]) -> None:
    database, owner = books

    async def cost(last: int) -> int:
        until = BEGUN + last * MINUTE
        period = StatementPeriod(until - 30 * MINUTE, until)

        async def bounds(session: AsyncSession) -> object:
            return await statements.bounds(session, ACCOUNT, period)

        async with database.platform() as session:
            found = await statements.bounds(session, ACCOUNT, period)

        async def lines(session: AsyncSession) -> object:
            return await statements.lines(
                session,
                "org_busy",
                ACCOUNT,
                first=found.first,
                last=found.last,
                limit=50,
            )

        return await blocks_read(database, None, bounds) + await blocks_read(database, None, lines)

    small = await cost(SMALL)
    await fill(owner, SMALL + 1, LARGE)
    assert await cost(LARGE) <= small * 1.4 + 40
