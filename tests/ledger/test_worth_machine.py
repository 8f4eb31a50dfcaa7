"""Money that came in for credits is owed, earned, refunded or expired, and each cost is paid in full.

Lots, and what is done with them, are drawn by the seed of the run.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import asyncpg
import pytest

from domain.common.accounts import org_credits
from domain.credits.lots import LotSource, LotTerms
from ledger.rates import GRANTED, set_credit_rate, set_rate
from ledger.spends import MoneyCost, NewSpend, SpendOutcome
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, NOW, fresh, open_books, recognise
from tests.support.seeds import RUN_SEED
from tests.support.spends import Tenant

pytestmark = pytest.mark.db

CREDIT = 10**6
STEPS, WORLDS = 60, 12
#: What granted credits pay of costs in a month, and the cents that one of them is worth.
MONTHLY, VALUE = 150, 2
TAKEN = """
SELECT u.amount, l.amount AS whole, l.paid FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id
WHERE u.transfer_id = $1 AND u.to_lot IS NULL
"""
SPEND = "SELECT hold_id, transfer_id, captured, refunded, status FROM ledger.spends WHERE id = $1"
PINNED = """
SELECT h.amount, l.amount AS whole, l.paid FROM ledger.hold_lots h JOIN ledger.lots l ON l.id = h.lot_id
WHERE h.hold_id = $1
"""
#: Of all lots of an organization: the money that came in, and where it is.
MONEY = """
SELECT sum(l.paid)::bigint AS paid, sum(l.paid - l.costed)::bigint AS owed, sum(g.earned)::bigint AS earned,
    sum(g.refunded)::bigint AS refunded, sum(g.expired)::bigint AS expired
FROM ledger.lots l, LATERAL (
    SELECT coalesce(sum(u.cost - u.cost_returned) FILTER (WHERE u.outcome = 'used'), 0) AS earned,
        coalesce(sum(u.cost - u.cost_returned) FILTER (WHERE u.outcome = 'reversed'), 0) AS refunded,
        coalesce(sum(u.cost - u.cost_returned) FILTER (WHERE u.outcome = 'expired'), 0) AS expired
    FROM ledger.lot_uses u WHERE u.lot_id = l.id
) g
WHERE l.org_id = $1
"""


@dataclass
class World:
    """One organization, what it has bought, and what it holds."""

    tenant: Tenant
    choose: random.Random
    at: datetime = NOW
    came_in: int = 0
    went_back: int = 0
    lots: list[tuple[UUID, int]] = field(default_factory=list)
    holds: list[UUID] = field(default_factory=list)
    charges: list[UUID] = field(default_factory=list)
    granted: dict[str, Fraction] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    @property
    def connection(self) -> asyncpg.Connection:
        return self.tenant.books.connections[0]

    async def step(self) -> None:
        acts = (
            self.buy,
            self.buy,
            self.charge,
            self.charge,
            self.use,
            self.hold,
            self.settle,
            self.refund,
            self.lose,
            self.wait,
        )
        await self.choose.choice(acts)()

    async def buy(self) -> None:
        """A lot that was bought, included in a plan or granted, with an end or without."""
        cents, credits = self.choose.choice([0, self.choose.randint(1, 9_999)]), self.choose.randint(1, 500 * CREDIT)
        ends = self.choose.choice([None, self.at + timedelta(days=self.choose.randint(1, 40))])
        source = self.choose.choice([LotSource.PURCHASE, LotSource.SUBSCRIPTION]) if cents else LotSource.PROMOTION
        if cents:
            await self.tenant.books.pay(cents)
            self.came_in += cents
        terms = LotTerms(source=source, paid_minor=cents, paid_asset="USD" if cents else None, expires_at=ends)
        posted = await self.tenant.books.ledger.post(
            key=fresh("lot"), kind="test.lot", source=ISSUANCE, destination=org_credits(self.tenant.org_id),
            amount_minor=credits, effective_at=self.at, lots=terms,
        )  # fmt: skip
        lot = await self.connection.fetchval("SELECT id FROM ledger.lots WHERE transfer_id = $1", posted.transfer_id)
        self.lots.append((lot, cents))

    def cost(self) -> MoneyCost:
        minor = Decimal(self.choose.randint(1, 10 ** self.choose.randint(1, 7))) / 1000
        return MoneyCost(minor=minor, asset="USD", granted_minor=self.choose.choice([None, MONTHLY]))

    async def row(self, spend_id: UUID) -> asyncpg.Record:
        row = await self.connection.fetchrow(SPEND, spend_id)
        assert row is not None
        return row

    async def charge(self) -> None:
        cost = self.cost()
        spend = NewSpend(key=fresh("c"), action="model", amount_minor=0, cost=cost)
        answer = await self.tenant.spending.charge(spend, at=self.at)
        self.done.add(answer.outcome.value)
        if answer.outcome is SpendOutcome.CHARGED:
            assert answer.spend_id is not None
            self.charges.append(answer.spend_id)
            row = await self.row(answer.spend_id)
            self.check(cost, await self.connection.fetch(TAKEN, row["transfer_id"]))

    def check(self, cost: MoneyCost, taken: list[asyncpg.Record], *, whole: bool = True) -> None:
        """The money paid for the lots is the cost, and more by less than a minor unit of credits of each kind."""
        bought = sum((Fraction(it["amount"] * it["paid"], it["whole"]) for it in taken), Fraction(0))
        granted = sum((Fraction(it["amount"] * VALUE, CREDIT) for it in taken if not it["paid"]), Fraction(0))
        # The last unit of the lot that ends the cost, and that of granted credits that end their month.
        rounding = sum((Fraction(it["paid"], it["whole"]) or Fraction(VALUE, CREDIT) for it in taken), Fraction(0))
        more = bought + granted - Fraction(cost.minor)
        assert not whole or more + Fraction(1, 10**12) >= 0, (RUN_SEED, cost, more)
        assert more < rounding or not taken, (RUN_SEED, cost, more)
        if granted:
            assert cost.granted_minor is not None, RUN_SEED
            month = f"{self.at:%Y-%m}"
            self.granted[month] = self.granted.get(month, Fraction(0)) + granted
            self.done.add("granted")

    async def use(self) -> None:
        """A use that has a price in credits."""
        spend = NewSpend(key=fresh("u"), action="a", amount_minor=self.choose.randint(1, 50 * CREDIT))
        answer = await self.tenant.spending.charge(spend, at=self.at)
        if answer.outcome is SpendOutcome.CHARGED:
            assert answer.spend_id is not None
            self.charges.append(answer.spend_id)

    async def hold(self) -> None:
        cost = self.choose.choice([None, self.cost()])
        amount = 0 if cost else self.choose.randint(1, 50 * CREDIT)
        spend = NewSpend(key=fresh("h"), action="a", amount_minor=amount, cost=cost)
        answer = await self.tenant.spending.authorize(spend, expires_at=self.at + timedelta(days=29), at=self.at)
        if answer.outcome is SpendOutcome.RESERVED:
            assert answer.spend_id is not None
            self.holds.append(answer.spend_id)
            if cost is not None:
                row = await self.row(answer.spend_id)
                self.check(cost, await self.connection.fetch(PINNED, row["hold_id"]))

    async def settle(self) -> None:
        """A capture of a part or of all, in money or in credits, or a release."""
        if not self.holds:
            return
        spend_id = self.holds.pop(self.choose.randrange(len(self.holds)))
        row = await self.row(spend_id)
        if row["status"] != "reserved":
            return
        if self.choose.random() < 0.3:
            await self.tenant.spending.release(key=fresh("r"), spend_id=spend_id, at=self.at)
            return
        cost = self.choose.choice([None, MoneyCost(minor=Decimal(self.choose.randint(0, 3_000)), asset="USD")])
        more = cost is not None and self.choose.random() < 0.5
        changed = await self.tenant.spending.settle(key=fresh("s"), spend_id=spend_id, cost=cost, more=more, at=self.at)
        self.done.add("captured")
        if cost is not None and changed.transfer_id is not None:
            taken = await self.connection.fetch(TAKEN, changed.transfer_id)
            covered = changed.held_minor > 0 or changed.released_minor > 0
            held = [it for it in taken if it["paid"]]
            if len(held) == len(taken):
                self.check(MoneyCost(minor=cost.minor, asset="USD"), taken, whole=covered)
        if more and changed.held_minor:
            self.holds.append(spend_id)
        elif changed.captured_minor:
            self.charges.append(spend_id)

    async def refund(self) -> None:
        """A refund of a use: of all that is left, or of some money."""
        if not self.charges:
            return
        spend_id = self.charges.pop(self.choose.randrange(len(self.charges)))
        credits = None
        if self.choose.random() < 0.5:
            money = Decimal(self.choose.randint(1, 500))
            credits = await self.tenant.spending.refund_credits(spend_id, money, "USD") or None
        await self.tenant.spending.refund(key=fresh("r"), spend_id=spend_id, amount_minor=credits, at=self.at)
        self.done.add("refunded")

    async def lose(self) -> None:
        """A refund or chargeback of a purchase, which retires what is left of its lot."""
        if not self.lots:
            return
        lot, cents = self.lots.pop(self.choose.randrange(len(self.lots)))
        free = await self.connection.fetchval("SELECT remaining - held FROM ledger.lots WHERE id = $1 AND is_open", lot)
        if not cents or not free:
            return
        terms = LotTerms(slices=((lot, free),), is_reversal=True)
        await self.tenant.books.ledger.post(
            key=fresh("lost"), kind="test.lost", source=org_credits(self.tenant.org_id), destination=ISSUANCE,
            amount_minor=free, effective_at=self.at, lots=terms,
        )  # fmt: skip
        self.done.add("lost")

    async def wait(self) -> None:
        self.at += timedelta(days=self.choose.randint(1, 12))
        await self.connection.fetchval("SELECT ledger.expire_holds($1, 100)", self.at)
        await self.connection.fetchval("SELECT ledger.expire_lots($1, 100)", self.at)


async def test_money_that_came_in_is_owed_earned_refunded_or_expired(fresh_database_urls: DatabaseUrls) -> None:
    async with open_books(fresh_database_urls.platform, clients=1) as books:
        connection = books.connections[0]
        await set_credit_rate(connection, asset="USD", credit_minor=CREDIT, asset_minor=10, starts_at=NOW)
        await set_rate(connection, base=GRANTED, quote="USD", base_minor=CREDIT, quote_minor=VALUE, starts_at=NOW)
        choose, done = random.Random(RUN_SEED), set[str]()
        for _ in range(WORLDS):
            world = World(await Tenant.opened(books, 0), choose)
            for _ in range(STEPS):
                await world.step()
            money = await connection.fetchrow(MONEY, world.tenant.org_id)
            assert money is not None
            lost = money["owed"] + money["earned"] + money["refunded"] + money["expired"]
            assert (money["paid"], lost) == (world.came_in, world.came_in), (RUN_SEED, dict(money))
            # Each charge that ends a month's part rounds it up by less than a minor unit of credits.
            assert all(of <= MONTHLY + Fraction(STEPS * VALUE, CREDIT) for of in world.granted.values()), RUN_SEED
            done |= world.done
        assert {"charged", "insufficient", "granted", "captured", "refunded", "lost"} <= done, (RUN_SEED, done)
        await recognise(connection)
        await books.assert_proven()
