"""Counting of what follows from acts, and the end of what decisions store."""

import asyncio
import time

from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from contracts.risk.outcomes import FoldedOutcomes, FoldOutcomes
from domain.risk.policy import RiskSettings
from runtime.database import Database
from runtime.heartbeat import heartbeats
from services.risk import outcomes

#: The number of events in a page: decisions wait while its counters are written. And the pause between two reads.
PAGE, LOOKS_EVERY = 100, 2.0


class RiskOutcomeActivities:
    """The activities of `RiskOutcomesWorkflow` and `RiskRetentionWorkflow`."""

    def __init__(self, database: Database, settings: RiskSettings, *, page: int = PAGE) -> None:
        """Take the database, with the platform's role, and the settings, which value credits."""
        self._database, self._settings, self._page = database, settings, page

    @activity.defn(name="fold_risk_outcomes")
    async def fold(self, message: FoldOutcomes) -> FoldedOutcomes:
        """Count new events for a while.

        Effect: counters of entities, and labels of decisions whose payments were charged back.
        Idempotent by: the cursor in the outbox, which moves in the transaction of the counters.
        """
        until, done = time.monotonic() + message.seconds, 0
        async with heartbeats():
            while True:
                async with self._database.platform() as session:
                    count = await outcomes.fold(session, self._settings, self._page)
                done += count
                left = until - time.monotonic()
                if left <= 0 or activity.is_worker_shutdown():
                    return FoldedOutcomes(events=done)
                if count < self._page:
                    await asyncio.sleep(min(LOOKS_EVERY, left))

    @activity.defn(name="forget_risk_rows")
    async def forget(self, message: BatchPage) -> BatchResult:
        """Delete a page of counters, decisions and links whose time is over.

        Effect: the rows are gone.
        Idempotent by: its nature.
        """
        async with self._database.platform() as session:
            return BatchResult(count=await outcomes.forget(session, message.now, message.limit))
