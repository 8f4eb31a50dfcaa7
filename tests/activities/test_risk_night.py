"""Detectors on a real database: cases, holds, clusters and blocks, each once however often a night is repeated."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.risk.night import RiskNightActivities
from contracts.common.batch import BatchStep
from contracts.risk.night import DetectFraud, DetectFraudResult
from domain.common.credits import CreditPrice
from domain.risk.clusters import MOST_SHARING
from models.escrow.escrow import EscrowParty, EscrowRow
from models.marketplace.agent import Agent
from models.marketplace.referral import Referral
from models.messages.notification import NotificationChannel
from models.payments.chargeback import ChargebackRow
from models.payments.payment import PaymentRow
from models.payouts.creator_account import CreatorAccountRow
from models.reputation.organization_trait import OrganizationTrait
from models.reputation.reputation import (
    ReputationAgentRow,
    ReputationEventRow,
    ReputationFeedbackRow,
    ReputationHistoryRow,
)
from models.risk.decision import RiskCounter, RiskDecision, RiskLink
from models.tenants.api_key import ApiKey
from models.tenants.organization import Organization
from repositories.reputation.organization_trait import share_an_owner
from runtime.database import Database, plain_url
from tests.support.risk_rows import connect, id_at, put

pytestmark = pytest.mark.db

NOW = datetime(2026, 3, 4, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = NOW - DAY
PRIVATE = {"visibility": "private", "pricing_model": "free"}


@dataclass
class World:
    owner: asyncpg.Connection
    database: Database

    async def put(self, model: Any, at: datetime = BEFORE, **values: Any) -> None:
        await put(self.owner, model, at, **values)

    async def link(self, entity: str, *org_ids: str, at: datetime = BEFORE) -> None:
        for number, org_id in enumerate(org_ids):
            seen = at + timedelta(seconds=number)
            await self.put(RiskLink, seen, entity=entity, org_id=org_id)

    async def rate(self, rater: str, rated: str, at: datetime = BEFORE, agent_id: str = "agt") -> None:
        feedback = id_at("fbk", at)
        await self.put(
            ReputationFeedbackRow,
            at,
            id=feedback,
            contract_id=feedback,
            command_id=feedback,
            org_id=rater,
            agent_org_id=rated,
            agent_id=agent_id,
            ratings={"quality": 5},
            created_at=at,
        )

    async def pay(self, payer: str, payee: str, minor: int, at: datetime = BEFORE, status: str = "released") -> str:
        escrow_id = id_at("esc", at)
        paid = minor if status == "released" else 0
        about = {"org_id": payer, "payee_org_id": payee, "currency": "USD", "status": status}
        amounts = {"amount_minor": minor, "funded_minor": minor, "released_minor": paid}
        await self.put(EscrowRow, at, id=escrow_id, contract_id=escrow_id, **about, **amounts)
        await self.put(EscrowParty, at, org_id=payee, escrow_id=escrow_id, status=status)
        return escrow_id

    async def decided(self, point: str, org_id: str, at: datetime, minor: int, *entities: str) -> None:
        decision = id_at("rsd", at)
        about = {"point": point, "outcome": "allow", "entities": list(entities), "value_minor": minor}
        await self.put(RiskDecision, at, id=decision, command_id=decision, org_id=org_id, **about)

    async def detect(self, detector: str, now: datetime = NOW) -> DetectFraudResult:
        work = RiskNightActivities(self.database, CreditPrice(price=Decimal("0.10"), currency="USD"))
        return await ActivityEnvironment().run(work.detect, DetectFraud(kind=detector, now=now))

    async def sweep(self, now: datetime) -> DetectFraudResult:
        work = RiskNightActivities(self.database, CreditPrice(price=Decimal("0.10"), currency="USD"))
        return await ActivityEnvironment().run(work.sweep, BatchStep(now=now))

    async def read(self, statement: str) -> list[tuple[Any, ...]]:
        async with self.database.platform() as session:
            return [tuple(row) for row in await session.execute(text(statement))]

    async def holds(self) -> list[tuple[Any, ...]]:
        return await self.read("SELECT kind, subject FROM risk_holds ORDER BY kind, subject")


@pytest.fixture
async def world(fresh_database: Database, fresh_database_urls: Any) -> AsyncIterator[World]:
    owner = await connect(plain_url(fresh_database_urls.owner))
    yield World(owner, fresh_database)
    await owner.close()


CASES = 'SELECT kind, "group", org_ids FROM risk_cases ORDER BY id'


async def test_organizations_of_one_owner_are_one_rater_and_one_case(world: World) -> None:
    for org_id in ("org_a", "org_b", "org_c"):
        await world.put(Organization, id=org_id, command_id=org_id)
    await world.link("device:d", "org_a", "org_b")
    await world.put(OrganizationTrait, org_id="org_b", kind="card", digest="x")
    await world.put(OrganizationTrait, org_id="org_c", kind="card", digest="x")
    await world.link("address:office", "org_c", "org_neighbour")
    await world.link("device:of a shop", *(f"org_crowd{number:02}" for number in range(MOST_SHARING + 1)))
    await world.rate("org_a", "org_c")
    await world.rate("org_neighbour", "org_c")
    rewarded = {"status": "rewarded", "decided_at": BEFORE}
    for referred in ("org_b", "org_c"):
        await world.put(Referral, org_id=referred, referrer_org_id="org_a", payment_id=referred, **rewarded)
    first, again = await world.detect("clusters"), await world.detect("clusters", NOW + DAY)
    assert (first.found, first.opened, again.found, again.opened) == (1, 1, 1, 0)
    assert await world.read(CASES) == [("sybil", "cluster:org_a", ["org_a", "org_b", "org_c"])]
    rows = await world.read("SELECT org_id, cluster, organizations FROM risk_clusters ORDER BY org_id")
    assert rows == [(each, "cluster:org_a", 4) for each in ("org_a", "org_b", "org_c", "org_neighbour")]
    excluded = "SELECT reputation_excluded('org_a', '{}', '{{*}}')"
    assert await world.read(excluded.format("org_c")) == [("related",)]
    # They may trade with each other, unlike those that share a card.
    async with world.database.platform() as session:
        shared = [await share_an_owner(session, one, "org_c", ["*"]) for one in ("org_a", "org_b")]
    assert shared == [False, True]
    # An office's address says nothing of who owns.
    assert await world.read("SELECT reputation_excluded('org_c', 'org_neighbour', '{*}')") == [(None,)]


async def test_clusters_are_written_anew_from_present_links(world: World) -> None:
    await world.link("address:old", "org_a", "org_b")
    await world.detect("clusters")
    await world.link("address:new", "org_c", "org_d", at=NOW + 60 * DAY)
    await world.detect("clusters", NOW + 100 * DAY)
    assert await world.read("SELECT org_id FROM risk_clusters ORDER BY org_id") == [("org_c",), ("org_d",)]


async def test_ring_is_one_case_that_holds_earnings_and_costs_nothing_beyond_the_window(world: World) -> None:
    ring = ("org_x", "org_y", "org_z")
    for payer, payee in zip(ring, (*ring[1:], ring[0]), strict=True):
        await world.pay(payer, payee, 50_000)
        await world.pay(payer, "org_shop", 1_000)
    first = await world.detect("rings")
    assert (first.found, first.opened) == (1, 1)
    [(kind, _, org_ids)] = await world.read(CASES)
    assert (kind, sorted(org_ids)) == ("ring", list(ring))
    assert await world.holds() == [("earnings", org_id) for org_id in ring]
    for _ in range(100):
        await world.pay("org_x", "org_shop", 1_000, NOW - 91 * DAY)
        await world.rate("org_x", "org_shop", NOW - 91 * DAY)
    again = await world.detect("rings")
    assert (again.read, again.found, again.opened) == (first.read, 1, 0)
    # Once the case is decided, the same evidence opens no other case for 30 days.
    await world.owner.execute("UPDATE risk_cases SET status = 'closed'")
    assert [(await world.detect("rings", NOW + days * DAY)).opened for days in (29, 30)] == [0, 1]


async def delivered(world: World, org_id: str, seconds: int) -> None:
    event = id_at("rev", BEFORE)
    about = {"key": event, "agent_id": f"agt_{org_id}", "agent_org_id": org_id, "kind": "released"}
    days = {"day": BEFORE.date(), "seasoned_on": BEFORE.date()}
    await world.put(ReputationEventRow, id=event, source="escrow", delivery_seconds=seconds, **about, **days)


async def test_junk_deliverer_is_paid_by_nobodys_silence(world: World) -> None:
    for org_id in ("org_honest", "org_fast"):
        await world.put(Agent, id=f"agt_{org_id}", org_id=org_id, command_id=org_id, category="text", **PRIVATE)
    for number in range(60):
        await delivered(world, "org_honest", 600 + number)
    for _ in range(3):
        await delivered(world, "org_fast", 5)
    for number in range(2):
        await world.link(f"artifact:{number}", "org_honest", "org_copy")
    counted = {"grain": "d", "name": "deliveries", "amount": 60}
    await world.put(RiskCounter, entity="organization:org_honest", **counted)
    open_one = await world.pay("org_client", "org_fast", 7_000, status="delivered")
    first, again = await world.detect("deliveries"), await world.detect("deliveries")
    assert (first.opened, again.opened) == (2, 0)
    assert sorted(await world.read(CASES)) == [
        ("delivery", "org_copy", ["org_copy"]),
        ("delivery", "org_fast", ["org_fast"]),
    ]
    assert await world.holds() == [("release", open_one)]
    # The open case holds what came later, too.
    later = await world.pay("org_client", "org_fast", 7_000, status="funded")
    assert (await world.detect("deliveries")).opened == 0
    assert await world.holds() == [("release", open_one), ("release", later)]


async def test_who_takes_its_money_back_pays_in_advance(world: World) -> None:
    async def paid(org_id: str, number: int, refunded: int, disputed: int = 0) -> None:
        for place in range(number):
            payment = id_at("pay", BEFORE)
            amounts = {"amount_minor": 1_000, "received_minor": 1_000, "currency": "USD"}
            back = {"refunded_minor": 1_000 if place < refunded else 0}
            await world.put(PaymentRow, id=payment, org_id=org_id, **amounts, **back)
            if place < disputed:
                about = {"payment_id": payment, "ref": payment, "status": "lost", "amount_minor": 1_000}
                await world.put(ChargebackRow, id=payment, org_id=org_id, **about)

    await paid("org_honest", 200, 6)
    await paid("org_refunds", 12, 9)
    # Each of the three is below the number of one; together they are not.
    for org_id in ("org_one", "org_two", "org_three"):
        await paid(org_id, 3, 0, disputed=2)
    await world.link("device:d", "org_one", "org_two", "org_three")
    await world.detect("clusters")
    found = await world.detect("refunds")
    assert (found.found, found.opened) == (2, 2)
    org_ids = ("org_one", "org_refunds", "org_three", "org_two")
    assert await world.holds() == [("prepay", org_id) for org_id in org_ids]


async def test_score_that_newcomers_praise_does_not_count_in_prices(world: World) -> None:
    await world.owner.execute("SELECT open_reputation_months($1, $2)", (NOW - 60 * DAY).date(), NOW.date())
    for agent_id in ("agt_praised", "agt_steady"):
        await world.put(Agent, id=agent_id, org_id="org_a", command_id=agent_id, **PRIVATE)
        about = {"agent_id": agent_id, "started_on": (NOW - 40 * DAY).date()}
        await world.put(ReputationAgentRow, **about)
        day = {"agent_id": agent_id, "day": NOW.date(), "moved_e6": 90_000}
        await world.put(ReputationHistoryRow, **day)
    for number in range(4):
        rater, made = f"org_new{number}", NOW - 3 * DAY
        await world.put(Organization, id=rater, command_id=rater, created_at=made)
        await world.rate(rater, "org_a", agent_id="agt_praised")
    assert (await world.detect("scores")).opened == 1
    assert await world.holds() == [("score", "agt_praised")]


async def test_card_tester_is_blocked_for_a_growing_time(world: World) -> None:
    async def attack(now: datetime) -> None:
        for number in range(12):
            seen = ("address:bad", f"instrument:{number}", "organization:org_a")
            await world.decided("payment", "org_a", now - timedelta(minutes=number), 100, *seen)
        await world.put(
            RiskCounter, now - timedelta(minutes=3), entity="address:bad", grain="m", name="declined", amount=11
        )
        await world.decided("payment", "org_b", now, 100, "address:good", "instrument:b", "organization:org_b")

    items = "SELECT entity, (ends_at - created_at)::text FROM risk_list_items ORDER BY created_at"
    await attack(NOW)
    first, again = await world.sweep(NOW), await world.sweep(NOW + timedelta(minutes=5))
    assert (first.found, first.opened, again.found, again.opened) == (1, 1, 1, 0)
    assert await world.read(items) == [("address:bad", "01:00:00")]
    await attack(NOW + timedelta(hours=2))
    await world.sweep(NOW + timedelta(hours=2))
    assert await world.read(items) == [("address:bad", "01:00:00"), ("address:bad", "06:00:00")]
    assert await world.read(CASES) == [("card_testing", "address:bad", ["org_a"])]


@pytest.mark.parametrize(("key_age", "is_taken"), [(timedelta(hours=5), True), (20 * DAY, False)])
async def test_new_key_then_new_account_then_payout_is_held_and_owners_are_told(
    world: World, key_age: timedelta, is_taken: bool
) -> None:
    await world.put(Organization, id="org_a", command_id="a")
    for name, age in (("ann", 200 * DAY), ("thief", key_age)):
        key = {"org_id": "org_a", "principal": name, "role": "owner", "command_id": name}
        await world.put(ApiKey, id=name, created_at=NOW - age, **key)
    about = {"recipient": "org_a/ann", "org_id": "org_a", "principal": "ann", "kind": "mail", "status": "verified"}
    about |= {"address": "ann@example.com", "target_digest": "x"}
    await world.put(NotificationChannel, id=id_at("nch", NOW), verified_at=NOW, **about)
    changed = {"destination_changed_at": NOW - timedelta(hours=2)}
    await world.put(CreatorAccountRow, org_id="org_a", **changed)
    await world.decided("payout", "org_a", NOW - timedelta(minutes=4), 90_000)
    assert [(await world.sweep(NOW)).opened for _ in range(2)] == [int(is_taken), 0]
    mails = await world.read("SELECT kind, recipients FROM mails")
    assert mails == [("payout_destination_changed", ["ann@example.com"])] * is_taken
    held = await world.read("SELECT kind, subject, (until - created_at)::text FROM risk_holds")
    assert held == [("earnings", "org_a", "3 days")] * is_taken
