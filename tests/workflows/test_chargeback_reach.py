"""A chargeback claws back balances of the organization's agents before it creates a debt."""

import asyncio
from dataclasses import replace

import pytest

from domain.common import accounts
from ledger.gateway import Ledger
from runtime.database import driver_connection
from tests.workflows.conftest import Job, Stage
from tests.workflows.payment_driver import PaymentDriver, paid

pytestmark = [pytest.mark.timeskip, pytest.mark.db]

CREDITS = 1_000_000


async def agents_of(job: Job) -> dict[str, int]:
    """Balances of the payee's agent, by kind of earnings."""
    terms = job.terms
    agent, org = terms.agent_id, terms.payee_org_id
    of = {
        # The payer was granted its credits.
        "earnings": accounts.agent_granted_earnings(agent, org),
        "own_work": accounts.agent_own_work(agent, terms.currency, org),
    }
    async with job.stage.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        return {kind: (await ledger.balance(account)).posted_minor for kind, account in of.items()}


async def released(job: Job) -> Job:
    await (await job.delivered()).send("validate", job.validator, score_e4=10_000)
    return job


async def test_chargeback_claws_back_payments_to_own_agents(stage: Stage):
    other = await stage.award()
    made = await paid(stage, org_id=other.terms.payee_org_id)  # 100 credits
    own = Job(stage, replace(other.terms, payer_org_id=made.terms.org_id))
    job = await released(await stage.award(of=own, amount_minor=40 * CREDITS))
    assert await agents_of(job) == {"earnings": 0, "own_work": 38 * CREDITS}
    made.there.dispute()
    await made.refreshed()
    # What is owed is the platform's commission.
    assert await made.money() == {"wallet": 0, "own": 100 * CREDITS, "debt": -2 * CREDITS}
    assert await agents_of(job) == {"earnings": 0, "own_work": 0}


async def test_chargeback_takes_agents_earnings_before_it_books_a_debt(stage: Stage):
    job = await released(await stage.award())
    made = await paid(stage, org_id=job.terms.payee_org_id)
    await made.spend(60 * CREDITS)
    made.there.dispute()
    await made.refreshed()
    assert await made.money() == {"wallet": 0, "own": 100 * CREDITS, "debt": -12_500_000}
    assert await agents_of(job) == {"earnings": 0, "own_work": 0}
    assert (await made.state()).debt_minor == 12_500_000


async def test_a_chargeback_leaves_earnings_alone_while_the_wallet_covers_it(stage: Stage):
    job = await released(await stage.award())
    made = await paid(stage, org_id=job.terms.payee_org_id)
    made.there.dispute()
    await made.refreshed()
    assert await agents_of(job) == {"earnings": 47_500_000, "own_work": 0}
    assert (await made.money())["debt"] == 0


async def test_earnings_pay_the_organizations_debt_first(stage: Stage):
    job = await (await stage.award()).delivered()
    made = await paid(stage, org_id=job.terms.payee_org_id)
    await made.spend(30 * CREDITS)
    made.there.dispute()
    await made.refreshed()
    assert (await made.money())["debt"] == -30 * CREDITS
    await job.send("validate", job.validator, score_e4=10_000)
    assert (await made.money())["debt"] == 0
    assert await agents_of(job) == {"earnings": 17_500_000, "own_work": 0}
    assert (await job.state()).released_minor == 47_500_000


async def test_concurrent_clawbacks_and_releases_balance_without_a_deadlock(stage: Stage):
    first = await stage.award(balance=1000 * CREDITS)
    org = first.terms.payee_org_id
    owing = await paid(stage, org_id=org)
    await owing.spend(100 * CREDITS)
    owing.there.dispute()
    await owing.refreshed()  # from here on the organization has an account for what it owes
    jobs = [await (await stage.award(of=first)).delivered() for _ in range(6)]
    bought = [await paid(stage, org_id=org) for _ in range(6)]

    async def charged_back(made: PaymentDriver) -> None:
        made.there.dispute()
        await made.refreshed()

    await asyncio.gather(
        *(job.send("validate", job.validator, score_e4=10_000) for job in jobs), *map(charged_back, bought)
    )
    debt = (await owing.money())["debt"]
    earned = (await agents_of(first))["earnings"]
    held = sum([(await made.money())["own"] for made in [owing, *bought]])
    assert held == 700 * CREDITS
    # 700 were bought and 100 of them spent; six times 47.50 were earned. Nobody owes while there is something to take.
    assert (await owing.money())["wallet"] + earned + debt == (600 + 285 - 700) * CREDITS
    assert not (debt and earned)
