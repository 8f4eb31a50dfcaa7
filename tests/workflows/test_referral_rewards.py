"""The schedule that rewards referrals, in the books: late, once, and back with the payment."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import Worker

from activities.marketplace.referral import ReferralActivities
from contracts.common.batch import DuePage
from contracts.marketplace.referral import ReferralRewards
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import credit_price
from domain.common.money import CREDIT
from domain.marketplace.referral import Rewards
from domain.reputation.traits import TraitKind
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend
from models.marketplace.agent import Agent
from models.marketplace.marketplace import MarketplaceOffer
from models.marketplace.referral import Referral
from models.tenants.organization import Organization
from repositories.reputation import organization_trait
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from services.marketplace import referral as service
from services.tenants import organization as organizations
from tests.api.paying import NOW, Written
from tests.support.histories import replay_and_keep
from tests.support.locks import somebody_waits
from tests.support.looking import again
from tests.support.proving import prove_all
from tests.support.purchases import buy
from tests.workflows.conftest import with_plugin
from workflows.common.handling import ReferralRewardsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

ONE = 1_000_000
WINDOW = timedelta(days=120)
LATER = NOW + WINDOW + timedelta(days=1)


@dataclass
class Friends:
    """One organization that refers another one, and an unrelated studio."""

    database: Database
    referrer: str
    referred: str
    agent: str

    async def pays(self) -> Written:
        """Buy 100 credits for 10 USD as the referred organization."""
        made = await Written(self.database, self.referred).begin()
        made.there.pay(fee=0)
        return await made.look()

    async def buys(self) -> None:
        """Buy the agent for all of them: one dollar is the platform's commission."""
        async with self.database.platform() as session:
            await buy(session, self.referred, self.agent, NOW)

    async def uses(self, amount: int) -> None:
        async with self.database.platform() as session:
            books = Spending(await driver_connection(session), self.referred)
            await books.charge(NewSpend(key=new_id("key"), action="x", amount_minor=amount), at=LATER)

    async def stands(self) -> tuple[str, str | None]:
        async with self.database.platform() as session:
            row = await session.get(Referral, self.referred)
            assert row is not None
            return row.status, row.reason

    async def has(self, org_id: str) -> tuple[int, int]:
        """Return an organization's credits and what it owes."""
        async with self.database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            both = [
                await ledger.balance(each) for each in (accounts.org_credits(org_id), accounts.org_debt(org_id, CREDIT))
            ]
        return both[0].posted_minor // ONE, -both[1].posted_minor // ONE


async def friends(database: Database) -> Friends:
    referrer, referred, studio, agent = new_id("org"), new_id("org"), new_id("org"), new_id("agt")
    async with database.platform() as session:
        for number, org in enumerate((referrer, referred, studio)):
            await session.execute(
                insert(Organization).values(id=org, name="x", command_id=org, created_by=f"op{number}")
            )
        about: dict[str, Any] = {"visibility": "public", "pricing_model": "free", "name": "x", "created_by": "x"}
        await session.execute(insert(Agent).values(id=agent, org_id=studio, command_id=agent, **about))
        priced = {"model": "one_time", "price_minor": 100 * ONE, "currency": CREDIT, "summary": "", "words": []}
        who = {"status": "listed", "changed_by": "x", "changed_at": NOW, "created_at": NOW}
        await session.execute(insert(MarketplaceOffer).values(agent_id=agent, org_id=studio, **priced, **who))
        await service.record_referral(session, referred, referrer, now=NOW)
    return Friends(database=database, referrer=referrer, referred=referred, agent=agent)


async def test_referrals_are_rewarded_late_and_once_and_revoked_with_the_payment(
    database: Database, fresh_database_urls: Any, timeskip_env: WorkflowEnvironment
) -> None:
    urls = fresh_database_urls
    good, idle, near = [await friends(database) for _ in range(3)]
    paid = await good.pays()
    await good.buys()
    await idle.pays()
    await near.pays()
    await near.buys()
    async with database.platform() as session:
        for org_id in (near.referrer, near.referred):
            await organization_trait.record_trait(session, org_id, TraitKind.CARD, "one card")
    queue, client = new_id("queue"), with_plugin(timeskip_env.client)
    rewards = Rewards(referrer_minor=6 * ONE, referred_minor=4 * ONE)
    work = ReferralActivities(database, rewards, credit_price("0.10", "USD"), window=WINDOW)

    async def sweep(now: datetime) -> tuple[int, int, int]:
        handle = await client.start_workflow(
            ReferralRewardsWorkflow.run, ReferralRewards(now=now, limit=2), id=new_id("referrals"), task_queue=queue
        )
        done: ReferralRewards = await handle.result()
        assert done.failed == 0
        if done.rewarded:
            assert "rewarded: 1" in str(await handle.query("__temporal_workflow_metadata"))
            await replay_and_keep(await handle.fetch_history(), "referral-rewards/completed")
        return done.rewarded, done.refused, done.taken_back

    async with Worker(
        client, task_queue=queue, workflows=[ReferralRewardsWorkflow], activities=[work.look_at_referrals]
    ):
        # Related ones are never rewarded; the others wait for the window.
        assert await sweep(LATER - timedelta(days=2)) == (0, 1, 0)
        assert await near.stands() == ("refused", "related")
        assert await sweep(LATER) == (1, 0, 0)
        assert await good.stands() == ("rewarded", None)
        assert await idle.stands() == ("waiting", None)
        assert [await good.has(org) for org in (good.referrer, good.referred)] == [(6, 0), (4, 0)]
        assert await sweep(LATER + timedelta(days=1)) == (0, 0, 0)
        await good.uses(3 * ONE)
        ref = paid.there.dispute(fee=0)
        await paid.look()
        before = [await good.has(org) for org in (good.referrer, good.referred)]
        assert await sweep(LATER + timedelta(days=2)) == (0, 0, 0)
        paid.there.close_dispute(ref, won=False)
        await paid.look()
        assert await sweep(LATER + timedelta(days=4)) == (0, 0, 1)
        after = [await good.has(org) for org in (good.referrer, good.referred)]
        assert [new[0] - new[1] - (old[0] - old[1]) for old, new in zip(before, after, strict=True)] == [-6, -4]
        assert after[1][1] - before[1][1] >= 3
        assert await sweep(LATER + timedelta(days=5)) == (0, 0, 0)
    await prove_all(urls)


async def test_referral_whose_payment_is_disputed_on_its_last_day_is_decided_when_the_bank_has(
    database: Database,
) -> None:
    two, last = await friends(database), NOW + timedelta(days=365)
    paid = await two.pays()
    await two.buys()
    rewards = Rewards(referrer_minor=6 * ONE, referred_minor=4 * ONE)
    work = ReferralActivities(database, rewards, credit_price("0.10", "USD"), window=WINDOW)

    async def look(now: datetime) -> tuple[int, int]:
        asked = DuePage(now=now, after="", limit=2)
        done = await ActivityEnvironment().run(work.look_at_referrals, asked)
        return done.rewarded, done.refused

    ref = paid.there.dispute(fee=0)
    await paid.look()
    assert await look(last) == (0, 0)
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert await look(last + timedelta(days=2)) == (1, 0)
    assert await two.stands() == ("rewarded", None)


async def test_referral_of_a_closed_organization_is_refused(database: Database) -> None:
    two = await friends(database)
    await two.pays()
    await two.buys()
    closer = Actor(principal="op", role=Role.OPERATOR)
    rewards = Rewards(referrer_minor=6 * ONE, referred_minor=4 * ONE)
    work = ReferralActivities(database, rewards, credit_price("0.10", "USD"), window=WINDOW)
    async with database.platform() as session:
        await organizations.close(session, closer, two.referrer, reason="left", now=LATER)
    look = DuePage(now=LATER, after="", limit=2)
    done = await ActivityEnvironment().run(work.look_at_referrals, look)
    assert (done.refused, done.failed) == (1, 0)
    assert await two.stands() == ("refused", "closed")
    assert [await two.has(org) for org in (two.referrer, two.referred)] == [(0, 0), (0, 0)]


async def test_refund_during_the_reward_revokes_the_reward(
    database: Database,
) -> None:
    two = await friends(database)
    paid = await two.pays()
    await two.buys()
    rewards = Rewards(referrer_minor=6 * ONE, referred_minor=4 * ONE)
    price = credit_price("0.10", "USD")

    async def reward() -> None:
        async with database.platform() as session:
            await service.check_referral(session, two.referred, rewards, price, window=WINDOW, exempt=(), now=LATER)

    async with database.platform() as session:
        await Ledger(await driver_connection(session)).lock_balances([accounts.org_credits(two.referrer)])
        rewarding = asyncio.create_task(reward())
        first = await somebody_waits(database)
        paid.there.dispute(fee=0)
        looking = asyncio.create_task(paid.look())
        waiting = asyncio.create_task(somebody_waits(database, after=first))
        while not (looking.done() or waiting.done()):
            await again()
        waiting.cancel()
    await rewarding
    await looking
    assert await two.stands() == ("rewarded", None)
    async with database.platform() as session:
        row = await session.get(Referral, two.referred)
        assert row is not None
        assert row.next_at is not None


def test_referrals_are_checked_every_day() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "referral-rewards"]
    assert job.workflow == "referral-rewards"
    assert [calendar.hour[0].start for calendar in job.spec.calendars] == [4]


@pytest.mark.parametrize("owes", [True, False])
async def test_commission_of_charged_back_payments_gives_no_reward(database: Database, owes: bool) -> None:
    two = await friends(database)
    # One that stays and earns no commission, and one that earns commission and is charged back.
    await two.pays()
    await two.uses(100 * ONE)
    stolen = await two.pays()
    await two.buys()
    ref = stolen.there.dispute(fee=0)
    await stolen.look()
    stolen.there.close_dispute(ref, won=False)
    await stolen.look()
    if not owes:
        async with database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=new_id("key"),
                kind="t",
                source=accounts.platform("credit_issuance", CREDIT),
                destination=accounts.org_debt(two.referred, CREDIT),
                amount_minor=100 * ONE,
                effective_at=LATER,
            )
    rewards = Rewards(referrer_minor=6 * ONE, referred_minor=4 * ONE)
    async with database.platform() as session:
        await service.check_referral(
            session, two.referred, rewards, credit_price("0.10", "USD"), window=WINDOW, exempt=(), now=LATER
        )
    assert await two.has(two.referred) == (0, 100 if owes else 0)
    assert (await two.stands(), await two.has(two.referrer)) == (("waiting", None), (0, 0))
