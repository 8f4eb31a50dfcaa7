"""Recognises subscription revenue."""

from temporalio import activity

from contracts.billing.subscription_accrual import AccrueSubscriptions
from contracts.common.batch import BatchResult
from runtime.database import Database
from services.billing import subscription


class SubscriptionAccrualActivities:
    """The activity of `SubscriptionAccrualWorkflow`."""

    def __init__(self, database: Database) -> None:
        """Take the database, with the platform's role, which books between the platform's own accounts."""
        self._database = database

    @activity.defn(name="accrue_subscriptions")
    async def accrue(self, message: AccrueSubscriptions) -> BatchResult:
        """Book the next page of bills for the oldest day that is not booked.

        Effect: one transfer `subscriptions.accrued` out of deferred revenue.
        Idempotent by: the next day of each bill, which advances in the transaction of the transfer.
        """
        async with self._database.platform() as session:
            count = await subscription.accrue(session, message.through, limit=message.limit)
        return BatchResult(count=count)
