"""Rows of lots that a balance reads."""

import asyncpg
import pytest

from tests.conftest import DatabaseUrls
from tests.support.books import fresh

pytestmark = pytest.mark.db

MANY = 20_000
#: Credits without an end of one organization, and credits with one of another.
LOTS = """
INSERT INTO ledger.lots (id, account_id, org_id, source, priority, opened_at, expires_at, lapses, amount, remaining,
    paid, root_id, transfer_id)
SELECT i.id, i.account_id, i.org_id, 'promotion', 0, now(), i.expires_at, true, 1, 1, 0, i.id, i.id
FROM (
    SELECT gen_random_uuid() AS id, a.id AS account_id, a.org_id,
        CASE WHEN a.org_id = $2 THEN now() + make_interval(mins => n) END AS expires_at
    FROM ledger.accounts a, generate_series(1, $3::integer) n WHERE a.org_id IN ($1, $2)
) i
"""
FETCHED = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'ledger.lots'::regclass"


async def test_balance_reads_the_first_lots_of_its_organization_and_not_those_of_others(
    database_urls: DatabaseUrls,
) -> None:
    org, other = fresh("org"), fresh("org")
    owner = await asyncpg.connect(database_urls.owner)
    transaction = owner.transaction()
    await transaction.start()
    try:
        for name in (org, other):
            await owner.fetch(
                "SELECT ledger.open_account($1, 'CREDIT', $2, 'liability', 0, 1::smallint, true, true)",
                f"org/{name}/credits",
                name,
            )
        await owner.execute(LOTS, org, other, MANY)
        # The planner knows how they are spread.
        await owner.execute("ANALYZE ledger.lots")
        await owner.execute("SET LOCAL ROLE bursar_api")
        for name, listed in ((org, 0), (other, 100)):
            await owner.execute("SET LOCAL bursar.org_id = ''")
            before = await owner.fetchval(FETCHED)
            found = await owner.fetchrow("SELECT * FROM balance_view($1, 'CREDIT')", name)
            assert found is not None
            read = await owner.fetchval(FETCHED) - before
            assert len(found["amounts"] or []) == listed
            assert listed <= read < 1_000
    finally:
        await transaction.rollback()
        await owner.close()
