"""Books what the uses of lots of credits cost."""

from datetime import timedelta

from temporalio import activity

from contracts.revenue import RecognisedRevenue, RecogniseRevenue
from ledger.revenue import Revenue
from runtime.database import Database, driver_connection


class RevenueActivities:
    """The batch's effect on the books."""

    def __init__(self, database: Database) -> None:
        """Take the database; the platform's role books between the platform's own accounts."""
        self._database = database

    @activity.defn
    async def recognise_revenue(self, message: RecogniseRevenue) -> RecognisedRevenue:
        """Book the next page of what was used, expired, earned or came back.

        Effect: one transfer `revenue.recognised` for each day of the page's uses, out of deferred revenue.
        Idempotent by: the place in the books, which moves on in the transaction of the transfers.
        Fails with: nothing that is final.
        """
        settle = timedelta(seconds=message.settle_seconds)
        # Marked by a transaction of its own, so that what came before it can be booked by the next one.
        async with self._database.platform() as session:
            await Revenue(await driver_connection(session)).mark(settle=settle)
        async with self._database.platform() as session:
            revenue = Revenue(await driver_connection(session))
            return RecognisedRevenue(count=await revenue.recognise(limit=message.limit, settle=settle))
