"""Makes the monthly statements of creators."""

from datetime import date
from functools import partial

import structlog
from temporalio import activity

from activities.common.one_by_one import one_by_one
from contracts.common.batch import DuePage
from contracts.payouts.statement import MadeStatements
from domain.billing.billing_run.period import next_month, previous_month
from domain.billing.legal_entity import LegalEntities
from repositories.messages import alert
from repositories.payouts import statement
from runtime.database import Database
from services.payouts import statement as service

log = structlog.get_logger("bursar.statement")


class StatementActivities:
    """The activity of `CreatorStatementsWorkflow`."""

    def __init__(self, database: Database, entities: LegalEntities) -> None:
        self._database, self._entities = database, entities

    @activity.defn
    async def make_statements(self, message: DuePage) -> MadeStatements:
        """Make the statements of the next page of organizations, each in a transaction of its own.

        Effect: for each its numbered statements of the month, and a mail; an alert if they cannot be made.
        Idempotent by: organization, month and currency of a statement, and the mail's key.
        Fails with: nothing that is final. One that fails stays due, and does not stop the others. Without an issuer in
            the settings none are made.
        """
        if self._entities.usual.seller is None and not self._entities.others:
            return MadeStatements(found=0, last=message.after)
        month = previous_month(message.now.date())
        since, until = service.start_of_day(month), service.start_of_day(next_month(month))
        if message.now < until + service.AVAILABLE_AFTER:
            return MadeStatements(found=0, last=message.after)
        async with self._database.platform() as session:
            found = await statement.due(
                session, month, since=since, until=until, after=message.after, limit=message.limit
            )

        async def make(org_id: str) -> bool:
            async with self._database.platform() as session:
                return bool(await service.issue(session, org_id, month, self._entities, now=message.now))

        done = await one_by_one(found, make, partial(self._failed, month))
        return MadeStatements(
            found=len(found), last=found[-1] if found else message.after, made=sum(done), failed=len(found) - len(done)
        )

    async def _failed(self, month: date, org_id: str, error: Exception) -> None:
        log.exception("statement.not_made", org_id=org_id, error=str(error))
        async with self._database.platform() as session:
            await alert.raise_alert(
                session,
                kind="statement.not_made",
                subject=org_id,
                detail=f"The statements of {org_id} for {month:%Y-%m} cannot be made: {type(error).__name__}. They are "
                "tried again every day until the next month, and when they are asked for. The worker's log says more.",
                org_id=org_id,
                key=f"statement.not_made:{org_id}:{month:%Y-%m}",
            )
