"""Runs that wait for the approval of a purchase, and the sweep of what is due."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.budgets.purchase_order import PurchaseOrderActivities
from api.bootstrap import operator_key
from contracts.budgets.purchase_order import (
    DecideOnPurchase,
    GrantSignal,
    PurchaseOrderInput,
    PurchaseSweep,
    RefuseSignal,
)
from contracts.runs import purchase_order_run
from domain.budgets.policy import Alternative
from domain.budgets.purchase_rules import PurchaseRules
from domain.common.access import Actor, Role
from ledger.spends import Spender
from models.budgets.purchase_order import PurchaseOrder
from models.marketplace.agent import Agent
from models.tenants.organization import Organization
from repositories.budgets import purchase_order as orders
from runtime import reach
from runtime.database import Database
from runtime.identity import new_id
from services.budgets import purchase_approval
from services.budgets.purchase_order import Proposal, propose
from tests.api.purchasing import budget
from tests.support.histories import replay_and_keep
from tests.support.looking import again
from tests.workflows.conftest import with_plugin
from workflows.budgets.purchase_order import PurchaseOrderWorkflow
from workflows.common.handling import PurchaseOrderSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

RULES = PurchaseRules(hold=timedelta(hours=24))


@dataclass
class Studio:
    """Proposes purchases of an organization's agents, and follows their runs."""

    env: WorkflowEnvironment
    client: Client
    database: Database

    async def organization(self) -> tuple[str, str]:
        """Return the ids of a new organization and of its agent."""
        org_id, agent_id = new_id("org"), new_id("agt")
        async with self.database.platform() as session:
            session.add(Organization(id=org_id, name="Studio", created_by="x", command_id=org_id))
            await session.flush()
            row = {"visibility": "private", "pricing_model": "free", "created_by": "x", "command_id": agent_id}
            session.add(Agent(id=agent_id, org_id=org_id, name="Ada", **row))
        return org_id, agent_id

    async def proposed(self, of: tuple[str, str] | None = None, *, since: timedelta = timedelta(0)) -> PurchaseOrder:
        """Propose a purchase that was asked for a while ago."""
        org_id, agent_id = of or await self.organization()
        proposal = Proposal(
            org_id=org_id,
            spender=Spender(agent_id=agent_id, principal="worker"),
            session_id=None,
            item="Copilot",
            vendor="GitHub",
            category="coding",
            why="It completes code.",
            amount_minor=1000,
            currency="USD",
            alternatives=[Alternative(name="Codeium", cost_minor=0)],
        )
        async with self.database.platform() as session:
            now = datetime.now(UTC) - since
            return await propose(session, proposal, command_id=new_id("cmd"), rules=RULES, now=now)

    async def start(self, order: PurchaseOrder) -> WorkflowHandle[Any, Any]:
        run = purchase_order_run(PurchaseOrderInput(order_id=order.id), order.org_id, order.agent_id)
        await reach.start_missing(self.client, run)
        return self.client.get_workflow_handle(run.workflow_id)

    async def outcome(self, handle: WorkflowHandle[Any, Any]) -> Any:
        """Skip a month and return the run's result."""
        passing = asyncio.ensure_future(self.env.fast_forward(handle, timedelta(days=31)))
        result = await handle.result()
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
        return result

    async def read(self, order: PurchaseOrder) -> PurchaseOrder:
        async with self.database.platform() as session:
            return await orders.get(session, order.id)

    async def shown(self, handle: WorkflowHandle[Any, Any]) -> str:
        return str(await handle.query("__temporal_workflow_metadata"))

    async def operator(self) -> Actor:
        async with self.database.platform() as session:
            token = await operator_key(session, f"kim-{new_id('x')[-12:]}")
        key_id = f"key_{token.split('_')[1]}"
        async with self.database.platform() as session:
            name = await session.scalar(text("SELECT principal FROM api_keys WHERE id = :id"), {"id": key_id})
        return Actor(principal=str(name), role=Role.OPERATOR, key_id=key_id)


@asynccontextmanager
async def studio_on(env: WorkflowEnvironment, urls: Any, *, sealed_signals: bool = False) -> AsyncIterator[Studio]:
    made = Studio(env, with_plugin(env.client), Database(urls.tenant, urls.platform))
    work = PurchaseOrderActivities(made.database, made.client, rules=RULES, sealed_signals=sealed_signals)
    activities = [
        *(work.load, work.decline_unanswered, work.decide, work.expire, work.renew),
        *(work.start_missing, work.report_unknown),
    ]
    workflows = [PurchaseOrderWorkflow, PurchaseOrderSweepWorkflow]
    async with Worker(made.client, task_queue="bursar", workflows=workflows, activities=activities):
        yield made
    await made.database.close()


@pytest.fixture
async def studio(idle_server: WorkflowEnvironment, database_urls: Any) -> AsyncIterator[Studio]:
    async with studio_on(idle_server, database_urls) as made:
        yield made


async def test_unanswered_purchase_is_declined_on_expiry(studio: Studio) -> None:
    order = await studio.proposed()
    assert order.status == "needs_approval"
    handle = await studio.start(order)
    while "declined at" not in await studio.shown(handle):
        await again()
    assert await studio.outcome(handle) == {"status": "declined_policy"}
    gone = await studio.read(order)
    assert (gone.status, gone.decision["code"]) == ("declined_policy", "unanswered")
    described = await handle.describe()
    assert described.close_time is not None
    assert order.answer_by is not None
    assert described.close_time >= order.answer_by
    await replay_and_keep(await handle.fetch_history(), "purchase-order/unanswered")


async def test_an_answer_over_the_api_ends_the_run(studio: Studio) -> None:
    order = await studio.proposed()
    handle = await studio.start(order)
    while "declined at" not in await studio.shown(handle):
        await again()
    owner = Actor(principal="owner", role=Role.OWNER, org_id=order.org_id)
    async with studio.database.platform() as session:
        await purchase_approval.refuse(
            session, owner, order.id, reason=None, command_id=new_id("cmd"), now=datetime.now(UTC)
        )
    await handle.signal("news")
    assert await handle.result() == {"status": "declined_policy"}
    assert (await studio.read(order)).decision["code"] == "refused"


async def test_an_operator_grants_with_the_digest_from_the_temporal_ui(studio: Studio) -> None:
    kim = await studio.operator()
    order = await studio.proposed()
    handle = await studio.start(order)
    seen = purchase_approval.digest_of(order)
    while seen not in await studio.shown(handle):
        await again()
    # A sender who only names themselves has no key, so nothing shows that they did not propose it.
    for given, code in (
        (GrantSignal(grant="por_other", digest=seen, operator="kim"), "purchase_order.signal_for_another"),
        (GrantSignal(grant=order.id, digest=seen), "purchase_order.operator_unnamed"),
        (GrantSignal(grant=order.id, digest="0", operator="kim"), "approval.stale"),
        (GrantSignal(grant=order.id, digest=seen, operator="kim"), "approval.own"),
    ):
        answer = await handle.execute_update("grant", given)
        assert answer["declined"]["code"] == code
    assert "older than the request" in await studio.shown(handle)
    work = PurchaseOrderActivities(studio.database, studio.client, rules=RULES)
    decision = DecideOnPurchase(
        order_id=order.id, actor=kim, command_id=new_id("cmd"), digest=seen, now=datetime.now(UTC)
    )
    for _ in range(2):  # a worker can die after the commit, so the activity is repeated
        assert (await work.decide(decision)).declined is None
    await handle.signal("news")
    assert await handle.result() == {"status": "approved"}
    granted = await studio.read(order)
    assert granted.held_until == decision.now + RULES.hold


async def test_an_operator_refuses_from_the_temporal_ui(studio: Studio) -> None:
    order = await studio.proposed()
    handle = await studio.start(order)
    await handle.execute_update("refuse", RefuseSignal(refuse=order.id, operator="kim", reason="No."))
    assert await handle.result() == {"status": "declined_policy"}
    await replay_and_keep(await handle.fetch_history(), "purchase-order/refused")


async def test_unsealed_commands_are_declined_where_they_must_be_sealed(
    idle_server: WorkflowEnvironment, database_urls: Any
) -> None:
    async with studio_on(idle_server, database_urls, sealed_signals=True) as studio:
        order = await studio.proposed()
        handle = await studio.start(order)
        answer = await handle.execute_update("refuse", RefuseSignal(refuse=order.id, operator="kim"))
        assert answer["declined"]["code"] == "purchase_order.signal_not_sealed"
        assert (await studio.read(order)).status == "needs_approval"
        await handle.terminate("the test is over")


async def test_sweep_ends_holds_and_starts_unanswered_purchases(studio: Studio) -> None:
    mine = await studio.organization()
    await budget(studio.database, mine[0], ("agent", mine[1]), day=100)
    held = await studio.proposed(mine, since=RULES.hold + timedelta(hours=1))
    lost = await studio.proposed(since=timedelta(days=20))
    unknown = await studio.proposed(mine, since=timedelta(days=40))
    async with studio.database.platform() as session:
        await session.execute(
            text("UPDATE purchase_orders SET unknown_since = created_at WHERE id = :id"), {"id": unknown.id}
        )
    assert [order.status for order in (held, lost, unknown)] == ["approved", "needs_approval", "approved"]
    done = await studio.client.execute_workflow(
        "purchase-order-sweep", id=new_id("run"), task_queue="bursar", result_type=PurchaseSweep
    )
    assert (await studio.read(held)).status == "expired"
    assert (await studio.read(unknown)).status == "approved"
    assert min(done.expired, done.started, done.reported) >= 1
    run = purchase_order_run(PurchaseOrderInput(order_id=lost.id), lost.org_id, lost.agent_id)
    assert await studio.client.get_workflow_handle(run.workflow_id).result() == {"status": "declined_policy"}
    async with studio.database.platform() as session:
        kinds = await session.scalars(text("SELECT kind FROM alerts WHERE org_id = :id"), {"id": mine[0]})
        assert list(kinds) == ["purchase_unknown"]


async def test_sweep_ends_when_nothing_is_due(studio: Studio) -> None:
    handle = await studio.client.start_workflow(
        "purchase-order-sweep",
        PurchaseSweep(now=datetime(2020, 1, 1, tzinfo=UTC), limit=50),
        id=new_id("run"),
        task_queue="bursar",
    )
    assert (await handle.result())["expired"] == 0
    await replay_and_keep(await handle.fetch_history(), "purchase-order-sweep/completed")
