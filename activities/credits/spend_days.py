"""Totals the spends of past days."""

from datetime import timedelta

from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from repositories.credits import spend_day
from runtime.database import Database

#: How far back days are totalled: the longest period of a summary, and some days.
BACK = timedelta(days=100)


class SpendDayActivities:
    """The activity of `SpendDaysWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database, with the platform's role, which sees the spends of every organization."""
        self._database = database

    @activity.defn
    async def roll_up_spends(self, message: BatchPage) -> BatchResult:
        """Total days.

        Effect: the rows of each day, replacing earlier ones.
        Idempotent by: the organization and the day, with its number of spends.
        """
        today = message.now.date()
        async with self._database.platform() as session:
            count = await spend_day.roll_up(session, since=today - BACK, until=today, limit=message.limit)
        return BatchResult(count=count)
