"""Expires holds."""

import structlog
from temporalio import activity

from contracts.common.batch import BatchPage, BatchResult
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection
from services.secrets import secret_use

log = structlog.get_logger("bursar.credits")


class HoldActivities:
    """The activity of `HoldExpiryWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database; the platform's role sees every tenant's holds."""
        self._database = database

    @activity.defn
    async def expire_holds(self, message: BatchPage) -> BatchResult:
        """Release what expired holds reserve.

        Effect: each hold is `expired` and its amount available again. One of the use of a secret whose process died is
            captured instead, because its request may have taken effect.
        Idempotent by: the hold's state, and the use's; an ended one is not changed.
        """
        async with self._database.platform() as session:
            lost = await secret_use.unfinished_uses(session, now=message.now, limit=message.limit)
        for use_id in lost:
            try:
                async with self._database.platform() as session:
                    await secret_use.end_unfinished(session, use_id, now=message.now)
            except Exception as error:
                # One that cannot be ended stops neither the others nor the holds of everybody; the next run tries it.
                log.error("secret_use.not_ended", use_id=use_id, exc_info=error)
        async with self._database.platform() as session:
            ended = await Ledger(await driver_connection(session)).expire_holds(now=message.now, limit=message.limit)
        return BatchResult(count=ended)
