"""Recognises revenue from the uses of credit lots."""

from datetime import timedelta

from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from ledger.revenue import Revenue
from runtime.database import Database, driver_connection


class RevenueActivities:
    """The activity of `RevenueRecognitionWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database, with the platform's role, which books between the platform's own accounts."""
        self._database = database

    @activity.defn
    async def recognise_revenue(self, message: BatchPage) -> BatchResult:
        """Book the next page of uses, expiries, earnings and returns.

        Effect: one transfer `revenue.recognised` for each day of the page's uses, out of deferred revenue.
        Idempotent by: the cursor in the books, which advances in the transaction of the transfers.
        """
        settle = timedelta(seconds=message.settle_seconds)
        # Marked in its own transaction, so that the next one can book everything before the mark.
        async with self._database.platform() as session:
            await Revenue(await driver_connection(session)).mark(settle=settle)
        async with self._database.platform() as session:
            revenue = Revenue(await driver_connection(session))
            return BatchResult(count=await revenue.recognise(limit=message.limit, settle=settle))
