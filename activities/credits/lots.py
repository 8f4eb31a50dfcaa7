"""Books the expiry of credits."""

from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection


class LotActivities:
    """The activity of `LotExpiryWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database; the platform's role sees every tenant's lots."""
        self._database = database

    @activity.defn
    async def expire_lots(self, message: BatchPage) -> BatchResult:
        """Expire what remains of due lots, except what holds reserve.

        Effect: one transfer `credit.expired` for each account, to the platform's breakage.
        Idempotent by: the lots' remaining amounts.
        """
        async with self._database.platform() as session:
            count = await Ledger(await driver_connection(session)).expire_lots(now=message.now, limit=message.limit)
        return BatchResult(count=count)
