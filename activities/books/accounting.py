"""Adds transfers to the daily totals of the books."""

from datetime import timedelta

from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from ledger.revenue import Revenue
from repositories.books import accounting
from runtime.database import Database, driver_connection


class AccountingActivities:
    """The activity of `AccountingDaysWorkflow`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn
    async def add_up_days(self, message: BatchPage) -> BatchResult:
        """Add the next page of transfers to the totals of their days.

        Effect: totals by day and line of the chart.
        Idempotent by: the cursor, which advances in the transaction of the totals.
        """
        async with self._database.platform() as session:
            await Revenue(await driver_connection(session)).mark(settle=timedelta(seconds=message.settle_seconds))
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            return BatchResult(count=await accounting.add_up_days(connection, message.limit))
