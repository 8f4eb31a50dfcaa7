"""Returns in money: credits earned and spent count at the price paid for them, as far as they can be paid out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.common.access import Actor, Role
from domain.common.credits import credit_price
from domain.escrow import commands
from repositories.returns import revenue_event
from runtime.database import Database
from services.books import exchange_rate
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.api.escrowing import escrow_between, state, write
from tests.api.test_creators import bureau as bureau
from tests.api.test_payouts import pay_out, payable, studio as studio
from tests.conftest import DatabaseUrls
from tests.support.proving import prove
from tests.support.returns import buys

pytestmark = pytest.mark.db

#: Long enough ago to be paid out.
THEN = datetime.now(UTC) - timedelta(days=20)


@pytest.fixture
async def client(new_tenant: Any, database: Database) -> Tenant:
    """An organization that pays for the work of others."""
    made: Tenant = await new_tenant("owner", "agent")
    async with database.platform() as session:
        await exchange_rate.store_price(session, credit_price("0.10", "USD"), THEN - timedelta(days=1))
    return made


async def worked(operator: Caller, database: Database, client: Tenant, studio: Tenant) -> None:
    """Pay the studio 1,500 credits by an escrow, and half of 1,500 more; the other half goes back."""
    signer = good(await client.owner.get("/me"))["principal"]
    parts = [{"name": "draft", "amount": "1500"}, {"name": "final", "amount": "1500"}]
    terms: dict[str, Any] = {"price": "3000", "milestones": parts}
    escrow = await escrow_between(operator, database, client, studio, signer, at=THEN, **terms)
    buyer = Actor(principal=signer, role=Role.OWNER, org_id=client.org_id)
    worker = Actor(principal="studio", role=Role.OWNER, org_id=studio.org_id)
    held = await state(database, escrow)
    await write(database, commands.fund(held, actor=buyer, source=commands.CREDITS, now=THEN), at=THEN)
    for is_last in (False, True):
        held = await state(database, escrow)
        made = commands.deliver(held, actor=worker, artifacts=(), note="x", milestone=None, now=THEN)
        await write(database, made, at=THEN)
        held = await state(database, escrow)
        if not is_last:
            assert held.delivery is not None
            number = held.delivery.number
            signed = commands.approve(held, signatory=signer, actor=buyer, now=THEN, delivery=number)
            await write(database, signed, at=THEN)
    await write(database, commands.dispute(held, actor=buyer, reason="late", now=THEN), at=THEN)
    arbiter = Actor(principal="judge", role=Role.ARBITER)
    frozen = await state(database, escrow)
    await write(database, commands.resolve(frozen, actor=arbiter, payee_share_e4=5_000, note=None, now=THEN), at=THEN)


async def total(tenant: Tenant, **more: str) -> dict[str, Any]:
    period = f"from={THEN.date()}&to={THEN.date() + timedelta(days=1)}"
    query = "&".join([period, *(f"{name}={value}" for name, value in more.items())])
    found: dict[str, Any] = good(await tenant.owner.get(f"/economics/roi?{query}"))
    assert found["left_out"] == []
    return dict(found["total"])


async def test_revenue_in_credits_equals_its_payout_and_its_payers_cost(
    operator: Caller, client: Tenant, studio: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    # 0.0499 a credit, where one costs 0.10 by the piece.
    await buys(database, client.org_id, 3_000, 14_970)
    await worked(operator, database, client, studio)
    rows = good(await studio.owner.get("/revenue"))["data"]
    money = [each for row in rows for each in row["money"]]
    assert [(each["currency"], each["reversed_amount"]) for each in money] == [("USD", "0.00")] * 2
    kept = sum(Decimal(each["amount"]) - Decimal(each["commission"]) for each in money)
    assert kept == Decimal("106.65")
    earned, spent = await total(studio), await total(client)
    assert (earned["margin"], earned["costs"]["commission"]) == ("106.65", "5.62")
    # Of 149.70 a quarter went back.
    assert (spent["costs"]["shared"], earned["revenue"]["confirmed"]) == ("112.27", "112.27")
    assert earned["roi"] == "18.9769"
    in_credits = await total(studio, currency="CREDIT")
    assert (in_credits["revenue"]["confirmed"], in_credits["margin"]) == ("2250.00", "2137.50")
    body = {"metrics": ["returns.revenue", "returns.cost"], "currency": "USD"}
    body |= {"from": f"{THEN.date()}T00:00:00Z", "to": f"{THEN.date() + timedelta(days=1)}T00:00:00Z"}
    figures = good(await studio.owner.post("/analytics/query", body))["totals"]
    assert [each["value"] for each in figures] == ["112.27", "5.62"]
    assert await payable(studio) == {"available": "106.65", "pending": "0.00", "frozen": "0.00"}
    assert good(await pay_out(studio.owner), 201)["amount"] == "106.65"
    await prove(database_urls, revenue_event.INVARIANTS)


async def test_granted_credits_count_as_no_money(
    operator: Caller, client: Tenant, studio: Tenant, database: Database
) -> None:
    grant = {"organization_id": client.org_id, "amount": "3000", "source": "promotion"}
    good(await operator.post("/credits/grants", grant, key=new_key()), 201)
    await worked(operator, database, client, studio)
    assert [row["money"] for row in good(await studio.owner.get("/revenue"))["data"]] == [[], []]
    for tenant in (studio, client):
        found = await total(tenant)
        assert (found["revenue"]["confirmed"], found["total_costs"]) == ("0.00", "0.00")
    assert (await total(studio, currency="CREDIT"))["margin"] == "2137.50"
    assert await payable(studio) == {}


async def test_metrics_of_returns_in_credits_match_the_returns_page(studio: Tenant, client: Tenant) -> None:
    body = {"source": "ads", "reference": "x", "amount": "24", "currency": "USD"}
    row = good(await studio.owner.post("/revenue", body, key=new_key()), 201)
    good(await studio.finance.post(f"/revenue/{row['id']}/confirm", {}, key=new_key()))
    page = good(await studio.owner.get("/economics/roi?currency=CREDIT"))["total"]["revenue"]["confirmed"]
    today = datetime.now(UTC).date()
    asked = {"metrics": ["returns.revenue"], "currency": "CREDIT", "from": str(today), "to": str(today)}
    assert [each["value"] for each in good(await studio.owner.post("/analytics/query", asked))["totals"]] == [page]
    assert page == "240.00"


async def test_revenue_in_a_currency_without_a_rate_is_omitted_and_listed(studio: Tenant, client: Tenant) -> None:
    for currency, amount in (("USD", "24"), ("ISK", "900")):
        body = {"source": "ads", "reference": currency, "amount": amount, "currency": currency}
        row = good(await studio.owner.post("/revenue", body, key=new_key()), 201)
        good(await studio.finance.post(f"/revenue/{row['id']}/confirm", {}, key=new_key()))
    found = good(await studio.owner.get("/economics/roi"))
    assert (found["left_out"], found["total"]["revenue"]["confirmed"]) == (["ISK"], "24.00")
