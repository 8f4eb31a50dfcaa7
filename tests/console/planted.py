"""Plants what pages of the platform show: a difference, as a run of reconciliation would find one, a price rule."""

from activities.reconciliation import ReconciliationActivities
from contracts.reconciliation import BeginReconciliation, ReconciliationInput, ReconciliationStep
from repositories import discrepancy
from repositories.listing import Wanted
from runtime.database import Database
from runtime.identity import new_id
from tests.support.reconciliation import DAY, NIGHT, FakeProvider, book, movement

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


async def difference(database: Database) -> dict[str, str]:
    """Return the ids of what is there then: `provider`, `run`, `difference`. Booking it adds 9.41 USD."""
    provider, run_id = FakeProvider(listed=[movement("ch_planted")]), new_id("rcn")
    await book(database, provider.name, [movement("ch_other")])
    provider.listed.append(movement("ch_other"))
    work = ReconciliationActivities(database, provider.registry(), None)
    start = ReconciliationInput(
        run_id=run_id,
        provider=provider.name,
        since=DAY.since,
        until=DAY.until,
        requested_by="test",
        command_id=run_id,
    )
    await work.begin(BeginReconciliation(start=start, at=NIGHT))
    step = ReconciliationStep(run_id=run_id, at=NIGHT)
    await work.fetch_statement(step)
    await work.conclude(step)
    async with database.platform() as session:
        wanted = Wanted(equal={"provider": provider.name}, statuses=("open",))
        (row,) = (await discrepancy.page(session, wanted, after=None, limit=2)).rows
    return {"provider": provider.name, "run": run_id, "difference": row.id}
