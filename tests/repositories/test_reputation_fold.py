"""Rows are a fold of their events: made again they are the same, whatever was recalled, given again, voided or late."""

import itertools
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from domain.reputation.clients import ClientFact
from domain.reputation.conduct import ClientAct
from domain.reputation.evidence import Dimension
from domain.reputation.facts import DimensionShare
from domain.reputation.weights import Stakes
from repositories.reputation import (
    reputation as store,
    reputation_client as clients,
    reputation_nights as nights,
    reputation_recalls as recalls,
)
from repositories.reputation.reputation import FactContext, ReputationFact
from runtime.database import plain_url
from tests.conftest import new_database
from tests.support.connections import undone

pytestmark = pytest.mark.db

START = date(2026, 1, 5)
STEPS = 40
STAKES = Stakes(typical_minor=50_00, unit_commission_minor=2_50)
#: Each client pays by one payment, which can be taken back in part.
PAYERS = {"pay_1": "org_a", "pay_2": "org_b"}
AGENTS = ("agt_1", "agt_2")
FILL = """
INSERT INTO organizations (id, name, created_by, command_id) SELECT o, o, 'operator', o FROM unnest($1::text[]) o
"""
AGENT = """
INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)
VALUES ($1, 'org_studio', 'Agent', 'public', 'free', 'test', $1)
"""
ESCROW = """
INSERT INTO escrows (id, contract_id, org_id, payee_org_id, signatory_org_ids, agent_id, workflow_id, status, version,
    currency, amount_minor, funded_minor, released_minor, refunded_minor, commission_minor, state, created_at,
    updated_at)
VALUES ($1, $1, $2, 'org_studio', '{}', $3, 'w', 'released', 1, 'USD', 1, 1, 1, 0, 0, '{}', now(), now())
"""
PRIORS = "INSERT INTO reputation_priors VALUES ($1, $2, $3, $4, 0, 0, 0, 0)"
#: What rows say as of a day, by the name of what says it. How far a row was written anew is nobody's business.
READ = {
    "scores": """
        SELECT agent_id || dimension AS key, reputation_faded(good_e6, through - since) AS good,
            reputation_faded(bad_e6, through - since) AS bad, held_e6, earned_e6, prior_e6, through, stars_e6, rank_e6,
            evidence_count, evidence_e6
        FROM reputation_scores WHERE $1::date IS NOT NULL
    """,
    "given": """
        SELECT agent_id || dimension || counterparty AS key, reputation_faded(good_e6, $1::date - since) AS good, bad_e6
        FROM reputation_given
    """,
    "agents": """
        SELECT agent_id AS key, stars_e6, rank_e6, evidence_count, evidence_e6, ended, succeeded, rated, latest_on
        FROM reputation_agents WHERE $1::date IS NOT NULL
    """,
    "clients": """
        SELECT org_id AS key, reputation_faded(good_e6, through - since) AS good,
            reputation_faded(bad_e6, through - since) AS bad, held_e6, counts, through
        FROM reputation_clients WHERE $1::date IS NOT NULL
    """,
    "terms of agents": """
        SELECT agent_id AS key, s.* FROM reputation_agents, reputation_seasoned_score(agent_id, $1::date) s
    """,
    "terms of clients": """
        SELECT org_id AS key, s.* FROM reputation_clients, reputation_client_terms(org_id, $1::date) s
    """,
}


#: Events that count although their money is gone, and events that are void although nothing says that they are.
ASTRAY = """
    SELECT id FROM reputation_events e
    WHERE voided_at IS NULL AND excluded IS NULL AND reputation_is_recalled(subject, says)
        OR voided_by LIKE 'payment:%' AND NOT reputation_is_recalled(subject, says) AND NOT EXISTS (
            SELECT FROM reputation_events n WHERE n.source = e.source AND n.key = e.key || ':again')
"""


@dataclass
class Market:
    """Two agents, two clients with three escrows with each agent, and what happens to them by chance."""

    connection: "asyncpg.Connection"
    chance: random.Random
    day: date = START
    escrows: dict[str, tuple[str, str]] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def now(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 13, tzinfo=UTC)

    async def take(self) -> None:
        escrow_id = self.chance.choice(list(self.escrows))
        client, agent_id = self.escrows[escrow_id]
        about = FactContext(
            agent_id=agent_id,
            agent_org_id="org_studio",
            counterparty_org_id=client,
            source="escrow",
            actor="test",
            at=self.now - timedelta(days=self.chance.choice([0, 0, 0, 2])),
            value_minor=50_00,
            commission_minor=2_50,
            stakes=STAKES,
            exempt=["*"],
            seasons_days=5,
            settles=escrow_id,
        )
        said = tuple(
            DimensionShare(dimension, self.chance.choice([5_000, 10_000]), self.chance.choice([0, 3_000, 10_000]))
            for dimension in self.chance.sample(list(Dimension), self.chance.randint(1, 2))
        )
        number = next(self.numbers)
        fact = ReputationFact(
            id=f"rev_{number}", kind="released", key=f"k{number}", subject=escrow_id, says=said, is_end=True
        )
        more = {"is_rated": self.chance.random() < 0.5, "is_success": self.chance.random() < 0.5}
        client_e4 = {
            "client_good_e4": self.chance.choice([0, 10_000]),
            "client_bad_e4": self.chance.choice([0, 0, 10_000]),
        }
        await store.record_facts(self.connection, about, [replace(fact, **more, **client_e4)])

    async def recall(self) -> None:
        payment_id, client = self.chance.choice(list(PAYERS.items()))
        mine = [escrow_id for escrow_id, (payer, _) in self.escrows.items() if payer == client]
        gone = self.chance.sample(mine, self.chance.randint(0, len(mine)))
        by_bank = self.chance.random() < 0.5
        for event_id in await recalls.recall(self.connection, payment_id, gone, by_bank=by_bank):
            await recalls.restore_event(self.connection, event_id, f"rev_{next(self.numbers)}", at=self.now)

    async def refresh(self) -> None:
        for agent_id in await recalls.stale(self.connection, limit=10):
            await recalls.refresh(self.connection, agent_id)

    async def void(self) -> None:
        rows = await self.connection.fetch("SELECT id FROM reputation_events ORDER BY seq")
        if rows:
            event_id = self.chance.choice(rows)["id"]
            await store.void(self.connection, event_id, by="test", reason="x", at=self.now)

    async def fail_to_pay(self) -> None:
        number = next(self.numbers)
        told = ClientAct(
            fact=ClientFact.PAYMENT_FAILED,
            key=f"k{number}",
            subject="x",
            org_id=self.chance.choice(list(PAYERS.values())),
            value_minor=50_00,
            currency="USD",
        )
        await clients.record_act(self.connection, f"rev_{number}", told, at=self.now)

    async def night(self) -> None:
        await nights.decay_agents(self.connection, self.day, after="", limit=100)
        await nights.decay_clients(self.connection, self.day, after="", limit=100)

    async def wait(self) -> None:
        self.day += timedelta(days=self.chance.choice([1, 1, 3, 7]))

    async def change_rate(self) -> None:
        """Have another rate from the night after the next one on, as the night does it."""
        self.day += timedelta(days=1)
        await self.night()
        self.day += timedelta(days=1)
        await nights.rewrite_rows(self.connection, self.day, after="", limit=100)
        await nights.change_rate(self.connection, self.day, self.chance.choice([9_000, 9_500, 9_900]))

    async def read(self) -> dict[tuple[str, str], dict[str, Any]]:
        await self.night()
        return {
            (name, row["key"]): dict(row)
            for name, query in READ.items()
            for row in await self.connection.fetch(query, self.day)
        }

    async def made_again(self) -> None:
        for agent_id in AGENTS:
            await self.connection.execute("SELECT reputation_remake($1)", agent_id)
            await self.connection.execute("SELECT reputation_reseason($1, '-infinity')", agent_id)
        for org_id in PAYERS.values():
            await self.connection.execute("SELECT reputation_remake_client($1)", org_id)


@pytest.mark.parametrize("seed", range(4))
async def test_rows_made_again_are_those_that_events_made(cluster: Postgres, seed: int) -> None:
    with new_database(cluster, f"bursar_fold_{seed}") as urls:
        owner, platform = [await asyncpg.connect(plain_url(url)) for url in (urls.owner, urls.platform)]
        # Escrows are there without their contracts: only whose they are counts here.
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(FILL, ["org_studio", *PAYERS.values()])
        for agent_id in AGENTS:
            await owner.execute(AGENT, agent_id)
        priors = ((START + timedelta(days=2), 700_000, 900_000), (START + timedelta(days=9), 300_000, 300_000))
        await owner.executemany(PRIORS, [(each.value, *prior) for each in Dimension for prior in priors])
        await owner.execute("SELECT open_reputation_months($1, $2)", START, START + timedelta(days=360))
        market = Market(platform, random.Random(seed))
        for number, (client, agent_id) in enumerate(itertools.product([*PAYERS.values()] * 3, AGENTS)):
            await owner.execute(ESCROW, f"esc_{number}", client, agent_id)
            market.escrows[f"esc_{number}"] = (client, agent_id)
        often: Sequence[Callable[[], Awaitable[None]]] = [market.take] * 5 + [market.recall, market.recall, market.wait]
        for _ in range(STEPS):
            rare = [market.refresh, market.void, market.fail_to_pay, market.night, market.change_rate]
            step = market.chance.choice([*often, *rare])
            async with platform.transaction():
                await step()
            async with undone(platform):
                await market.refresh()
                await platform.execute("SAVEPOINT made")
                made = await market.read()
                await platform.execute("ROLLBACK TO SAVEPOINT made")
                await market.made_again()
                assert await market.read() == made, step.__name__
            assert not await platform.fetch(ASTRAY), step.__name__
        assert made
        await owner.close()
        await platform.close()
