"""Counting of what follows from acts, and the end of what decisions store."""

from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from domain.risk.settings import RiskSettings
from repositories.risk import outcome
from runtime.database import Database
from services.risk import outcomes


class RiskOutcomeActivities:
    """The activities of `RiskOutcomesWorkflow` and `RiskRetentionWorkflow`."""

    def __init__(self, database: Database, settings: RiskSettings) -> None:
        """Take the database, with the platform's role, and the settings, which value credits."""
        self._database, self._settings = database, settings

    @activity.defn
    async def fold_risk_outcomes(self, message: BatchPage) -> BatchResult:
        """Count the next page of events.

        Effect: counters of entities, and labels of decisions whose payments were charged back.
        Idempotent by: the cursor in the outbox, which moves in the transaction of the counters.
        """
        async with self._database.platform() as session:
            return BatchResult(count=await outcomes.fold(session, self._settings, message.limit))

    @activity.defn
    async def forget_risk_rows(self, message: BatchPage) -> BatchResult:
        """Delete a page of counters, decisions and links whose time is over.

        Effect: the rows are gone.
        Idempotent by: its nature.
        """
        async with self._database.platform() as session:
            return BatchResult(count=await outcome.forget(session, message.now, message.limit))
