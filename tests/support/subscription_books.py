"""One subscription as its run writes it: what the provider has is read, and what is new is booked."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from domain.billing.invoice.rules import UNTAXED, InvoiceRules
from domain.billing.plan import Interval
from domain.billing.subscription.converge import converge
from domain.billing.subscription.orders import confirm_order
from domain.billing.subscription.snapshot import SubscriptionSnapshot
from domain.billing.subscription.state import Subscription, Transition, numbered
from domain.common import accounts
from domain.payments.dunning import DUNNING_DAYS
from ledger.gateway import Ledger
from models.tenants.organization import Organization
from providers.tax.service import TaxService
from repositories.billing import subscription as subscriptions, subscription_bill
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing.outside_tax import OutsideTaxes
from services.billing.subscription import tax_answers, write
from tests.domain.subscription.building import PLANS, START, created

MONTH = Interval.MONTH


@dataclass
class Subscribed:
    """One subscription, written as its run will: what the provider has is read, and what is new is booked."""

    database: Database
    state: Subscription
    #: Tells the bills of tests apart, which share the books.
    tag: str = field(default_factory=lambda: new_id("in"))
    rules: InvoiceRules = UNTAXED
    taxes: TaxService | None = None

    @property
    def org_id(self) -> str:
        return self.state.org_id

    async def write(self, outcome: Transition, at: datetime = START, command_id: str | None = None) -> None:
        command_id = command_id or new_id("cmd")
        numbered_outcome = numbered(outcome, command_id)
        outside = OutsideTaxes(self.database, self.taxes, self.rules)
        answers = await tax_answers(self.database, outside, numbered_outcome, PLANS, at=at, within=timedelta(minutes=1))
        async with self.database.platform() as session:
            held = await subscriptions.lock(session, self.state.subscription_id)
            await write(
                session,
                held,
                numbered_outcome,
                command_id=command_id,
                actor=None,
                at=at,
                plans=PLANS,
                rules=self.rules,
                answers=answers,
                dunned_on=DUNNING_DAYS,
            )
        self.state = numbered_outcome.subscription

    async def look(self, snapshot: SubscriptionSnapshot, at: datetime = START) -> Transition | None:
        named = tuple(
            replace(
                each,
                ref=f"{self.tag}:{each.ref}",
                payment_ref=None if each.payment_ref == "" else f"{self.tag}-{each.ref}-pi",
            )
            for each in snapshot.bills
        )
        async with self.database.platform() as session:
            given_up = await subscription_bill.given_up(session, self.state.subscription_id)
        outcome = converge(self.state, replace(snapshot, bills=named, ref=f"{self.tag}:sub"), at, given_up)
        if outcome is not None:
            await self.write(outcome, at)
        return outcome

    async def rows(self, table: Any) -> list[Any]:
        async with self.database.platform() as session:
            return list(await session.scalars(select(table).where(table.org_id == self.org_id)))

    async def tier(self) -> str:
        async with self.database.platform() as session:
            return (await session.get_one(Organization, self.org_id)).tier

    async def credits(self) -> int:
        async with self.database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            return (await ledger.balance(accounts.org_credits(self.org_id))).posted_minor // 10**6


async def subscribed(
    database: Database,
    plan: str = "starter",
    interval: Interval = MONTH,
    *,
    net_days: int = 0,
    org_id: str | None = None,
) -> Subscribed:
    org = org_id or new_id("org")
    async with database.platform() as session:
        if org_id is None:
            await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
    made = replace(created(plan, interval), org_id=org, subscription_id=new_id("sub"))
    made = replace(made, terms=replace(made.terms, net_days=net_days))
    one = Subscribed(database, made)
    await one.write(Transition(subscription=made, event="created", actor="kim"))
    one.state = confirm_order(one.state)
    return one
