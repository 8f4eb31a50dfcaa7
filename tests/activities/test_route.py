"""The result of a contract is the outcome of its payer's routing decision, which the contract names."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from activities.escrow.escrow import EscrowActivities
from domain.common.ids import contract_id_of
from domain.escrow import commands as rules
from domain.tenants.metadata import OwnMetadata
from domain.usage.amounts import minor_pico
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender, SpendOutcome
from models.marketplace.agent import Agent
from models.returns.route import RoutingDecision
from repositories.returns import route as routes
from repositories.tenants import metadata
from repositories.usage.model_price import PriceBook
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.returns import route
from tests.support.lots import buy
from tests.workflows.behind import funded_without_a_run, message_of
from tests.workflows.conftest import Job, Stage

pytestmark = pytest.mark.db


async def routed(database: Database, org_id: str, agent_id: str, currency: str = "CREDIT") -> RoutingDecision:
    question = route.CallToRoute(
        org_id=org_id, spender=Spender(), task_kind="report", candidates=[agent_id], currency=currency
    )
    async with database.platform() as session:
        return await route.decide(
            session, PriceBook(), question, decided_by="x", command_id=new_id("cmd"), now=datetime.now(UTC)
        )


async def named(database: Database, job: Job, decision: RoutingDecision) -> None:
    """Let the payer name the contract by the id of a decision."""
    contract_id, own = contract_id_of(job.terms.escrow_id), OwnMetadata(external_id=decision.id)
    async with database.platform() as session:
        await metadata.add(session, contract_id, job.terms.payer_org_id, own, new_id("cmd"))


async def scored(database: Database, job: Job, score_e4: int) -> None:
    activities, now = EscrowActivities(database), datetime.now(UTC)
    given = rules.deliver(await job.state(), actor=job.bot, artifacts=(), note=None, milestone=None, now=now)
    assert (await activities.record_event(await message_of(job, given, new_id("cmd")))).applied
    score = rules.validate(await job.state(), actor=job.validator, score_e4=score_e4, note=None, now=now)
    assert (await activities.record_event(await message_of(job, score, new_id("cmd")))).applied


async def test_score_of_a_contract_is_the_outcome_of_the_decision_that_it_names(database: Database) -> None:
    job = await funded_without_a_run(await Stage(None, None, database, None).award(), datetime.now(UTC))
    decision = await routed(database, job.terms.payer_org_id, job.terms.agent_id)
    assert (decision.choice, decision.odds_e6) == (job.terms.agent_id, 1_000_000)
    await named(database, job, decision)
    await scored(database, job, 9_000)
    async with database.platform() as session:
        row = await routes.get(session, decision.id)
        assert (row.score_e6, row.outcome_source) == (900_000, "result")
        assert row.cost_pico == job.terms.amount_minor * minor_pico("CREDIT")
        sums = await routes.sums(session, job.terms.payer_org_id, [job.terms.agent_id], "report")
        assert {kind: each.results for (_, kind), each in sums.items()} == {"report": 1, "": 1}
        assert await routes.sums(session, job.terms.payee_org_id, [job.terms.agent_id], "report") == {}


async def test_cost_of_a_contract_counts_at_the_price_of_the_decision(database: Database) -> None:
    job = await Stage(None, None, database, None).award()
    await funded_without_a_run(job, datetime.now(UTC))
    payer, left = job.terms.payer_org_id, 100_000_000 - job.terms.amount_minor
    await spend(database, payer, left)
    await buy(database, payer, "10", 30)
    async with database.platform() as session:
        listed = {"pricing_model": "usage", "price_minor": 1_000_000, "price_currency": "CREDIT"}
        await session.execute(update(Agent).where(Agent.id == job.terms.agent_id).values(listed))
    decision = await routed(database, payer, job.terms.agent_id, "USD")
    assert decision.priced_at == {"amount": "0.03", "currency": "USD"}
    await named(database, job, decision)
    # The next credits cost more, which says nothing of the agent.
    await spend(database, payer, 10_000_000)
    await buy(database, payer, "10", 100)
    await scored(database, job, 9_000)
    async with database.platform() as session:
        row = await routes.get(session, decision.id)
    assert row.cost_pico == job.terms.amount_minor * minor_pico("CREDIT") * 3 // 100
    assert row.multiple_e6 == job.terms.amount_minor


async def spend(database: Database, org_id: str, minor: int) -> None:
    async with database.platform() as session:
        spending = Spending(await driver_connection(session), org_id)
        spent = NewSpend(key=new_id("cmd"), action="test", amount_minor=minor, spender=Spender(principal="x"))
        assert (await spending.charge(spent, at=datetime.now(UTC))).outcome is SpendOutcome.CHARGED
