"""Since when the oldest thing of each batch is due: shown while it is, and gone once it is done."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.common.accounts import platform
from domain.credits.lots import LotSource, LotTerms
from repositories.operations.due import oldest_due
from runtime.database import Database
from services.billing.subscription import accrue
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import bill, month, seen
from tests.support.books import ISSUANCE, LATER, NOW, fresh, open_books, recognise, settle_uses
from tests.support.subscription_books import subscribed

pytestmark = pytest.mark.db

CHARGE = """
INSERT INTO usage_charges (org_id, event, occurred_at, meters, quantities, due_at)
SELECT 'org_' || n, uuidv7(), now(), '{}', '{}', now() - n * interval '1 minute' FROM generate_series(-1, 3) n
"""
VOID = "UPDATE usage_charges SET voided_at = now() WHERE org_id = 'org_3'"
CHARGED = """
UPDATE usage_charges SET spend_id = uuidv7(), amount = 1, charged_at = now()
WHERE due_at < now() AND voided_at IS NULL
"""
PRIORS = """
INSERT INTO reputation_priors (dimension, day, newcomer_e6, proven_e6, newcomer_good_e6, newcomer_bad_e6,
    proven_good_e6, proven_bad_e6) VALUES ('quality', $1, 1, 1, 1, 1, 1, 1)
"""


async def test_oldest_due_item_of_every_batch_is_shown_until_it_is_done(fresh_database_urls: DatabaseUrls) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, pool_size=1)
    async with open_books(fresh_database_urls.platform, 1) as books, _pool(fresh_database_urls) as pool:
        assert set((await oldest_due(pool)).values()) == {None}
        before = datetime.now(UTC)
        kept, ending = await books.org(5), await books.org()
        await books.ledger.hold(key=fresh("hold"), account=kept, amount_minor=1, expires_at=LATER, held_at=NOW)
        terms = LotTerms(source=LotSource.PROMOTION, expires_at=NOW + timedelta(hours=2))
        await books.ledger.post(
            key=fresh("ends"),
            kind="test.issue",
            source=ISSUANCE,
            destination=ending,
            amount_minor=7,
            effective_at=NOW,
            lots=terms,
        )
        await books.ledger.post(
            key=fresh("use"),
            kind="test.use",
            source=kept,
            destination=platform("credit_redemption", "CREDIT"),
            amount_minor=1,
            effective_at=NOW,
        )
        await (await subscribed(database, "premium")).look(seen(bill(0, 500, month(0))))
        await owner.execute(CHARGE)
        await owner.execute(PRIORS, before.date())
        found = await oldest_due(pool)
        assert found["hold-expiry"] == LATER
        assert found["lot-expiry"] == NOW + timedelta(hours=2)
        charged, used = found["usage-charges"], found["revenue-recognition"]
        assert charged is not None
        assert timedelta(minutes=3) <= before - charged + timedelta(seconds=30) < timedelta(minutes=4)
        assert used is not None
        assert before - timedelta(seconds=1) <= used
        posted = found["accounting-days"]
        assert posted is not None
        assert before - timedelta(seconds=1) <= posted
        assert found["subscription-accrual"] == datetime(2026, 2, 1, tzinfo=UTC)
        assert found["reputation-decay"] == datetime(before.year, before.month, before.day, tzinfo=UTC)
        assert "reputation-decay" not in await oldest_due(pool, nights=False)
        await owner.execute(VOID)
        assert (await oldest_due(pool))["usage-charges"] == charged + timedelta(minutes=1)

        await owner.execute("SELECT ledger.expire_holds(now(), 10)")
        await owner.execute("SELECT ledger.expire_lots(now(), 10)")
        paid = 1
        while paid:
            async with database.platform() as session:
                paid = await accrue(session, before.date(), limit=10)
        await recognise(owner)
        await settle_uses(owner)
        await owner.execute("SELECT ledger.add_up_days(100)")
        await owner.execute(CHARGED)
        await owner.execute(PRIORS, before.date() + timedelta(days=2))
        assert set((await oldest_due(pool)).values()) == {None}
    await database.close()
    await owner.close()


def _pool(urls: DatabaseUrls) -> "asyncpg.Pool[asyncpg.Record]":
    return asyncpg.create_pool(urls.platform, min_size=1, max_size=1)
