"""Operators' figures in money are the lines of the books: what came in, and what was paid for credits that moved."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.accounting import profit_and_loss
from domain.common import accounts
from domain.common.accounts import Account
from domain.common.money import CREDIT
from domain.credits.lots import LotSource, LotTerms
from domain.insight.query import Query, QueryResult
from ledger.gateway import Ledger, Posting
from ledger.rates import set_credit_rate
from ledger.spending import Spending
from ledger.spends import NewSpend
from repositories.books import accounting
from runtime.database import Database
from services.insight.metrics import run_query
from tests.conftest import DatabaseUrls
from tests.support.books import fresh, recognise
from tests.support.connections import as_owner
from tests.support.plans import rows_read
from tests.support.proving import prove_about

pytestmark = pytest.mark.db

ONE = 1_000_000
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEGINS = NOW.replace(hour=0)
FIGURES = ("revenue", "revenue.net", "commission", "volume", "take_rate", "money.held", "escrows.held", "earnings")
ISSUANCE = accounts.platform("credit_issuance", CREDIT)
REDEMPTION = accounts.platform("credit_redemption", CREDIT)


class Market:
    """A payer who was granted 50 credits and bought 100 for 20.00 USD, and the agent that it pays."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection, self.ledger = connection, Ledger(connection)
        self.payer, self.payee, self.agent = fresh("org"), fresh("org"), fresh("agt")
        self.wallet = accounts.org_credits(self.payer)
        self.earnings = accounts.agent_earnings(self.agent, CREDIT, self.payee)

    async def move(self, *postings: Posting, at: datetime = NOW) -> object:
        done = await self.ledger.post_compound(key=fresh("k"), kind="t", postings=postings, effective_at=at)
        return done.transfer_id

    async def one(self, source: Account, to: Account, amount: int, lots: LotTerms | None = None) -> object:
        return await self.move(Posting(source, to, amount, lots))

    async def buy(self, amount: int, cents: int, **terms: object) -> None:
        clearing = accounts.provider_clearing("stripe", "USD")
        await self.one(clearing, accounts.platform("deferred_revenue", "USD"), cents)
        lot = LotTerms(source=LotSource.PURCHASE, paid_minor=cents, paid_asset="USD", **terms)
        await self.one(ISSUANCE, self.wallet, amount * ONE, lot)

    async def escrow(self, granted: int, paid: int, commission: int, held: int = 0) -> None:
        """Fund an escrow, and release all of it but `held`."""
        escrow = accounts.escrow(fresh("esc"), CREDIT, self.payer)
        await self.one(self.wallet, escrow, (granted + paid + commission + held) * ONE)
        parts = [
            Posting(escrow, accounts.agent_granted_earnings(self.agent, self.payee), granted * ONE),
            Posting(escrow, self.earnings, paid * ONE),
            Posting(escrow, accounts.platform("commission", CREDIT), commission * ONE),
        ]
        await self.move(*(each for each in parts if each.amount_minor))

    async def month(self) -> None:
        """Play: escrows, a use and its refund, an expiry, a card sale, a fee, a sale in a currency without a rate."""
        promotion = LotTerms(source=LotSource.PROMOTION)
        await self.one(accounts.platform("promotions", CREDIT), self.wallet, 50 * ONE, promotion)
        await self.buy(100, 2_000)
        await self.escrow(granted=50, paid=36, commission=4)
        await self.escrow(granted=0, paid=9, commission=1, held=20)
        used = await self.one(self.wallet, REDEMPTION, 10 * ONE)
        await self.one(REDEMPTION, self.wallet, 5 * ONE, LotTerms(returns=used))
        await self.buy(10, 333, expires_at=NOW + timedelta(hours=1), priority=-1)
        await self.ledger.expire_lots(now=NOW + timedelta(hours=2))
        clearing = accounts.provider_clearing("stripe", "USD")
        await self.one(clearing, accounts.agent_earnings(self.agent, "USD", self.payee), 950)
        await self.one(clearing, accounts.platform("commission", "USD"), 50)
        await self.one(accounts.platform("fees/stripe", "USD"), clearing, 3_000)
        await self.one(accounts.provider_clearing("stripe", "ZWG"), accounts.platform("commission", "ZWG"), 7)
        await recognise(self.connection)


@pytest.fixture
async def market(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Market]:
    connection = await asyncpg.connect(fresh_database_urls.platform)
    await set_credit_rate(connection, asset="USD", credit_minor=ONE, asset_minor=100, starts_at=BEGINS)
    yield Market(connection)
    await connection.close()


async def asked(database: Database, *metrics: str, org_id: str | None = None, **more: object) -> QueryResult:
    query = Query(metrics=metrics, since=BEGINS, until=BEGINS + timedelta(days=1), **more)
    async with database.repeatable_read(org_id) as session:
        return await run_query(session, query, org_id=org_id, now=BEGINS + timedelta(days=2))


def values(answer: QueryResult) -> dict[tuple[str, str | None], object]:
    return {(figure.metric, figure.asset): figure.value for figure in answer.totals}


async def test_each_figure_in_money_is_what_the_books_have(
    market: Market, database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    await market.month()
    async with database.platform() as session:
        sums = await accounting.lines(session, BEGINS.date(), BEGINS.date())
    books, lines = profit_and_loss(sums, "USD"), {each.line: each.balance_minor for each in sums if each.asset == "USD"}
    # 50.00 of credits at the list price, of which 10.00 came in: 1.00 of commission, 1.00 of what was used.
    assert (books.revenue.total_minor, books.result_minor) == (100 + 50 + 100 + 333, 583 - 3_000)
    assert lines["platform/commission"] == 100 + 50
    found = values(await asked(database, *FIGURES, currency="USD"))
    held = lines["platform/deferred_revenue"] + lines["platform/payable"] + lines["creators/earnings"]
    assert found == {
        ("revenue", "USD"): books.revenue.total_minor,
        ("revenue.net", "USD"): books.result_minor,
        ("commission", "USD"): lines["platform/commission"],
        ("earnings", "USD"): lines["platform/payable"] + lines["creators/earnings"],
        ("volume", "USD"): 900 + 950 + 150,
        ("take_rate", "USD"): Fraction(150, 2_000),
        ("money.held", "USD"): held,
        ("escrows.held", "USD"): 400,
    }
    # Without a currency the credits stand apart; what needs no conversion is the same.
    apart = values(await asked(database, *FIGURES, "credits.outstanding"))
    assert {key: value for key, value in apart.items() if key[1] == "USD"} == found
    assert apart["commission", CREDIT] == 5 * ONE
    assert apart["escrows.held", CREDIT] == 20 * ONE
    assert ("revenue", CREDIT) not in apart
    assert values(await asked(database, "credits.outstanding", currency="USD")) == {
        ("credits.outstanding", CREDIT): apart["credits.outstanding", CREDIT]
    }
    own = values(await asked(database, "earnings", org_id=market.payee, currency="USD"))
    assert own == {("earnings", "USD"): 900 + 950}
    await prove_about(fresh_database_urls, "lot", "revenue", "paid for")


async def test_a_currency_without_a_rate_is_left_out_by_name(market: Market, database: Database) -> None:
    await market.month()
    answer = await asked(database, "revenue", "commission", currency="USD")
    assert answer.left_out == ("ZWG",)
    assert values(answer) == {("revenue", "USD"): 583, ("commission", "USD"): 150}
    assert values(await asked(database, "revenue"))["revenue", "ZWG"] == 7
    in_credits = await asked(database, "commission", currency=CREDIT)
    assert (values(in_credits), in_credits.left_out) == ({("commission", CREDIT): 5 * ONE}, ("USD", "ZWG"))


async def test_margin_of_usage_is_above_cost_in_what_the_credits_were_bought_for(
    market: Market, database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    """Twenty credits that cost 4.00, and ten granted ones, for calls of 3.00; at the list price it would be 90 %."""
    await market.one(ISSUANCE, market.wallet, 10 * ONE, LotTerms(source=LotSource.PROMOTION))
    await market.buy(100, 2_000)
    for action in ("search", "draw", "draw"):
        spend = NewSpend(key=fresh("k"), action=action, amount_minor=10 * ONE)
        await Spending(market.connection, market.payer).charge(spend, at=NOW)
    await recognise(market.connection)
    await as_owner(
        fresh_database_urls,
        "INSERT INTO usage_days SELECT $1, 'all', $2, '', 'USD', 3, 0, 0, 0, 0, 0, 0, 0, 0, 3000000000000, 0, 0",
        *(market.payer, NOW.date()),
    )
    names = ("usage.margin", "spending", "burn_rate")
    found = values(await asked(database, *names, org_id=market.payer, currency="USD"))
    assert found == {
        ("usage.margin", "USD"): Fraction(400 - 300, 400), ("spending", "USD"): 400, ("burn_rate", "USD"): 400,
    }  # fmt: skip
    # What was held on one day and taken on a later one is spent, though nothing else was used then.
    spending = Spending(market.connection, market.payer)
    held = NewSpend(key=fresh("k"), action="search", amount_minor=10 * ONE)
    reserved = await spending.authorize(held, at=NOW - timedelta(days=1), expires_at=NOW + timedelta(days=1))
    await spending.settle(key=fresh("k"), spend_id=reserved.spend_id, amount_minor=10 * ONE, at=NOW)
    query = Query(metrics=("spending",), since=BEGINS - timedelta(days=1), until=BEGINS, currency="USD")
    async with database.repeatable_read(market.payer) as session:
        before = await run_query(session, query, org_id=market.payer, now=BEGINS + timedelta(days=2))
    assert values(before) == {("spending", "USD"): 200}


async def test_a_question_reads_no_more_rows_for_more_uses_of_lots(market: Market, database: Database) -> None:
    async def reading(session: AsyncSession) -> None:
        query = Query(metrics=("revenue", "commission", "escrows.held"), since=BEGINS, until=BEGINS + timedelta(days=1))
        await run_query(session, query, org_id=None, now=BEGINS + timedelta(days=2))

    read = []
    for escrows in (1, 30):
        for _ in range(escrows):
            await market.buy(10, 100)
            await market.escrow(granted=0, paid=8, commission=1, held=1)
        await recognise(market.connection)
        while await accounting.add_up_days(market.connection, 100):
            pass
        read.append(await rows_read(database, None, reading))
    assert read[1] <= read[0] + 10, read
