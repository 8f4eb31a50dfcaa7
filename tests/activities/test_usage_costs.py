"""Charged usage consumes lots until their purchase price covers the cost."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from domain.common import accounts
from domain.common.credits import CreditPrice
from domain.usage.charge import CostRules
from ledger.gateway import Ledger
from models.usage.meter import MeterRow
from repositories.usage import meter
from repositories.usage.model_price import PriceBook
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.books.exchange_rate import store_granted_value
from services.usage.rating import Rates
from services.usage.usage import EventStatus, record
from services.usage.usage_charge import charge_due
from services.usage.usage_validation import Delivery
from tests.api.metering import event, import_prices
from tests.conftest import DatabaseUrls
from tests.support.billing import CREDIT, KIM, NOW, credit, organization
from tests.support.proving import prove_all

pytestmark = pytest.mark.db

GRANTED = CreditPrice(price=Decimal("0.05"), currency="USD")
AUGUST = NOW + timedelta(days=31)


@dataclass
class Payer:
    """An organization whose calls of a model cost a cent a token."""

    database: Database
    org_id: str
    kind: str

    async def get(self, credits: int, paid: int = 0) -> None:
        await credit(self.database, self.org_id, credits * CREDIT, paid=paid)

    async def charged(self, cents: int, at: datetime = NOW, kind: str = "", **rules: Any) -> Decimal:
        """Report a call of the given cents, charge it, and return the credits charged."""
        delivery = Delivery(
            actor=KIM,
            org_id=self.org_id,
            at=at,
            late=timedelta(days=1),
            rates=Rates(prices=PriceBook()),
        )
        data = {"model": self.kind, "usage": {"input_tokens": cents, "output_tokens": 0}, "n": cents}
        async with self.database.platform() as session:
            [sent] = await record(session, delivery, [event(type=kind or self.kind, time=at.isoformat(), data=data)])
            assert sent.status is EventStatus.ACCEPTED
            done = await charge_due(
                session, self.org_id, due_before=at, at=at, rules=CostRules(granted=GRANTED, **rules), limit=10
            )
            assert (done.charged, done.waiting) == (1, 0)
            taken = "SELECT amount FROM usage_charges WHERE org_id = :org ORDER BY charged_at DESC, event DESC LIMIT 1"
            return Decimal(await session.scalar(text(taken), {"org": self.org_id})) / CREDIT

    async def left(self) -> tuple[Decimal, Decimal]:
        """Return the remaining and the owed credits."""
        async with self.database.platform() as session:
            books = Ledger(await driver_connection(session))
            held, owed = await books.balances(
                [accounts.org_credits(self.org_id), accounts.org_debt(self.org_id, "CREDIT")]
            )
            return Decimal(held.posted_minor) / CREDIT, Decimal(-owed.posted_minor) / CREDIT


async def metered(database: Database, kind: str, price: str | None = None) -> None:
    asked: dict[str, Any] = {"event_type": kind, "aggregation": "count", "dimensions": [], "name": kind}
    if price is not None:
        each = {"model": "per_unit", "unit_price": price}
        asked |= {"aggregation": "sum", "property": "n", "price": each, "currency": "USD"}
    async with database.platform() as session:
        row = MeterRow(id=new_id("mtr"), created_by="test", command_id=kind, **asked)
        made, _ = await meter.add(session, row)
        await meter.mark_charged(session, made.id, NOW - timedelta(days=1))


@pytest.fixture
async def payer(fresh_database: Database, fresh_database_urls: DatabaseUrls) -> AsyncIterator[Payer]:
    org_id, kind = await organization(fresh_database), new_id("kind")
    async with fresh_database.platform() as session:
        await store_granted_value(session, GRANTED, NOW - timedelta(days=1))
    await import_prices(fresh_database, kind, NOW - timedelta(days=60), input_tokens="0.01", output_tokens="0")
    await metered(fresh_database, kind)
    yield Payer(fresh_database, org_id, kind)
    await prove_all(fresh_database_urls)


@pytest.mark.parametrize(("credits", "paid", "taken"), [(1_000, 10_000, "500"), (10_000, 29_900, "1672.240803")])
async def test_call_consumes_credits_at_the_price_paid(payer: Payer, credits: int, paid: int, taken: str) -> None:
    """50.00 for credits bought at 0.10, and on the Enterprise plan."""
    await payer.get(credits, paid)
    assert await payer.charged(5_000) == Decimal(taken)


async def test_cost_with_its_markup_takes_one_lot_after_the_other_and_owes_the_rest_as_granted(payer: Payer) -> None:
    await payer.get(10, 20)
    await payer.get(10, 100)
    # 0.20 of the first lot, and 0.40 of the second.
    assert await payer.charged(50, markup_e6=200_000) == 14
    # 0.60 are left, and 0.40 are 8 credits at the granted value.
    assert await payer.charged(100) == 6 + 8
    assert await payer.left() == (Decimal(0), Decimal(8))


async def test_granted_credits_pay_a_months_costs_up_to_their_limit_and_prices_of_meters_without_one(
    payer: Payer,
) -> None:
    await payer.get(1_000)
    await payer.get(100, 1_000)
    priced = new_id("kind")
    await metered(payer.database, priced, "0.01")
    assert await payer.charged(400, kind=priced, granted_minor=100) == 80
    # 1.00 of granted credits at 0.05 each, then 0.50 at 0.10.
    assert await payer.charged(150, granted_minor=100) == 20 + 5
    assert await payer.charged(100, granted_minor=100) == 10
    assert await payer.charged(150, AUGUST, granted_minor=100) == 20 + 5
    assert await payer.charged(150, AUGUST) == 15
    assert await payer.left() == (Decimal(880 + 65), Decimal(0))
