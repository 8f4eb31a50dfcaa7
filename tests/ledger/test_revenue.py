"""Revenue follows the use of lots: once, to the last cent, and at a cost that does not grow."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from domain.common.accounts import (
    Account,
    agent_earnings,
    escrow,
    org_credits,
    org_debt,
    payment,
    platform,
    provider_clearing,
)
from domain.common.credits import CreditPrice
from domain.credits.lots import LotSource, LotTerms, Sharing
from ledger.gateway import Ledger, Posting
from ledger.revenue import Revenue
from tests.conftest import DatabaseUrls
from tests.support.books import COMMISSION, ISSUANCE, NOW, Books, fresh, open_books, recognise, settle_uses
from tests.support.connections import as_owner, undone
from tests.support.plans import vacuum

pytestmark = pytest.mark.db

#: Uses of an hour ago, each of a lot of its own, by transfers that moved nothing else; a part of each came back.
PAST = """
WITH many AS (
    SELECT uuidv7(interval '-1 hour') AS id, uuidv7() AS lot, n FROM generate_series(1, $1::int) n
),
transfers AS (
    INSERT INTO ledger.transfers (id, idempotency_key, request_hash, kind, effective_at)
    SELECT id, id::text, '', 't', now() FROM many
),
lots AS (
    INSERT INTO ledger.lots (id, account_id, org_id, source, priority, opened_at, lapses, amount, remaining, paid,
        paid_asset, costed, root_id, transfer_id)
    SELECT m.lot, l.account_id, l.org_id, l.source, 0, now(), false, 9, 1, 9, 'EUR', 8, m.lot, m.id
    FROM many m, (SELECT * FROM ledger.lots WHERE paid_asset = 'EUR' LIMIT 1) l
),
uses AS (
    INSERT INTO ledger.lot_uses (transfer_id, leg, lot_id, amount, cost, outcome, returned, cost_returned)
    SELECT id, 1, lot, 9, 9, 'used', 1, 1 FROM many
)
INSERT INTO ledger.lot_returns (transfer_id, used_by, leg, lot_id, account_id, amount, cost)
SELECT id, id, 1, lot, 256, 1, 1 FROM many
"""
REDEMPTION, DAY = platform("credit_redemption", "CREDIT"), timedelta(days=1)
AT_ONCE = timedelta(0)
ACCOUNTS = {
    "deferred": "deferred_revenue",
    "payable": "payable",
    "revenue": "revenue/credits",
    "commission": "commission",
    "breakage": "breakage",
}


class Shop:
    """An organization that buys credits, and the platform's gains on the accounts of the currency."""

    def __init__(self, books: Books, asset: str) -> None:
        self.books, self.asset = books, asset
        self.org = fresh("org")
        self.wallet = org_credits(self.org)
        self.escrow = escrow(fresh("esc"), "CREDIT", self.org)
        self.before: dict[str, int] = {}
        self.earnings = agent_earnings(fresh("agt"), "CREDIT", fresh("org"))

    async def buy(self, amount: int, cents: int, *, days: int | None = None, payment_id: str | None = None) -> None:
        await self.books.pay(cents, self.asset)
        terms = LotTerms(
            source=LotSource.PURCHASE,
            paid_minor=cents,
            paid_asset=self.asset,
            payment_id=payment_id,
            expires_at=None if days is None else NOW + days * DAY,
        )
        await self.move(ISSUANCE, self.wallet, amount, lots=terms)

    async def get(self, amount: int, *, days: int | None = None) -> None:
        expires_at = None if days is None else NOW + days * DAY
        await self.move(ISSUANCE, self.wallet, amount, lots=LotTerms(source=LotSource.PROMOTION, expires_at=expires_at))

    async def move(self, source: Account, destination: Account, amount: int, *, at=NOW, lots=None):
        return await self.books.ledger.post(
            key=fresh("k"),
            kind="t",
            source=source,
            destination=destination,
            amount_minor=amount,
            effective_at=at,
            lots=lots,
        )

    async def use(self, amount: int, *, at=NOW):
        return await self.move(self.wallet, REDEMPTION, amount, at=at)

    async def booked(self) -> dict[str, int]:
        await recognise(self.books.connections[0])
        found = await self.books.ledger.balances([platform(path, self.asset) for path in ACCOUNTS.values()])
        return {name: balance.posted_minor for name, balance in zip(ACCOUNTS, found, strict=True)}

    async def opened(self) -> "Shop":
        self.before = await self.booked()
        return self

    async def cents(self) -> dict[str, int]:
        """Return the gain of each account, without zeros."""
        gained = {name: minor - self.before.get(name, 0) for name, minor in (await self.booked()).items()}
        return {name: minor for name, minor in gained.items() if minor}


@pytest.fixture
async def shop(books: Books):
    yield await Shop(books, "EUR").opened()
    await books.assert_proven()


@pytest.fixture
async def fresh_books(fresh_database_urls: DatabaseUrls):
    async with open_books(fresh_database_urls.platform, clients=3) as books:
        yield books


@pytest.fixture
async def alone(fresh_books: Books):
    """The only one who uses anything in its database."""
    yield await Shop(fresh_books, "EUR").opened()
    await fresh_books.assert_proven()


async def test_earnings_are_payable_until_converted_and_revenue_once_used(shop: Shop) -> None:
    await shop.buy(9, 100)
    await shop.move(shop.wallet, shop.escrow, 9)
    await shop.move(shop.escrow, shop.earnings, 9)
    assert await shop.cents() == {"payable": 100}
    studio = org_credits(shop.earnings.org_id or "")
    await shop.move(shop.earnings, studio, 6, lots=LotTerms(source=LotSource.EARNINGS, lasting=True, renew_days=30))
    assert await shop.cents() == {"payable": 34, "deferred": 66}
    await shop.move(studio, REDEMPTION, 4)
    assert await shop.cents() == {"payable": 34, "deferred": 22, "revenue": 44}


async def test_use_commission_and_expiry_add_up_to_the_price(shop: Shop) -> None:
    await shop.buy(7, 100, days=3)
    assert await shop.cents() == {"deferred": 100}
    await shop.use(1)
    assert await shop.cents() == {"deferred": 86, "revenue": 14}
    await shop.move(shop.wallet, COMMISSION, 2)
    assert await shop.cents() == {"deferred": 58, "revenue": 42}
    await shop.books.ledger.expire_lots(now=NOW + 3 * DAY)
    assert await shop.cents() == {"revenue": 42, "breakage": 58}


async def test_granted_credits_are_no_revenue(shop: Shop) -> None:
    await shop.get(10)
    await shop.use(4)
    assert await shop.cents() == {}


async def test_refunded_use_is_reversed_revenue(shop: Shop) -> None:
    await shop.buy(10, 99)
    before, after = await shop.use(4), await shop.use(6)
    # Before it was booked, and after.
    await shop.move(REDEMPTION, shop.wallet, 6, lots=LotTerms(returns=after.transfer_id))
    assert await shop.cents() == {"deferred": 60, "revenue": 39}
    await shop.move(REDEMPTION, shop.wallet, 1, lots=LotTerms(returns=before.transfer_id))
    assert await shop.cents() == {"deferred": 69, "revenue": 30}
    await shop.use(7)
    assert await shop.cents() == {"revenue": 99}


async def test_credits_on_their_way_through_clearing_are_deferred_again(shop: Shop) -> None:
    clearing, waiting = provider_clearing("credits", "CREDIT"), payment(fresh("pay"), "CREDIT", shop.org)
    await shop.buy(10, 99)
    paid = await shop.move(shop.wallet, clearing, 10)
    assert await shop.cents() == {"revenue": 99}
    await shop.move(clearing, waiting, 10, lots=LotTerms(returns=paid.transfer_id))
    assert await shop.cents() == {"deferred": 99}
    await shop.move(waiting, shop.escrow, 10)
    await shop.move(shop.escrow, shop.earnings, 10)
    assert await shop.cents() == {"payable": 99}


async def test_escrow_of_bought_and_granted_credits_moves_its_cost_where_it_goes(shop: Shop) -> None:
    await shop.get(10, days=9)
    await shop.buy(20, 201)
    await shop.move(shop.wallet, shop.escrow, 25)
    assert await shop.cents() == {"deferred": 201}
    # Split: the payee's 12 are 10 that nobody paid for and two that somebody did, the platform's one is paid for.
    await shop.books.ledger.post_compound(
        key=fresh("k"),
        kind="t",
        postings=[Posting(shop.escrow, shop.earnings, 12), Posting(shop.escrow, COMMISSION, 1)],
        effective_at=NOW,
    )
    assert await shop.cents() == {"deferred": 201 - 20 - 10, "payable": 20, "commission": 10}
    await shop.move(shop.escrow, shop.wallet, 12)
    assert await shop.cents() == {"deferred": 171, "payable": 20, "commission": 10}
    await shop.use(17)
    assert await shop.cents() == {"payable": 20, "revenue": 171, "commission": 10}


#: A credit costs ten cents.
LIST = CreditPrice(price=Decimal(100_000), currency="EUR")


async def share(shop: Shop, source: Account, payee: int, commission: int, sharing: Sharing) -> None:
    postings = [
        Posting(source, shop.earnings, payee, LotTerms(only="paid", share=sharing.terms(commission))),
        Posting(source, COMMISSION, commission),
    ]
    await shop.books.ledger.post_compound(
        key=fresh("k"), kind="t", postings=[each for each in postings if each.amount_minor], effective_at=NOW
    )


@pytest.mark.parametrize(
    ("paid", "payee"),
    [(1000, 900), (1001, 900), (2000, 1800), (999, 900), (930, 900), (900, 900), (899, 899), (700, 700)],
)
async def test_platforms_share_bears_the_discount_first(shop: Shop, paid: int, payee: int) -> None:
    await shop.buy(100, paid)
    await shop.move(shop.wallet, shop.escrow, 100)
    await share(shop, shop.escrow, 90, 10, Sharing(list_price=LIST))
    gained = await shop.cents()
    assert (gained["payable"], gained.get("commission", 0), "deferred" in gained) == (payee, paid - payee, False)


async def test_without_a_list_price_or_in_another_currency_a_discount_takes_of_both(shop: Shop) -> None:
    for sharing in (Sharing(), Sharing(list_price=replace(LIST, currency="USD"))):
        before = await shop.cents()
        await shop.buy(100, 700)
        await shop.move(shop.wallet, shop.escrow, 100)
        await share(shop, shop.escrow, 90, 10, sharing)
        gained = await shop.cents()
        assert [gained[name] - before.get(name, 0) for name in ("payable", "commission")] == [630, 70]


async def test_each_purchase_bears_its_own_discount_with_the_platforms_part_of_it(shop: Shop) -> None:
    """Sixty cheap credits and forty at the list price: the platform has a tenth of both, whichever are taken first."""
    await shop.buy(60, 300)
    await shop.buy(40, 400)
    await shop.move(shop.wallet, shop.escrow, 100)
    await share(shop, shop.escrow, 90, 10, Sharing(list_price=LIST))
    assert await shop.cents() == {"payable": 300 + 360, "commission": 40}


@pytest.mark.parametrize(
    "parts", [[(90, 10)], [(9, 1)] * 10, [(3, 0), (0, 7), (61, 4), (20, 5)], [(1, 1)] * 5 + [(81, 9)]]
)
async def test_shares_add_up_to_the_price_and_the_payee_gets_at_least_its_part_up_to_the_list_price(
    books: Books, parts: list[tuple[int, int]]
) -> None:
    for paid in (1, 333, 950, 1703):
        shop = await Shop(books, "EUR").opened()
        await shop.buy(100, paid)
        await shop.move(shop.wallet, shop.escrow, 100)
        for payee, commission in parts:
            before = await shop.cents()
            await share(shop, shop.escrow, payee, commission, Sharing(list_price=LIST))
            after = await shop.cents()
            got, kept = (after.get(name, 0) - before.get(name, 0) for name in ("payable", "commission"))
            came_in = before["deferred"] - after.get("deferred", 0)
            assert (got + kept, min(got, kept) >= 0) == (came_in, True)
            assert got >= min(came_in, max(came_in * payee // (payee + commission), 10 * payee)) - 1
        assert "deferred" not in await shop.cents()
    await books.assert_proven()


async def test_earnings_that_pay_a_debt_are_not_payable_any_more(shop: Shop) -> None:
    await shop.buy(10, 55)
    await shop.move(shop.wallet, shop.escrow, 10)
    await shop.move(shop.escrow, shop.earnings, 10)
    await shop.move(org_debt(str(shop.earnings.org_id), "CREDIT"), ISSUANCE, 4)
    await shop.move(shop.earnings, org_debt(str(shop.earnings.org_id), "CREDIT"), 4)
    assert await shop.cents() == {"payable": 33, "revenue": 22}


async def test_pitfall_40_payable_never_exceeds_the_price_of_the_lots(shop: Shop) -> None:
    """Bulk credits at three cents, a small package at ten, both paid to an agent of one's own."""
    await shop.buy(5000, 15_000)
    await shop.buy(50, 500)
    for amount in (1, 999, 4000, 49):
        await shop.move(shop.wallet, shop.escrow, amount)
        await shop.move(shop.escrow, shop.earnings, amount)
    assert await shop.cents() == {"deferred": 10, "payable": 15_490}


@pytest.mark.parametrize("booked", [False, True])
@pytest.mark.parametrize("used", [0, 3, 10])
async def test_refund_reverses_the_revenue_of_the_used_credits_only(shop: Shop, used: int, booked: bool) -> None:
    """The money goes back from revenue, and what is retired of the price comes to it."""
    own, debt, cash = payment("pay_1", "CREDIT", shop.org), org_debt(shop.org, "CREDIT"), platform("exchange", "EUR")
    await shop.buy(10, 99, payment_id="pay_1")
    if used:
        await shop.use(used)
    if booked:
        await shop.cents()
    taken = [Posting(shop.wallet, own, 10 - used, LotTerms(first="pay_1"))] if used < 10 else []
    owed = [Posting(debt, own, used, LotTerms(source=LotSource.DEBT))] if used else []
    back = Posting(platform("revenue/credits", "EUR"), cash, 99)
    await shop.books.ledger.post_compound(
        key=fresh("k"),
        kind="t",
        postings=[*taken, *owed, Posting(own, ISSUANCE, 10, LotTerms(is_reversal=True)), back],
        effective_at=NOW,
    )
    assert await shop.cents() == {}
    # Who owes the credits pays for them with the next ones.
    await shop.books.pay(99, "EUR")
    bought = LotTerms(source=LotSource.PURCHASE, paid_minor=99, paid_asset="EUR")
    paid = [Posting(own, debt, used)] if used else []
    rest = [Posting(own, shop.wallet, 10 - used)] if used < 10 else []
    await shop.books.ledger.post_compound(
        key=fresh("k"), kind="t", postings=[Posting(ISSUANCE, own, 10, bought), *paid, *rest], effective_at=NOW
    )
    earned = 99 * used // 10
    assert await shop.cents() == {k: v for k, v in {"deferred": 99 - earned, "revenue": earned}.items() if v}


async def test_use_on_debt_is_revenue_when_paid_at_the_price_of_the_paying_credits(shop: Shop) -> None:
    """Of ten credits that were used and owed, a promotion pays three, dear credits four, cheap ones three."""
    debt, own = org_debt(shop.org, "CREDIT"), payment("pay_1", "CREDIT", shop.org)
    await shop.move(debt, REDEMPTION, 10)
    assert await shop.cents() == {}
    await shop.get(3)
    await shop.move(shop.wallet, debt, 3)
    assert await shop.cents() == {}
    for cents, paid, rest in ((40, 4, 0), (99, 3, 6)):
        await shop.books.pay(cents, "EUR")
        bought = LotTerms(source=LotSource.PURCHASE, paid_minor=cents, paid_asset="EUR")
        postings = [Posting(ISSUANCE, own, paid + rest, bought), Posting(own, debt, paid)]
        postings += [Posting(own, shop.wallet, rest)] if rest else []
        await shop.books.ledger.post_compound(key=fresh("k"), kind="t", postings=postings, effective_at=NOW)
    assert await shop.cents() == {"deferred": 66, "revenue": 40 + 33}
    await shop.use(6)
    assert await shop.cents() == {"revenue": 40 + 99}


async def test_pinned_credits_stay_pinned_and_are_recognised_when_they_are_captured(shop: Shop) -> None:
    own = payment("pay_1", "CREDIT", shop.org)
    await shop.buy(10, 99, payment_id="pay_1")
    held = await shop.books.ledger.hold(
        key=fresh("h"), account=shop.wallet, amount_minor=6, expires_at=NOW + DAY, held_at=NOW
    )
    await shop.move(shop.wallet, own, 4, lots=LotTerms(first="pay_1"))
    await shop.move(own, ISSUANCE, 4, lots=LotTerms(is_reversal=True))
    assert await shop.cents() == {"deferred": 60, "revenue": 39}
    await shop.books.ledger.capture(
        key=fresh("c"), hold_id=held.hold_id, amount_minor=6, destination=REDEMPTION, effective_at=NOW
    )
    assert await shop.cents() == {"revenue": 99}


async def test_currencies_are_booked_separately(shop: Shop) -> None:
    yen = await Shop(shop.books, "JPY").opened()
    await shop.buy(3, 100)
    await yen.buy(3, 1000)
    await shop.use(1)
    await yen.use(2)
    assert await shop.cents() == {"deferred": 67, "revenue": 33}
    assert await yen.cents() == {"deferred": 334, "revenue": 666}


async def test_revenue_is_of_the_day_of_the_use(shop: Shop) -> None:
    ends = [NOW + days * DAY for days in (39, 40)]

    async def revenue() -> list[int]:
        return [await shop.books.ledger.balance_as_of(platform("revenue/credits", "EUR"), end) for end in ends]

    before = await revenue()
    await shop.buy(10, 100)
    for days in (0, 40, 40):
        await shop.use(1, at=NOW + days * DAY)
    await shop.cents()
    assert [after - then for after, then in zip(await revenue(), before, strict=True)] == [10, 30]


async def test_run_that_was_killed_between_pages_repeats_and_skips_nothing(alone: Shop) -> None:
    await alone.buy(100, 1_234)
    for _ in range(9):
        await alone.use(3)
    connection = alone.books.connections[0]
    revenue = Revenue(connection)
    await settle_uses(connection)
    assert await revenue.recognise(limit=4, settle=AT_ONCE) == 4
    async with undone(connection):
        assert await revenue.recognise(limit=4, settle=AT_ONCE) == 4
    runs = (Revenue(each).recognise(limit=100, settle=AT_ONCE) for each in alone.books.connections)
    assert sorted(await asyncio.gather(*runs)) == [0, 0, 5]
    assert await alone.cents() == {"deferred": 1_234 - 1_234 * 27 // 100, "revenue": 1_234 * 27 // 100}


async def test_use_that_commits_late_is_not_skipped(alone: Shop) -> None:
    """Its transfer has an earlier id than one that was booked long before it committed."""
    await alone.buy(10, 100)
    other = Shop(alone.books, "EUR")
    await other.buy(10, 100)
    await alone.use(1)
    await other.move(other.wallet, COMMISSION, 1)
    assert await alone.cents() == {"deferred": 180, "revenue": 20}
    late, early, batch = alone.books.connections
    transaction = late.transaction()
    await transaction.start()
    await alone.use(1)
    await Ledger(early).post(
        key=fresh("k"), kind="t", source=other.wallet, destination=COMMISSION, amount_minor=2, effective_at=NOW
    )
    for _ in range(3):
        await Revenue(batch).mark(settle=AT_ONCE)
        await Revenue(batch).recognise(limit=100, settle=AT_ONCE)
    assert (await Ledger(batch).balance(platform("revenue/credits", "EUR"))).posted_minor == 20
    await transaction.commit()
    assert await recognise(batch) == 2
    assert (await Ledger(batch).balance(platform("revenue/credits", "EUR"))).posted_minor == 50


async def test_mark_of_another_cluster_is_replaced(alone: Shop, fresh_database_urls: DatabaseUrls) -> None:
    """A logical dump brings the place along, and transactions are numbered anew."""
    await as_owner(fresh_database_urls, "UPDATE ledger.revenue_place SET mark_in = 1000000000000")
    await alone.buy(10, 100)
    await alone.use(1)
    assert await alone.cents() == {"deferred": 90, "revenue": 10}


@pytest.mark.slow
async def test_page_reads_new_rows_only(fresh_books: Books, fresh_database_urls: DatabaseUrls) -> None:
    """The blocks that a page of ten uses reads, after a thousand uses before it and after sixty thousand."""
    shop, connection = Shop(fresh_books, "EUR"), fresh_books.connections[0]
    await shop.buy(1_000, 9_999)
    await shop.use(1)
    await shop.cents()
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    read: list[int] = []
    for size in (1_000, 60_000):
        await owner.execute(PAST, size)
        await vacuum(owner, "ledger.lot_uses", "ledger.lot_returns", "ledger.lots", "ledger.transfers")
        pages: list[int] = []
        # The least of three: a page may have to read the catalogue again, after whatever others did meanwhile.
        for _ in range(3):
            for _ in range(10):
                await shop.use(1)
            await settle_uses(connection)
            explained = await connection.fetchval(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT ledger.recognise_revenue(100, '0 s')"
            )
            plan = json.loads(explained)[0]["Plan"]
            pages.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        read.append(min(pages))
    await owner.close()
    print(f"blocks read: {read}")
    assert await shop.cents() == {"deferred": 9_999 - 609, "revenue": 609}
    # Sixty thousand uses fill more than a thousand blocks; a page that went through them would show.
    assert read[1] <= read[0] + 400, read
