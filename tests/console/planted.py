"""Plants what pages of the platform show: a difference, as a run of reconciliation would find one, a price rule."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select

from domain.common.ids import uuid_of
from domain.returns.allocation import PROPOSAL_VALID_FOR, AgentFactors, divide
from domain.returns.trial import TrialStage
from models.billing.billing_run import BillingRunRow
from models.billing.project import Project
from models.credits.spend_control import SpendControl
from models.marketplace.agent import Agent
from models.returns.allocation import Allocation
from models.returns.trial import Trial
from providers.cards.base import AuthorizationStatus
from repositories.books import discrepancy
from repositories.common.listing import ListFilter
from runtime.database import Database
from runtime.identity import new_id
from services.cards import card_authorization, card_transaction
from services.returns.allocation import line_to_json
from tests.support.cards import World, authorization, new_card, question, transaction
from tests.support.reconciliation import FakeProvider, book, movement, reconcile

#: A rule of prices that nobody reaches.
PRICE_RULE = {
    "name": "Large clients",
    "priority": 7_700,
    "terms": {
        "type": "volume",
        "currency": "CREDIT",
        "steps": [{"amount": "900000000", "multiplier": "0.99"}, {"amount": "1000000000", "multiplier": "0.98"}],
    },
}


async def billing_run(database: Database) -> str:
    """Return the month of a billing run that has ended, long ago."""
    at = datetime(2020, 2, 1, tzinfo=UTC)
    counts = {"invoiced": 3, "empty": 1, "failed": 0}
    run = BillingRunRow(month=date(2020, 1, 1), ready_at=at, started_by="kim", started_at=at, finished_at=at, **counts)
    async with database.platform() as session:
        await session.merge(run)
    return "2020-01"


async def difference(database: Database) -> dict[str, str]:
    """Return the ids of what is there then: `provider`, `run`, `difference`. Booking it adds 9.41 USD."""
    provider = FakeProvider(listed=[movement("ch_planted")])
    await book(database, provider.name, [movement("ch_other")])
    provider.listed.append(movement("ch_other"))
    run_id = await reconcile(database, provider)
    async with database.platform() as session:
        wanted = ListFilter(equal={"provider": provider.name}, statuses=("open",))
        (row,) = (await discrepancy.page(session, replace(wanted, limit=2))).rows
    return {"provider": provider.name, "run": run_id, "difference": row.id}


async def card(database: Database, org_id: str, agent_id: str) -> str:
    """Return the id of a card with a payment that was captured as far as it was approved, and one that was declined."""
    world = World(database)
    world.org, world.agent = org_id, agent_id
    async with database.platform() as session:
        session.add(new_card(world.card, org_id, agent_id, world.ref, per_authorization_minor=50_00))
    now = datetime.now(UTC)
    asked, refused = question(world, 12_50), question(world, 99_00)
    async with database.platform() as session:
        approved = await card_authorization.decide(session, asked, "all", now=now)
        await card_authorization.decide(session, refused, "all", now=now)
    captured = replace(transaction(world, 12_50, asked.authorization_ref), movement=None)
    over = authorization(
        world,
        asked.authorization_ref,
        (12_50, approved),
        status=AuthorizationStatus.CLOSED,
        transactions=(captured,) if approved else (),
    )
    async with database.platform() as session:
        await card_transaction.book(session, over, "stripe", now=now)
    return world.card


async def allocation(database: Database, org_id: str) -> str:
    """Return the id of an allocation of a project that waits to be accepted; a trial was stopped, too."""
    now = datetime.now(UTC)
    terms = AgentFactors(performance_e6=730_000, task_minor=2_050, time_e6=1_000_000, success_e6=1_420_000)
    async with database.platform() as session:
        some = select(Agent.id).order_by(Agent.id).limit(3)
        own = (await session.scalars(some.where(Agent.org_id == org_id))).all()
        ids = own or (await session.scalars(some.where(Agent.visibility == "public"))).all()
        budgets = select(SpendControl.id).where(SpendControl.org_id == org_id, SpendControl.kind == "budget").limit(1)
        budget_id = (await session.scalars(budgets)).one_or_none() or uuid_of(new_id("ctl"))
        # Plans count projects, so it is one that is there.
        project_id = (await session.scalars(select(Project.id).where(Project.org_id == org_id).limit(1))).one()
        lines = divide(10_000, {each: (5_000 if at else None, terms) for at, each in enumerate(ids)})
        made = Allocation(
            **{"id": new_id("alo"), "org_id": org_id, "project_id": project_id, "status": "proposed"},
            **{
                "night": now.date(),
                "currency": "USD",
                "total_minor": 10_000,
                "reinvested_minor": 1_000,
                "versions": {},
            },
            **{
                "lines": [line_to_json(line) for line in lines],
                "answer_by": now + PROPOSAL_VALID_FOR,
                "created_at": now,
            },
        )
        stages = [TrialStage(due_at=now + at * timedelta(days=7), share_bps=5_000, results=at) for at in range(2)]
        trial = Trial(
            **{"id": new_id("trl"), "org_id": org_id, "agent_id": ids[0], "currency": "USD", "amount_minor": 30_000},
            **{
                "paid": 1,
                "paid_minor": 15_000,
                "status": "stopped",
                "stopped_by": "results",
                "control_id": budget_id,
            },
            **{"stages": [stage.stored() for stage in stages], "created_by": "kim", "command_id": made.id},
            created_at=now,
        )
        session.add_all([made, trial])
    return made.id
