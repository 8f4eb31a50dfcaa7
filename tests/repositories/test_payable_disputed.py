"""What can be paid out is found by what paid for it, however many payments of others are charged back."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from domain.payable import HoldBack, PayableState
from repositories import payable
from runtime.database import Database
from tests.conftest import new_database
from tests.support.plans import blocks_read, vacuum

pytestmark = pytest.mark.db

FEW, MANY = 100, 4_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
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


async def test_earnings_are_read_as_fast_however_many_payments_of_others_are_charged_back(cluster: Postgres) -> None:
    windows = {"agt_busy": HoldBack(usual=timedelta(days=14), floor=timedelta(days=7)).window(None, NOW)}
    with new_database(cluster, "bursar_disputed") as urls:
        database, owner = Database(urls.tenant, urls.platform), await asyncpg.connect(urls.owner)
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(LOTS)
        read = []
        for first, last in ((200, FEW + 200), (FEW + 201, MANY)):
            await owner.execute(DISPUTES, first, last)
            await vacuum(owner, "payment_disputes", "ledger.lots", "ledger.accounts")
            read.append(await blocks_read(database, None, lambda session: payable.shares(session, windows, {"CREDIT"})))
        async with database.platform() as session:
            found = await payable.shares(session, windows, {"CREDIT"})
        await database.close()
        await owner.close()
    # Of its own payments one is charged back.
    assert {share.state: share.amount_minor for share in found} == {
        PayableState.FROZEN: 100,
        PayableState.PENDING: 19_900,
    }
    assert read[1] < 1.5 * read[0], read
