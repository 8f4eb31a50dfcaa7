"""Adds up what was spent on days that are over."""

from datetime import timedelta

from temporalio import activity

from contracts.spend_days import RolledUpSpends, RollUpSpends
from repositories import spend_day
from runtime.database import Database

#: How far back days are added up: the longest term of a summary, and some days.
BACK = timedelta(days=100)


class SpendDayActivities:
    """The sweep's effect."""

    def __init__(self, database: Database) -> None:
        """Take the database; the platform's role sees the spends of every organization."""
        self._database = database

    @activity.defn
    async def roll_up_spends(self, message: RollUpSpends) -> RolledUpSpends:
        """Add days up.

        Effect: the rows of each day, in the place of those that it had.
        Idempotent by: the organization and the day, with how many spends it had.
        Fails with: nothing that is final.
        """
        today = message.now.date()
        async with self._database.platform() as session:
            count = await spend_day.roll_up(session, since=today - BACK, until=today, limit=message.limit)
        return RolledUpSpends(count=count)
