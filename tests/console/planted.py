"""Plants what pages of the platform show: a difference, as a run of reconciliation would find one, a price rule."""

from datetime import UTC, date, datetime

from models.billing.billing_run import BillingRunRow
from repositories.books import discrepancy
from repositories.common.listing import Wanted
from runtime.database import Database
from tests.support.reconciliation import FakeProvider, book, movement, reconcile

#: A rule of prices that nobody reaches.
PRICE_RULE = {
    "name": "Large clients",
    "priority": 7_700,
    "terms": {
        "type": "volume",
        "currency": "CREDIT",
        "steps": [{"amount": "900000000", "multiplier": "0.99"}, {"amount": "1000000000", "multiplier": "0.98"}],
    },
}


async def billing_run(database: Database) -> str:
    """Return the month of a billing run that has ended, long ago."""
    at = datetime(2020, 2, 1, tzinfo=UTC)
    counts = {"invoiced": 3, "empty": 1, "failed": 0}
    run = BillingRunRow(month=date(2020, 1, 1), ready_at=at, started_by="kim", started_at=at, finished_at=at, **counts)
    async with database.platform() as session:
        await session.merge(run)
    return "2020-01"


async def difference(database: Database) -> dict[str, str]:
    """Return the ids of what is there then: `provider`, `run`, `difference`. Booking it adds 9.41 USD."""
    provider = FakeProvider(listed=[movement("ch_planted")])
    await book(database, provider.name, [movement("ch_other")])
    provider.listed.append(movement("ch_other"))
    run_id = await reconcile(database, provider)
    async with database.platform() as session:
        wanted = Wanted(equal={"provider": provider.name}, statuses=("open",))
        (row,) = (await discrepancy.page(session, wanted, after=None, limit=2)).rows
    return {"provider": provider.name, "run": run_id, "difference": row.id}
