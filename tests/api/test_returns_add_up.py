"""Random histories of sales, refunds, reports and uses: returns match spends and the ledger."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.payouts.recovery import RecoveryActivities
from contracts.common.batch import DuePage
from domain.common.access import Actor, Role
from domain.common.credits import credit_price
from domain.common.money import parse_amount
from domain.escrow import commands
from domain.escrow.state import Escrow
from domain.payouts.payable import HoldBack
from domain.returns.roi import CostKind
from repositories.credits import spend_day
from repositories.returns import revenue_event, roi
from runtime.database import Database
from services.books import exchange_rate
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.api.escrowing import escrow_between, state, write
from tests.api.paying import Written
from tests.api.spending import grant
from tests.api.test_marketplace import made, offer, site  # noqa: F401 - a fixture
from tests.api.test_spend_days import add_up
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.proving import prove
from tests.support.returns import NOW, buys
from tests.support.seeds import RUN_SEED

pytestmark = pytest.mark.db

#: What came to the agents of an organization from others, the commission included, less what went back.
EARNED = text("""
SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
JOIN ledger.transfers t ON t.id = e.transfer_id
WHERE t.kind LIKE 'marketplace.%' AND t.reference IN (
        SELECT id FROM marketplace_uses WHERE payee_org_id = :org
        UNION ALL SELECT id FROM marketplace_purchases WHERE payee_org_id = :org
    ) AND (a.path = 'platform/commission' OR a.org_id = :org AND a.path NOT LIKE '%/sales/%')
""")
SPENT = text("""
SELECT agent_id, sum(captured - refunded)::bigint AS spent FROM ledger.spends WHERE org_id = :org GROUP BY agent_id
""")

#: What the earnings in credits of an organization's agents can be paid out for, and what was paid for what it spent.
OWED = text("""
SELECT l.paid_asset AS asset, sum(l.paid - l.costed)::bigint AS minor FROM ledger.lots l
JOIN ledger.accounts a ON a.id = l.account_id
WHERE a.org_id = :org AND a.path LIKE 'agent/%/earnings/CREDIT' AND l.paid > 0 GROUP BY 1
""")
PAID = text("""
SELECT l.paid_asset AS asset, sum(u.cost - u.cost_returned)::bigint AS minor FROM ledger.spends s
JOIN ledger.lot_uses u ON u.transfer_id = s.transfer_id JOIN ledger.lots l ON l.id = u.lot_id
WHERE s.org_id = :org AND l.paid > 0 GROUP BY 1
""")


class History:
    """A seller with two agents, a buyer, and an independent model of reported, confirmed and reversed revenue."""

    def __init__(self, seller: Tenant, buyer: Tenant, operator: Caller, second: str, drawn: random.Random) -> None:
        self.seller, self.buyer, self.operator, self.drawn = seller, buyer, operator, drawn
        self.agents = [seller.agent_id, second]
        self.sold: list[str] = []
        self.spends: list[str] = []
        self.events: dict[str, tuple[str, Decimal, Decimal]] = {}
        self.shares: dict[str, list[int]] = {}

    async def sell(self) -> None:
        body = {"action": "page", "payee_agent_id": self.seller.agent_id, "quantity": self.drawn.randint(1, 9)}
        self.sold.append(good(await self.buyer.owner.post("/credits/use", body, key=new_key()), 201)["id"])

    async def return_sale(self) -> None:
        if self.sold:
            path = f"/credits/spends/{self.sold.pop(self.drawn.randrange(len(self.sold)))}/refunds"
            good(await self.operator.post(path, {}, key=new_key()), 201)

    async def spend(self) -> None:
        whose = self.drawn.choice([*self.agents, None])
        body = {"amount": str(self.drawn.randint(1, 300) / Decimal(100)), "action": "generate"}
        body |= {} if whose is None else {"agent_id": whose}
        self.spends.append(good(await self.seller.owner.post("/credits/use", body, key=new_key()), 201)["id"])

    async def return_spend(self) -> None:
        if self.spends:
            path = f"/credits/spends/{self.spends.pop()}/refunds"
            good(await self.operator.post(path, {}, key=new_key()), 201)

    async def report(self) -> None:
        amount = Decimal(self.drawn.randint(1, 10_000)) / 100
        body = {"source": "ads", "reference": new_key(), "amount": str(amount), "currency": "CREDIT"}
        body["agent_id"] = self.drawn.choice(self.agents)
        row = good(await self.seller.owner.post("/revenue", body, key=new_key()), 201)
        self.events[row["id"]] = ("reported", amount, Decimal(0))

    async def decide(self) -> None:
        id = next((id for id, (status, *_) in self.events.items() if status == "reported"), None)
        if id is None:
            return
        if self.drawn.random() < 0.3:
            await self._act(id, "reject", None)
            self.events[id] = ("rejected", self.events[id][1], Decimal(0))
            return
        amount = Decimal(self.drawn.randint(1, 5_000)) / 100
        await self._act(id, "confirm", {"amount": str(amount)})
        self.events[id] = ("confirmed", amount, Decimal(0))

    async def take_back(self) -> None:
        ids = [id for id, (status, *_) in self.events.items() if status == "confirmed"]
        if ids:
            id = self.drawn.choice(ids)
            amount = self.events[id][1]
            back = amount * self.drawn.choice((Decimal("0.5"), Decimal(1), Decimal(0)))
            await self._act(id, "reverse", {"reversed_amount": f"{back:.6f}"})
            self.events[id] = ("confirmed", amount, back)

    async def share(self) -> None:
        rows = good(await self.seller.owner.get("/revenue?limit=200"))["data"]
        rows = [row for row in rows if row["status"] != "rejected"]
        if rows:
            weights = [self.drawn.randint(1, 7) for _ in self.agents]
            parts = [{"agent_id": agent, "weight": weight} for agent, weight in zip(self.agents, weights, strict=True)]
            path = f"/revenue/{self.drawn.choice(rows)['id']}/shares"
            done = good(await self.seller.owner.ask("PUT", path, json={"rule": "manual", "parts": parts}))
            assert sum(part["bps"] for part in done["shares"]) == 10_000

    async def _act(self, id: str, act: str, body: Any) -> None:
        good(await self.seller.finance.post(f"/revenue/{id}/{act}", body, key=new_key()))

    async def play(self, steps: int) -> None:
        acts: list[tuple[Callable[[], Awaitable[None]], int]] = [
            *((self.sell, 4), (self.return_sale, 2), (self.spend, 3), (self.return_spend, 1)),
            *((self.report, 3), (self.decide, 3), (self.take_back, 2), (self.share, 3)),
        ]
        for act in self.drawn.choices([act for act, _ in acts], [weight for _, weight in acts], k=steps):
            await act()


@pytest.mark.parametrize("number", range(3))
async def test_returns_add_up_to_spends_and_ledger_over_random_histories(
    number: int,
    operator: Caller,
    new_tenant: Any,
    site: httpx2.AsyncClient,  # noqa: F811
    database: Database,
    database_urls: DatabaseUrls,
) -> None:
    seller, buyer = await made(new_tenant, site), await made(new_tenant, site)
    for tenant in (seller, buyer):
        # Granted credits come first, and those that are left cost what they cost.
        await grant(operator, tenant.org_id, "2")
        for credits, cents, asset in ((4, 19, "USD"), (3, 7, "PEN"), (5000, 12_449, "USD")):
            await buys(database, tenant.org_id, credits, cents, asset)
    async with database.platform() as session:
        await exchange_rate.store_price(session, credit_price("0.10", "USD"), NOW)
    await offer(seller, model="usage", price=None, prices={"page": "3.33"})
    good(await buyer.owner.post(f"/marketplace/agents/{seller.agent_id}/purchase", {}, key=new_key()), 201)
    second = good(await seller.owner.post("/agents", {"name": "Second"}), 201)["id"]
    history = History(seller, buyer, operator, second, random.Random(RUN_SEED + number))
    await history.play(40)

    async with database.platform() as session:
        earned = await session.scalar(EARNED, {"org": seller.org_id})
        spent = {row.agent_id: row.spent for row in await session.execute(SPENT, {"org": seller.org_id})}
    answer = good(await seller.owner.get("/economics/roi?currency=CREDIT&limit=200"))
    total, rows = answer["total"], answer["data"]

    def minor(amount: str) -> int:
        sign = -1 if amount.startswith("-") else 1
        return sign * parse_amount(amount.lstrip("-"), "CREDIT", zero=True)

    outside = sum(amount - back for status, amount, back in history.events.values() if status == "confirmed")
    assert minor(total["revenue"]["confirmed"]) == earned + int(outside * 10**6)
    for status in ("reported", "rejected"):
        said = sum(amount for state, amount, _ in history.events.values() if state == status)
        assert minor(total["revenue"][status]) == said * 10**6
    # Shares change whose it is, and never how much it is; so do costs that no agent made.
    summed = Counter[str]()
    for row in rows:
        summed += Counter({f"revenue.{name}": minor(value) for name, value in row["revenue"].items()})
        summed += Counter({f"costs.{name}": minor(value) for name, value in row["costs"].items()})
    assert summed["revenue.confirmed"] == minor(total["revenue"]["confirmed"])
    assert summed["costs.commission"] == minor(total["costs"]["commission"])
    assert summed["costs.shared"] == spent.get(None, 0)
    assert {row["id"]: minor(row["costs"]["usage"]) for row in rows if row["id"] in history.agents} == {
        row["id"]: spent.get(row["id"], 0) for row in rows if row["id"] in history.agents
    }
    assert minor(total["costs"]["usage"]) + minor(total["costs"]["shared"]) == sum(spent.values())
    names = ["returns.revenue", "returns.cost", "returns.margin"]
    body = {"metrics": names, "from": answer["from"], "to": answer["to"], "currency": "CREDIT"}
    figures = good(await seller.owner.post("/analytics/query", body))["totals"]
    assert [each["value"] for each in figures] == [total["revenue"]["confirmed"], total["total_costs"], total["margin"]]
    await _in_money(seller, database)
    await prove(database_urls, revenue_event.INVARIANTS, spend_day.INVARIANTS)


async def _in_money(seller: Tenant, database: Database) -> None:
    """Check that earnings equal payouts and spends equal costs, before and after the day's totals."""
    async with database.platform() as session:
        owed = {row.asset: row.minor for row in await session.execute(OWED, {"org": seller.org_id})}
        cost = {row.asset: row.minor for row in await session.execute(PAID, {"org": seller.org_id})}
    made = list[dict[str, Any]]()
    for _ in range(2):
        # Credits that were reported have no price, and no test sets a rate of the sol.
        answer = good(await seller.owner.get("/economics/roi?currency=USD&limit=200"))
        assert set(answer["left_out"]) <= {"CREDIT", "PEN"}
        total = answer["total"]
        earned = Decimal(total["revenue"]["confirmed"]) - Decimal(total["costs"]["commission"])
        assert earned == Decimal(owed.get("USD", 0)) / 100
        assert Decimal(total["costs"]["usage"]) + Decimal(total["costs"]["shared"]) == Decimal(cost.get("USD", 0)) / 100
        made.append(answer)
        await add_up(database)
    assert made[0] == made[1]


async def test_revenue_of_credits_whose_payment_is_lost_is_reversed_as_far_as_it_is_recovered(
    new_tenant: Any,
    site: httpx2.AsyncClient,  # noqa: F811
    database: Database,
    database_urls: DatabaseUrls,
) -> None:
    seller, buyer = await made(new_tenant, site), await made(new_tenant, site)
    paid = await Written(database, buyer.org_id).begin()
    paid.there.pay()
    await paid.look()
    await offer(seller)
    good(await buyer.owner.post(f"/marketplace/agents/{seller.agent_id}/purchase", {}, key=new_key()), 201)
    ref = paid.there.dispute()
    await paid.look()
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    [before] = good(await seller.owner.get("/revenue"))["data"]
    assert (before["status"], before["reversed_amount"]) == ("confirmed", "0.00")
    recovery = RecoveryActivities(database, None, hold_back=HoldBack.default())
    await ActivityEnvironment().run(recovery.recover, DuePage(now=datetime.now(UTC), after="", limit=500))
    # Of 40 credits the agent had 36, and the platform keeps its commission: the agent has neither won nor lost.
    [after] = good(await seller.owner.get("/revenue"))["data"]
    assert (after["amount"], after["reversed_amount"], after["commission"]) == ("40.00", "36.00", "4.00")
    assert good(await seller.owner.get("/economics/roi?currency=CREDIT"))["total"]["margin"] == "0.00"
    await prove(database_urls, revenue_event.INVARIANTS)


async def test_debt_of_a_seller_that_spent_its_earnings_is_reversed_in_money(
    operator: Caller,
    new_tenant: Any,
    site: httpx2.AsyncClient,  # noqa: F811
    database: Database,
    database_urls: DatabaseUrls,
) -> None:
    seller, buyer = await made(new_tenant, site), await made(new_tenant, site)
    await buys(database, buyer.org_id, 100, 499)
    await offer(seller, model="usage", price=None, prices={"page": "10"})
    good(await buyer.owner.post(f"/marketplace/agents/{seller.agent_id}/purchase", {}, key=new_key()), 201)
    used = {"action": "page", "payee_agent_id": seller.agent_id, "quantity": 4}
    spend = good(await buyer.owner.post("/credits/use", used, key=new_key()), 201)["id"]
    [row] = good(await seller.owner.get("/revenue"))["data"]
    assert [(each["amount"], each["reversed_amount"]) for each in row["money"]] == [("1.99", "0.00")]
    good(
        await seller.owner.post(
            "/credits/earnings/conversions", {"agent_id": seller.agent_id, "kind": "paid"}, key=new_key()
        ),
        201,
    )
    # What it owes is credits without a lot.
    good(await operator.post(f"/credits/spends/{spend}/refunds", {}, key=new_key()), 201)
    [row] = good(await seller.owner.get("/revenue"))["data"]
    [money] = row["money"]
    assert (row["status"], money["amount"], money["reversed_amount"], money["commission"]) == (
        "reversed", "1.99", "1.99", "0.00"
    )  # fmt: skip
    await prove(database_urls, revenue_event.INVARIANTS)


async def test_each_escrow_payment_is_revenue_of_its_day_and_reversed_separately(
    operator: Caller,
    new_tenant: Any,
    database: Database,
    database_urls: DatabaseUrls,
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner", "agent")
    paid = await Written(database, payer.org_id).begin()
    paid.there.pay()
    await paid.look()
    signer = good(await payer.owner.get("/me"))["principal"]
    first, last = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC)
    parts = [{"name": "draft", "amount": "20"}, {"name": "text", "amount": "10"}, {"name": "final", "amount": "30"}]
    escrow = await escrow_between(operator, database, payer, payee, signer, at=first, price="60", milestones=parts)
    buyer = Actor(principal=signer, role=Role.OWNER, org_id=payer.org_id)
    worker = Actor(principal="studio", role=Role.OWNER, org_id=payee.org_id)
    funded = commands.fund(await state(database, escrow), actor=buyer, source=commands.CREDITS, now=first)
    await write(database, funded, at=first)

    async def deliver(at: datetime) -> Escrow:
        held = await state(database, escrow)
        made = commands.deliver(held, actor=worker, artifacts=(), note="x", milestone=None, now=at)
        await write(database, made, at=at)
        return await state(database, escrow)

    for at in (first, last):
        held = await deliver(at)
        assert held.delivery is not None
        signed = commands.approve(held, signatory=signer, actor=buyer, now=at, delivery=held.delivery.number)
        await write(database, signed, at=at)
    await write(database, commands.dispute(await deliver(last), actor=buyer, reason="late", now=last), at=last)
    arbiter = Actor(principal="judge", role=Role.ARBITER)
    frozen = await state(database, escrow)
    await write(database, commands.resolve(frozen, actor=arbiter, payee_share_e4=5_000, note=None, now=last), at=last)

    async def revenue() -> list[tuple[str, str, str, str]]:
        rows = good(await payee.owner.get("/revenue"))["data"]
        assert {row["reference"] for row in rows} == {escrow}
        return [
            (row["occurred_at"][:10], *(row[name] for name in ("amount", "commission", "reversed_amount")))
            for row in rows
        ]

    day, before = str(last.date()), str(first.date())
    expected = [(day, "15.00", "0.75", "0.00"), (day, "10.00", "0.50", "0.00"), (before, "20.00", "1.00", "0.00")]
    assert await revenue() == expected
    async with database.tenant(payer.org_id) as session:
        costs = await roi.costs(session, payer.org_id, first.date(), last.date() + timedelta(days=1))
    assert [(cost.day, cost.kind, cost.minor) for cost in sorted(costs, key=lambda cost: cost.day)] == [
        (first.date(), CostKind.PURCHASES, 20_000_000),
        (last.date(), CostKind.PURCHASES, 25_000_000),
    ]
    # Of 100 credits 55 are left, so 25 of those earned are lost.
    ref = paid.there.dispute(800)
    await paid.look()
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    recovery = RecoveryActivities(database, None, hold_back=HoldBack.default())
    await ActivityEnvironment().run(recovery.recover, DuePage(now=datetime.now(UTC), after="", limit=500))
    assert [back for *_, back in await revenue()] == ["14.25", "9.50", "0.00"]
    await prove(database_urls, revenue_event.INVARIANTS)


#: What verify has to find.
DAMAGES = {
    "amount": "UPDATE revenue_events SET amount_minor = amount_minor + 1 WHERE transfer_id IS NOT NULL",
    "commission": "UPDATE revenue_events SET commission_minor = 0 WHERE transfer_id IS NOT NULL",
    "reversal": "UPDATE revenue_events SET reversed_minor = amount_minor WHERE transfer_id IS NOT NULL",
    "status": "UPDATE revenue_events SET status = 'rejected' WHERE transfer_id IS NOT NULL",
    "whose": "UPDATE revenue_events SET org_id = 'org_other' WHERE transfer_id IS NOT NULL",
    "money": "UPDATE revenue_events SET money = '{\"USD\": [1, 0, 0]}' WHERE transfer_id IS NOT NULL",
    "row": "DELETE FROM revenue_events WHERE transfer_id IS NOT NULL",
    "version": "UPDATE revenue_events SET shares_version = shares_version + 1 WHERE true",
}


class _Undone(Exception):
    pass


async def test_missing_or_altered_revenue_is_found(
    operator: Caller,
    new_tenant: Any,
    site: httpx2.AsyncClient,  # noqa: F811
    database_urls: DatabaseUrls,
) -> None:
    seller, buyer = await made(new_tenant, site), await made(new_tenant, site)
    await grant(operator, buyer.org_id)
    await offer(seller)
    good(await buyer.owner.post(f"/marketplace/agents/{seller.agent_id}/purchase", {}, key=new_key()), 201)
    assert len(good(await seller.owner.get("/revenue"))["data"]) == 1
    async with connected(database_urls.owner) as owner:
        for what, damage in DAMAGES.items():
            with suppress(_Undone):
                async with owner.transaction():
                    await owner.execute("SET LOCAL session_replication_role = replica")
                    await owner.execute(f"{damage} AND org_id = '{seller.org_id}'")
                    found = [
                        line for rule in revenue_event.INVARIANTS for (line,) in await owner.fetch(rule.violations)
                    ]
                    assert found, what
                    raise _Undone
