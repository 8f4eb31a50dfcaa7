"""The schedule that charges usage events."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.usage.usage_charges import UsageChargeActivities
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.credits.lots import LotSource, LotTerms
from domain.usage.charge import CostRules
from ledger.gateway import Ledger
from models.tenants.organization import Organization
from models.usage.meter import MeterRow
from repositories.usage import meter
from repositories.usage.model_price import PriceBook
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.books.exchange_rate import store_granted_value
from services.usage.rating import Rates
from services.usage.usage import record
from services.usage.usage_validation import Delivery
from tests.api.metering import event, prove
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import with_plugin
from workflows.usage.usage_charges import UsageChargesWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_every_organization_is_charged_to_the_end(
    database: Database, fresh_database_urls: Any, timeskip_env: WorkflowEnvironment
) -> None:
    queue = new_id("queue")
    at = datetime.now(UTC) - timedelta(minutes=5)
    price = {"model": "per_unit", "unit_price": "0.10"}
    rules = CostRules(granted=CreditPrice(price=Decimal("0.10"), currency="USD"))
    wallets = []
    async with database.platform() as session:
        asked = {"event_type": "task", "aggregation": "count", "dimensions": [], "price": price, "currency": "USD"}
        made, _ = await meter.add(
            session, MeterRow(id=new_id("mtr"), name="tasks", created_by="test", command_id="tasks", **asked)
        )
        await meter.mark_charged(session, made.id, at)
        await store_granted_value(session, rules.granted, at)
    for count in (250, 1):
        org_id = new_id("org")
        wallets.append((accounts.org_credits(org_id), count))
        delivery = Delivery(
            actor=Actor(principal="test", role=Role.OPERATOR),
            org_id=org_id,
            at=at,
            late=timedelta(days=1),
            rates=Rates(prices=PriceBook()),
        )
        async with database.platform() as session:
            session.add(Organization(id=org_id, name="Acme", tier="free", created_by="test", command_id=org_id))
            await session.flush()
            await record(session, delivery, [event(time=at.isoformat()) for _ in range(count)])
            await Ledger(await driver_connection(session)).post(
                key=f"grant:{org_id}",
                kind="grant",
                source=accounts.platform("promotions", "CREDIT"),
                destination=wallets[-1][0],
                amount_minor=300_000_000,
                effective_at=at,
                lots=LotTerms(source=LotSource.PROMOTION),
            )
    client = with_plugin(timeskip_env.client)
    work = UsageChargeActivities(database, rules)
    async with Worker(client, task_queue=queue, workflows=[UsageChargesWorkflow], activities=[work.charge_usage]):
        handle = await client.start_workflow(UsageChargesWorkflow.run, id=new_id("sweep"), task_queue=queue)
        done = await handle.result()
        shown = str(await handle.query("__temporal_workflow_metadata"))
        await replay_and_keep(await handle.fetch_history(), "usage-charges/completed")
    assert (done.charged, done.waiting) == (251, 0)
    assert "charged: 251" in shown
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        for wallet, count in wallets:
            assert (await ledger.balance(wallet)).posted_minor == 300_000_000 - count * 1_000_000
        left = await session.scalars(text("SELECT count(*) FROM usage_charges WHERE spend_id IS NULL"))
        assert left.one() == 0
    await prove(fresh_database_urls)
