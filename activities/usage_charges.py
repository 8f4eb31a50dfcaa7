"""Charges usage events to the credits of their organizations."""

from temporalio import activity

from contracts.usage_charges import ChargedUsage, ChargeUsage
from domain.credits import CreditPrice
from repositories import usage_charge
from runtime.database import Database
from services.usage_charge import charge_due


class UsageChargeActivities:
    """The sweep's effect on the books."""

    def __init__(self, database: Database, price: CreditPrice) -> None:
        """Take the database, whose platform's role charges every organization, and what a credit costs."""
        self._database = database
        self._price = price

    @activity.defn
    async def charge_usage(self, message: ChargeUsage) -> ChargedUsage:
        """Charge events of one organization, and alert about those that have to wait.

        Effect: a spend for each event, and an alert for each reason and day where events wait.
        Idempotent by: the events, which are marked as charged in the transaction of their spends.
        Fails with: nothing that is final.
        """
        async with self._database.platform() as session:
            org_id = await usage_charge.next_organization(session, message.after, message.due_before)
            if org_id is None:
                return ChargedUsage()
            done = await charge_due(
                session,
                org_id,
                due_before=message.due_before,
                at=message.at,
                price=self._price,
                limit=message.limit,
            )
        return ChargedUsage(org_id=org_id, charged=done.charged, waiting=done.waiting, is_full=done.is_full)
