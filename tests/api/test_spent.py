"""Spent: one figure at every endpoint, whose parts, agents and services add up."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from api.app import create_app
from api.bootstrap import operator_key
from api.v1.analytics import insights
from domain.common.access import Actor, Role
from domain.common.money import SLOT
from domain.escrow import commands
from domain.insight.peers import PeerMetric
from domain.payments.auto_topup import month_start
from domain.payments.payment.terms import Purpose, PurposeKind
from repositories.insight import peers
from repositories.insight.advice import Month
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import TENANT_ROLES, Caller, Tenant, good, make_tenant, new_key, settings_for
from tests.api.escrowing import escrow_between, state, write
from tests.api.paying import Written
from tests.api.purchasing import budget, paid, proposed
from tests.api.spending import reserve, use
from tests.api.test_marketplace import buy, offer
from tests.conftest import DatabaseUrls
from tests.support.returns import buys
from tests.support.rows import Rows, rows_of
from tests.support.serving import client_of

pytestmark = pytest.mark.db

#: Of credits: 9 used, 50 for a job and 20 for an agent. Of dollars: what the rows and the purchase order have.
EXPECTED = {
    "CREDIT": {"uses": "9.00", "jobs": "50.00", "agents": "20.00", "purchases": "0.00", "subscriptions": "0.00"},
    "USD": {"uses": "3.00", "jobs": "0.00", "agents": "4.00", "purchases": "10.00", "subscriptions": "20.00"},
}
TOTALS = {"CREDIT": "79.00", "USD": "37.00"}


class Shop:
    """An organization that spends on everything, the seller of what it buys, and an operator."""

    def __init__(self, operator: Caller, database: Database, rows: Rows, payer: Tenant, studio: Tenant) -> None:
        self.operator, self.database, self.rows, self.payer, self.studio = operator, database, rows, payer, studio
        self.now = datetime.now(UTC)
        since = month_start(self.now)
        self.month = Month(since=since, until=month_start(since + timedelta(days=32)))
        last = (self.month.until - timedelta(days=1)).date()
        self.period = {"from": f"{since.date()}", "to": f"{last}"}

    async def hire(self, price: str, *, pays: bool) -> None:
        """Fund an escrow, and release it or leave it held."""
        signer = good(await self.payer.owner.get("/me"))["principal"]
        made = await escrow_between(
            self.operator, self.database, self.payer, self.studio, signer, at=self.now, price=price
        )
        buyer = Actor(principal=signer, role=Role.OWNER, org_id=self.payer.org_id)
        worker = Actor(principal="studio", role=Role.OWNER, org_id=self.studio.org_id)
        funded = commands.fund(await state(self.database, made), actor=buyer, source=commands.CREDITS, now=self.now)
        await write(self.database, funded, at=self.now)
        if not pays:
            return
        held = await state(self.database, made)
        delivered = commands.deliver(held, actor=worker, artifacts=(), note="x", milestone=None, now=self.now)
        await write(self.database, delivered, at=self.now)
        held = await state(self.database, made)
        assert held.delivery is not None
        number = held.delivery.number
        signed = commands.approve(held, signatory=signer, actor=buyer, now=self.now, delivery=number)
        await write(self.database, signed, at=self.now)

    async def invoice(self, *, total: int, subtotal: int, paid: int, status: str = "paid") -> str:
        made = new_id("inv")
        await self.rows.add("invoices", id=made, org_id=self.payer.org_id, status=status, currency="USD",
                            total_minor=total, subtotal_minor=subtotal, tax_minor=total - subtotal, paid_minor=paid,
                            issued_at=self.now, command_id=made, finalise_command_id=made)  # fmt: skip
        return made

    async def fill(self) -> None:
        org_id, owner = self.payer.org_id, self.payer.owner
        await buys(self.database, org_id, 1_000, 13_333)
        spent = await use(owner, amount="7", action="search")
        good(await self.operator.post(f"/credits/spends/{spent['id']}/refunds", {"amount": "1"}, key=new_key()), 201)
        await use(self.payer.agent, amount="3", action="draw")
        await reserve(owner, "5")
        await self.hire("50", pays=True)
        await self.hire("20", pays=False)
        await offer(self.studio, price="20")
        good(await buy(owner, self.studio), 201)
        await budget(self.database, org_id, ("agent", self.payer.agent_id), day=100)
        await paid(self.payer.agent, await proposed(self.payer.agent, self.payer.agent_id, "10"))
        await proposed(self.payer.agent, self.payer.agent_id, "7")
        # A bill of 20.00 without tax, of which 5.00 are for credits and 1.00 was credited; and one that is due.
        for settled, status, paid_minor in ((self.now, "paid", 2_380), (None, "open", 0)):
            billed = await self.invoice(total=2_380, subtotal=2_000, paid=paid_minor, status=status)
            await self.rows.add("subscription_bills", provider="stripe", bill_ref=new_id("bill"), org_id=org_id,
                                subscription_id="sub_1", currency="USD", gross_minor=2_380, amount_minor=2_000,
                                for_credits_minor=500, credited_minor=100, settled_at=settled,
                                invoice_id=billed, period_end=self.now)  # fmt: skip
        await self.invoice(total=714, subtotal=600, paid=357, status="open")
        slots = Purpose(kind=PurposeKind.SLOT, goods_asset=SLOT, goods_minor=2)
        bought = await Written(self.database, org_id, purpose=slots, amount_minor=1_200, currency="USD").begin()
        bought.there.pay()
        await bought.look()
        bought.there.refund(600)
        await bought.look()
        await self.rows.change("UPDATE payments SET created_at = $1", self.now)
        await self.rows.add("marketplace_purchases", id=new_id("pur"), org_id=org_id, agent_id=self.studio.agent_id,
                            payee_org_id=self.studio.org_id, price_minor=500, currency="USD", taken_minor=100,
                            payment_id=new_id("pay"), status="ended",
                            transfer_id=UUID(int=1), creator_minor=500, command_id=new_id("cmd"),
                            bought_at=self.now)  # fmt: skip

    async def spent(self, **more: str) -> dict[str, Any]:
        found: dict[str, Any] = good(await self.payer.owner.get("/analytics/spent", params={**self.period, **more}))
        return found

    async def ask(self, *metrics: str, **more: Any) -> dict[str, Any]:
        body = {"metrics": list(metrics), **self.period, **more}
        found: dict[str, Any] = good(await self.payer.owner.post("/analytics/query", body))
        return found


@pytest.fixture
async def shop(fresh_database_urls: DatabaseUrls, fresh_database: Database) -> AsyncIterator[Shop]:
    async with client_of(create_app(settings_for(fresh_database_urls))) as http, rows_of(fresh_database_urls) as rows:
        async with fresh_database.platform() as session:
            operator = Caller(http, await operator_key(session, "operator"))
        payer, studio = [await make_tenant(operator, fresh_database, *TENANT_ROLES) for _ in range(2)]
        made = Shop(operator, fresh_database, rows, payer, studio)
        await made.fill()
        yield made


def added(amounts: Any) -> Decimal:
    return sum((Decimal(each or 0) for each in amounts), Decimal(0))


async def test_every_endpoint_has_the_same_spent(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (await shop.spent())["currencies"]
    assert {each["currency"]: each["total"] for each in data} == TOTALS
    assert {each["currency"]: {p["part"]: p["amount"] for p in each["parts"]} for each in data} == EXPECTED
    asked = await shop.ask("spending", *(f"spending.{part}" for part in EXPECTED["USD"]))
    for asset, total in TOTALS.items():
        found = {each["metric"]: each["value"] for each in asked["totals"] if each["currency"] == asset}
        parts = {f"spending.{part}": value for part, value in EXPECTED[asset].items() if Decimal(value)}
        assert {name: value for name, value in found.items() if Decimal(value)} == {"spending": total, **parts}
        for grouping in ({}, {"group_by": "action"}, {"group_by": "agent"}):
            query = {"metric": "spending", "currency": asset, **shop.period, **grouping}
            series = good(await shop.payer.owner.get("/series", params=query))["series"]
            assert added(value for group in series for value in group["values"]) == Decimal(total), grouping
    # The advice of next month is about this one.
    clock = Mock(wraps=datetime)
    clock.now.return_value = shop.month.until + timedelta(days=1)
    monkeypatch.setattr(insights, "datetime", clock)
    advice = good(await shop.payer.owner.get("/analytics/insights"))
    assert {each["currency"]: each["amount"] for each in advice["spending"]} == TOTALS
    assert good(await shop.payer.owner.get("/credits/stats"))["burn_rate"] == TOTALS["CREDIT"]
    long_ago = shop.month.since - timedelta(days=400)
    await shop.rows.change("UPDATE organizations SET peers_agreed_at = $1, created_at = $1", long_ago)
    await shop.rows.count_payments(shop.payer.org_id, shop.month.since, "stripe", succeeded=1, failed=0)
    async with shop.database.platform() as session:
        members = await peers.members(session, PeerMetric.SPENDING, "free", shop.month)
    assert [each.value for each in members if each.org_id == shop.payer.org_id] == [79_000_000]


async def test_returns_have_the_same_spent_in_money(shop: Shop) -> None:
    [spent] = (await shop.spent(currency="USD"))["currencies"]
    until = shop.month.until.date()
    report = good(await shop.payer.owner.get(f"/economics/roi?from={shop.period['from']}&to={until}&currency=USD"))
    assert report["spent"]["total"] == spent["total"]
    assert [(each["part"], each["amount"]) for each in report["spent"]["parts"]] == [
        (each["part"], each["amount"]) for each in spent["parts"]
    ]
    (exact,) = [each["value"] for each in (await shop.ask("spending", currency="USD"))["totals"]]
    assert exact == spent["total"]
    # 79 credits of 133.33 for 1,000, in whole cents; and invoices are no cost: what they bill is.
    assert spent["total"] == "47.52"
    assert Decimal(report["total"]["total_costs"]) == Decimal(spent["total"]) - Decimal("3.00")


async def test_parts_agents_and_services_add_up_with_names_and_a_rest(shop: Shop) -> None:
    for more in ({}, {"limit": "1"}, {"currency": "USD", "limit": "2"}):
        for each in (await shop.spent(**more))["currencies"]:
            for name in ("parts", "by_agent", "by_service"):
                assert added(row["amount"] for row in each[name]) == Decimal(each["total"]), (more, name)
            assert [row["is_rest"] for row in each["by_service"]].count(True) == bool(more)
    credits, dollars = (await shop.spent())["currencies"]
    own, other = shop.payer.agent_id, shop.studio.agent_id
    assert {row["agent_id"]: row["amount"] for row in credits["by_agent"]} == {
        own: "3.00",
        other: "50.00",
        None: "26.00",
    }
    named = {row["agent_id"]: row["agent_name"] for row in credits["by_agent"]}
    assert named[own]
    assert named[other]
    assert [(row["service"], row["name"], row["amount"]) for row in credits["by_service"]] == [
        ("job", "Jobs", "50.00"),
        ("marketplace.purchase", "Agents bought", "20.00"),
        ("search", "Search", "6.00"),
        ("draw", "Draw", "3.00"),
    ]
    assert {row["name"]: row["amount"] for row in dollars["by_service"]} == {
        "Plans": "14.00",
        "Purchases outside": "10.00",
        "Deployment slots": "6.00",
        "Agents bought": "4.00",
        "Invoices": "3.00",
    }


async def test_the_period_before_is_compared(shop: Shop) -> None:
    after = (shop.month.until + timedelta(days=20)).date()
    found = good(
        await shop.payer.owner.get("/analytics/spent", params={"from": f"{shop.month.until.date()}", "to": f"{after}"})
    )
    assert [(each["currency"], each["total"]) for each in found["currencies"]] == [("CREDIT", "0.00")]
    assert {each["before"] for each in (await shop.spent())["currencies"]} == {"0.00"}
