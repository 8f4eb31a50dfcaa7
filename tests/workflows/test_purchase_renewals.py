"""The schedule that renews agents paid by the month."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.marketplace.marketplace import MarketplaceActivities
from contracts.marketplace.marketplace import PurchaseRenewals
from domain.common import accounts
from domain.credits.lots import LotSource, LotTerms
from domain.marketplace.renewal import MAX_TRIES
from ledger.gateway import Ledger
from models.marketplace.agent import Agent
from models.marketplace.marketplace import MarketplaceOffer, MarketplacePurchase
from models.messages.mail import QueuedMail
from models.tenants.organization import Organization
from providers.payments.registry import Providers
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from runtime.settings import Settings
from services.payments.payment_terms import TermsMaker
from tests.support.histories import replay_and_keep
from tests.support.purchases import buy
from tests.workflows.conftest import with_plugin
from workflows.common.handling import PurchaseRenewalsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

#: Months are counted from the 31st: the second ends on the last of February, the third on the 31st again.
BOUGHT = datetime(2026, 12, 31, 9, tzinfo=UTC)
ONE = 1_000_000


async def monthly(database: Database) -> str:
    """Offer an agent for 10 credits a month, and return its id."""
    studio, agent = new_id("org"), new_id("agt")
    common: dict[str, Any] = {"created_by": "x", "name": "x"}
    async with database.platform() as session:
        session.add(Organization(id=studio, command_id=studio, **common))
        await session.flush()
        about = {"visibility": "public", "pricing_model": "free", "command_id": agent}
        session.add(Agent(id=agent, org_id=studio, **about, **common))
        await session.flush()
        priced: dict[str, Any] = {"model": "monthly", "price_minor": 10 * ONE, "currency": "CREDIT"}
        when: dict[str, Any] = {"changed_by": "x", "changed_at": BOUGHT, "created_at": BOUGHT}
        session.add(
            MarketplaceOffer(agent_id=agent, org_id=studio, summary="", words=[], status="listed", **priced, **when)
        )
    return agent


async def buyer_of(database: Database, agent: str, *, credits: int) -> MarketplacePurchase:
    """Buy the agent for an organization with a number of credits."""
    org = new_id("org")
    async with database.platform() as session:
        session.add(Organization(id=org, name="x", created_by="y", command_id=org))
        await session.flush()
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="grant",
            source=accounts.platform("promotions", "CREDIT"),
            destination=accounts.org_credits(org),
            amount_minor=credits * ONE,
            effective_at=BOUGHT,
            lots=LotTerms(source=LotSource.PROMOTION),
        )
        return await buy(session, org, agent, BOUGHT)


async def test_months_are_renewed_once_each_while_they_are_paid(
    database: Database, timeskip_env: WorkflowEnvironment
) -> None:
    agent, queue, client = await monthly(database), new_id("queue"), with_plugin(timeskip_env.client)
    rich = await buyer_of(database, agent, credits=30)
    poor = await buyer_of(database, agent, credits=10)
    work = MarketplaceActivities(database, client, TermsMaker(Settings().payment_rules, Providers({})))

    async def sweep(now: datetime) -> PurchaseRenewals:
        handle = await client.start_workflow(
            PurchaseRenewalsWorkflow.run, PurchaseRenewals(now=now, limit=1), id=new_id("renewals"), task_queue=queue
        )
        done: PurchaseRenewals = await handle.result()
        if done.found == 2 and done.renewed:
            assert "renewed with credits: 1" in str(await handle.query("__temporal_workflow_metadata"))
            await replay_and_keep(await handle.fetch_history(), "purchase-renewals/completed")
        return done

    async def rows(org_id: str) -> list[tuple[str, int | None, datetime | None, bool]]:
        row = MarketplacePurchase
        async with database.platform() as session:
            found = await session.scalars(select(row).where(row.org_id == org_id).order_by(row.period))
            return [(each.status, each.period, each.ends_at, each.renews_at is not None) for each in found]

    async with Worker(
        client, task_queue=queue, workflows=[PurchaseRenewalsWorkflow], activities=[work.renew_purchases]
    ):
        assert (await sweep(BOUGHT + timedelta(days=29))).found == 0
        first = datetime(2027, 1, 31, 9, tzinfo=UTC)
        done = await sweep(first - timedelta(days=1))
        assert (done.found, done.renewed, done.failed) == (2, 1, 0)
        assert (await sweep(first - timedelta(days=1))).found == 0
        second = datetime(2027, 2, 28, 9, tzinfo=UTC)
        assert await rows(rich.org_id) == [("active", 1, first, False), ("active", 2, second, True)]
        for days in range(MAX_TRIES - 1):
            # The first month of the other one ends in the meantime.
            assert (await sweep(first + timedelta(days=days))).found == (1 if days else 2)
        assert (await rows(rich.org_id))[0] == ("ended", 1, first, False)
        assert await rows(poor.org_id) == [("ended", 1, first, False)]
        assert (await sweep(second)).renewed == 1
        assert (await rows(rich.org_id))[-1] == ("active", 3, datetime(2027, 3, 31, 9, tzinfo=UTC), True)
    async with database.platform() as session:
        mails = list(await session.scalars(select(QueuedMail.org_id).where(QueuedMail.kind == "agent_not_renewed")))
    assert mails == [poor.org_id] * MAX_TRIES


def test_purchases_are_renewed_every_hour() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "purchase-renewals"]
    assert [interval.every for interval in job.spec.intervals] == [timedelta(hours=1)]
