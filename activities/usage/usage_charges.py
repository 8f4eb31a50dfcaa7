"""Charging of usage events to the credits of their organizations."""

from temporalio import activity

from contracts.usage.usage_charges import ChargedUsage, ChargeUsage
from domain.credits.lots import Sharing
from domain.usage.charge import CostRules
from repositories.usage import usage_charge
from runtime.database import Database
from services.usage import usage_of_agents
from services.usage.usage_charge import charge_due

#: The number of agent uses of an organization charged after its other events.
_USES = 50


class UsageChargeActivities:
    """The activity of `UsageChargesWorkflow`."""

    def __init__(self, database: Database, rules: CostRules, *, sharing: Sharing = Sharing()) -> None:
        """Take the database, with the platform's role, and the rules for costs in money and for creators' shares."""
        self._database = database
        self._rules = rules
        self._sharing = sharing

    @activity.defn
    async def charge_usage(self, message: ChargeUsage) -> ChargedUsage:
        """Charge events of an organization, and raise alerts about waiting events.

        Effect: a spend for each event, and an alert for each reason and day. Agent uses follow, each in its own
            transaction, because each is a sale.
        Idempotent by: the events, marked as charged in the transaction of their spends.
        """
        async with self._database.platform() as session:
            org_id = await usage_charge.next_organization(session, message.after, message.due_before)
            if org_id is None:
                return ChargedUsage()
            done = await charge_due(
                session, org_id, due_before=message.due_before, at=message.at, rules=self._rules, limit=message.limit
            )
            uses = await usage_charge.due_uses(session, org_id, message.due_before, min(message.limit, _USES))
        charged = 0
        for event in uses:
            async with self._database.platform() as session:
                charged += await usage_of_agents.charge(
                    session, org_id, event, due_before=message.due_before, at=message.at, sharing=self._sharing
                )
        return ChargedUsage(
            org_id=org_id,
            charged=done.charged + charged,
            waiting=done.waiting + len(uses) - charged,
            is_full=done.is_full or len(uses) == _USES,
        )
