"""Adds events to the sums of metrics."""

from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from repositories.insight import engagement, event_measures
from runtime.database import Database


class MetricSumActivities:
    """The activity of `MetricSumsWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database, with the platform's role, which sees the events of every organization."""
        self._database = database

    @activity.defn
    async def add_up_events(self, message: BatchPage) -> BatchResult:
        """Add the next page of events.

        Effect: sums by day and by quarter of an hour; the people who were active on days that are over.
        Idempotent by: the place in the outbox, which advances in the transaction of the sums.
        """
        async with self._database.platform() as session:
            await engagement.note_people(session, message.now)
            return BatchResult(count=await event_measures.add_up(session, message.limit))
