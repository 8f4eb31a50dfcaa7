"""A chargeback takes from a limited number of accounts of an organization's agents."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from dev.stack.postgres import Postgres
from domain.common import accounts
from repositories.payouts.earnings import MAX_ACCOUNTS, recoverable
from runtime.database import Database
from tests.conftest import new_database

pytestmark = pytest.mark.db

ORG, AGENTS = "org_many", MAX_ACCOUNTS + 1
#: Each agent has earned as much as its number; the last one was paid by its own organization, too, and in credits that
#: nobody paid for.
FILL = """
INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_many', 'Many', 'test', 'org');
INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)
SELECT 'agt_' || i, 'org_many', 'Agent', 'private', 'free', 'test', 'agent' || i FROM generate_series(1, {agents}) i;
INSERT INTO ledger.accounts (id, path, asset, org_id, kind, floor, stripes)
SELECT i << 8, 'agent/agt_' || i || '/earnings/CREDIT', 'CREDIT', 'org_many', 'liability', 0, 1
FROM generate_series(1, {agents}) i
UNION ALL
SELECT 100000 << 8, 'agent/agt_{agents}/own_work/CREDIT', 'CREDIT', 'org_many', 'liability', 0, 1
UNION ALL
SELECT 100001 << 8, 'agent/agt_{agents}/granted_earnings/CREDIT', 'CREDIT', 'org_many', 'liability', 0, 1;
INSERT INTO ledger.balances (account_id, stripe, floor, asset, org_id, posted)
SELECT id, 0, 0, 'CREDIT', org_id, least(id >> 8, 50000) FROM ledger.accounts;
"""


@pytest.fixture
async def many(cluster: Postgres) -> AsyncIterator[Database]:
    with new_database(cluster, "bursar_earnings") as urls:
        cluster.execute(FILL.format(agents=AGENTS), "bursar_earnings")
        database = Database(urls.tenant, urls.platform)
        yield database
        await database.close()


async def test_clawback_takes_own_work_first_and_then_the_largest_accounts(many: Database) -> None:
    async with many.platform() as session:
        assert await session.scalar(text("SELECT count(*) FROM ledger.accounts")) == AGENTS + 2
        found = await recoverable(session, ORG, "CREDIT", 10**12)
    assert found[0] == accounts.agent_own_work(f"agt_{AGENTS}", "CREDIT", ORG)
    assert found[1] == accounts.agent_granted_earnings(f"agt_{AGENTS}", ORG)
    largest = [accounts.agent_earnings(f"agt_{number}", "CREDIT", ORG) for number in range(AGENTS, 3, -1)]
    assert found[2:] == largest
    assert len(found) == MAX_ACCOUNTS
