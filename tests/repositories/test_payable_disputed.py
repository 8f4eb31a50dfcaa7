"""Payable earnings are found by their payments, independently of other chargebacks and older earnings."""

from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from domain.payouts.payable import HoldBack, PayableState
from repositories.payouts import payable
from runtime.database import Database
from tests.conftest import new_database
from tests.support.plans import blocks_read, vacuum

pytestmark = pytest.mark.db

FEW, MANY = 100, 4_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
WINDOWS = {"agt_busy": HoldBack(usual=timedelta(days=14), floor=timedelta(days=7)).window(None, NOW)}
#: An agent with 200 lots of earnings, each of a payment of its own.
LOTS = """
INSERT INTO ledger.accounts (id, path, asset, org_id, kind, lots)
VALUES (256, 'agent/agt_busy/earnings/CREDIT', 'CREDIT', 'org_busy', 'liability', true);
INSERT INTO ledger.lots (id, account_id, org_id, source, priority, opened_at, lapses, amount, remaining, held, paid,
    costed, paid_asset, payment_id, root_id, transfer_id, is_open)
SELECT uuidv7(), 256, 'org_busy', 'purchase', 0, '2026-02-28', false, 100, 100, 0, 10, 0, 'USD', 'pay_' || i, uuidv7(),
    uuidv7(), true
FROM generate_series(1, 200) i
"""
DISPUTES = """
INSERT INTO payment_disputes (id, provider, ref, payment_id, org_id, status, reason, currency, amount_minor, opened_at,
    updated_at)
SELECT 'dsp_' || i, 'stripe', 'du_' || i, 'pay_' || i, 'org_other', 'under_review', 'fraudulent', 'USD', 10,
    '2026-02-28', '2026-02-28'
FROM generate_series($1::bigint, $2::bigint) i
"""


async def test_chargebacks_of_others_do_not_slow_down_reads_of_earnings(cluster: Postgres) -> None:
    with new_database(cluster, "bursar_disputed") as urls:
        database, owner = Database(urls.tenant, urls.platform), await asyncpg.connect(urls.owner)
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(LOTS)
        read = []
        for first, last in ((200, FEW + 200), (FEW + 201, MANY)):
            await owner.execute(DISPUTES, first, last)
            await vacuum(owner, "payment_disputes", "ledger.lots", "ledger.accounts")
            read.append(await blocks_read(database, None, lambda session: payable.shares(session, WINDOWS, {"CREDIT"})))
        async with database.platform() as session:
            found = await payable.shares(session, WINDOWS, {"CREDIT"})
        await database.close()
        await owner.close()
    # Of its own payments one is charged back.
    assert {share.state: share.amount_minor for share in found} == {
        PayableState.FROZEN: 100,
        PayableState.PENDING: 19_900,
    }
    assert read[1] < 1.5 * read[0], read


#: Agents with money of their own.
MONEY = """
WITH account AS (
    INSERT INTO ledger.accounts (id, path, asset, org_id, kind)
    SELECT i * 256, 'agent/agt_' || i || '/earnings/USD', 'USD', 'org_busy', 'liability' FROM generate_series(1, 20) i
)
INSERT INTO ledger.balances (account_id, stripe, floor, asset, org_id, posted, version)
SELECT i * 256, 0, 0, 'USD', 'org_busy', 10, 1 FROM generate_series(1, 20) i
"""
#: A payment for each chargeback, and where its money came in.
PAID = """
WITH made AS (
    INSERT INTO payments (id, org_id, provider, workflow_id, status, version, purpose, currency, amount_minor,
        received_minor, refunded_minor, fee_minor, state, created_at, updated_at)
    SELECT 'pay_' || i, 'org_other', 'stripe', 'payment/' || i, 'disputed', 1, 'credits', 'USD', 10, 10, 0, 0, '{}',
        '2026-02-01', '2026-02-01'
    FROM generate_series(1, $1::bigint) i
)
INSERT INTO ledger.accounts (id, path, asset, org_id, kind)
SELECT 1024000 + i * 256, 'org/org_other/payments/pay_' || i, 'USD', 'org_other', 'liability'
FROM generate_series(1, $1::bigint) i
"""


async def test_chargebacks_are_read_once_for_all_agents(cluster: Postgres) -> None:
    window = WINDOWS["agt_busy"]
    with new_database(cluster, "bursar_charged") as urls:
        database, owner = Database(urls.tenant, urls.platform), await asyncpg.connect(urls.owner)
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(MONEY)
        await owner.execute(PAID, 1_000)
        await owner.execute(DISPUTES, 1, 1_000)
        await vacuum(owner, "payment_disputes", "payments", "ledger.accounts", "ledger.balances")
        read = []
        for number in (1, 20):
            windows = {f"agt_{i}": window for i in range(1, number + 1)}
            read.append(await blocks_read(database, None, partial(payable.shares, windows=windows, assets={"USD"})))
        await database.close()
        await owner.close()
    assert read[1] < 2 * read[0], read


#: Sales of an agent, all of one time, in the order of their numbers.
SALES = """
WITH made AS (
    INSERT INTO ledger.transfers (id, effective_at, recorded_at, idempotency_key, request_hash, kind)
    SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, $1, $1, 'k' || i, '', 'released'
    FROM generate_series($2::bigint, $3::bigint) i
)
INSERT INTO ledger.entries
    (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset, org_id)
SELECT 256, i, 10, 10 * i, $1, ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 0, 'USD', 'org_busy'
FROM generate_series($2::bigint, $3::bigint) i
"""


async def test_old_earnings_do_not_slow_down_reads(cluster: Postgres) -> None:
    read, old, recent = list[int](), NOW - timedelta(days=300), NOW - timedelta(days=1)
    for number in (200, 20_000):
        with new_database(cluster, f"bursar_earned_{number}") as urls:
            database, owner = Database(urls.tenant, urls.platform), await asyncpg.connect(urls.owner)
            await owner.execute("SET session_replication_role = replica")
            await owner.execute(MONEY.replace("1, 20", "1, 1"))
            await owner.execute(SALES, old, 1, number)
            await owner.execute(SALES, recent, number + 1, number + 30)
            await owner.execute("UPDATE ledger.balances SET posted = $1, version = $2", 10 * number + 300, number + 30)
            await vacuum(owner, "ledger.entries", "ledger.transfers", "ledger.balances", "ledger.accounts")
            windows = {"agt_1": WINDOWS["agt_busy"]}
            reading = partial(payable.shares, windows=windows, assets={"USD"})
            read.append(await blocks_read(database, None, reading))
            async with database.platform() as session:
                found = {share.state: share.amount_minor for share in await reading(session)}
            await database.close()
            await owner.close()
        assert found == {PayableState.AVAILABLE: 10 * number, PayableState.PENDING: 300}
    assert read[1] <= read[0] * 1.5 + 60, read
