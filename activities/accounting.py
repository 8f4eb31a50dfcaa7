"""Adds transfers to the days of the books."""

from datetime import timedelta

from temporalio import activity

from contracts.accounting import AddedUpDays, AddUpDays
from ledger.revenue import Revenue
from runtime.database import Database, driver_connection


class AccountingActivities:
    """The batch's effect on the sums."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    @activity.defn
    async def add_up_days(self, message: AddUpDays) -> AddedUpDays:
        """Add the next page of transfers to the days that they count for.

        Effect: sums by day and line of the chart.
        Idempotent by: the place, which moves on in the transaction of the sums.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            await Revenue(await driver_connection(session)).mark(settle=timedelta(seconds=message.settle_seconds))
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            return AddedUpDays(count=await connection.fetchval("SELECT ledger.add_up_days($1)", message.limit))
