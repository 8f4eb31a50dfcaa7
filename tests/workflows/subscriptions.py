"""One subscription on the stage, as the contract of entities and its own tests see it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert
from temporalio.client import WorkflowHandle

from contracts.billing.subscription import (
    CancelSubscription,
    ChangeSubscription,
    ResumeSubscription,
    Subscribe,
    SubscriptionCommand,
    SubscriptionInput,
    SubscriptionResult,
)
from contracts.runs import Run, subscription_run
from domain.billing.plan import DEFAULT_PLANS, Interval, plans_from
from domain.billing.subscription.state import Subscription, Terms
from domain.billing.subscription.terms import terms_of
from domain.common.access import Actor, Role
from models.billing.subscription import SubscriptionEventRow
from models.tenants.organization import Organization
from repositories.billing import subscription as subscriptions
from runtime import reach
from runtime.identity import new_id
from tests.support.timelines import timeline
from tests.workflows.conftest import Stage

PLANS = plans_from(DEFAULT_PLANS)


def terms(plan: str) -> Terms:
    found = terms_of(PLANS.get(plan), Interval.MONTH, "USD")
    return replace(found, price_id=f"price_{found.amount_minor}")


@dataclass
class Subscriber:
    """One subscription and who orders it."""

    stage: Stage
    start: SubscriptionInput

    @property
    def actor(self) -> Actor:
        return self.start.created_by

    @property
    def customer(self) -> str:
        return self.start.subscription.customer

    @property
    def run(self) -> Run:
        return subscription_run(self.start.model_copy(update={"resume": True}))

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.client.get_workflow_handle(self.run.workflow_id)

    async def subscribe(self) -> SubscriptionResult:
        command = Subscribe(command_id=self.start.command_id, actor=self.actor)
        return await self._give("subscribe", command, subscription_run(self.start))

    async def cancel_at_end(self) -> SubscriptionResult:
        return await self.send("cancel", CancelSubscription, at_period_end=True)

    async def send(self, name: str, kind: type[SubscriptionCommand], **fields: Any) -> SubscriptionResult:
        return await self._give(name, kind(command_id=new_id("cmd"), actor=self.actor, **fields), self.run)

    async def change(self, plan: str, **fields: Any) -> SubscriptionResult:
        return await self.send("change", ChangeSubscription, terms=terms(plan), plans=PLANS, people=1, **fields)

    async def seats(self, number: int) -> SubscriptionResult:
        wanted = (await self.state()).terms.with_seats(number)
        return await self.send("change", ChangeSubscription, terms=wanted, plans=PLANS, people=2)

    async def resume(self) -> SubscriptionResult:
        return await self.send("resume", ResumeSubscription)

    async def _give(self, name: str, command: SubscriptionCommand, run: Run) -> SubscriptionResult:
        return await reach.update(
            self.stage.client, run, name, command, update_id=command.command_id, result_type=SubscriptionResult
        )

    async def state(self) -> Subscription:
        async with self.stage.database.platform() as session:
            found = await subscriptions.get(session, self.start.subscription.subscription_id)
        assert found is not None
        return found

    async def timeline(self) -> Sequence[SubscriptionEventRow]:
        async with self.stage.database.platform() as session:
            return await timeline(
                session, SubscriptionEventRow, subscription_id=self.start.subscription.subscription_id
            )

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.timeline()]


async def subscriber(stage: Stage, plan: str = "starter", **changes: Any) -> Subscriber:
    """Make an organization that wants a plan; nothing is ordered yet."""
    org = new_id("org")
    async with stage.database.platform() as session:
        await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    known = {"org_id": org, "customer": f"cus_{org}", "provider": "stripe", "terms": terms(plan)}
    wanted = Subscription(**{"subscription_id": new_id("sub"), **known, **changes})
    actor = Actor(principal="procurement", role=Role.OWNER, org_id=org)
    return Subscriber(stage, SubscriptionInput(subscription=wanted, created_by=actor, command_id=new_id("cmd")))
