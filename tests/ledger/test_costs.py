"""A cost in money takes lots by what was paid for them, in the one transaction that charges it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from domain.common.accounts import org_credits
from domain.common.errors import IdempotencyConflict
from domain.credits.lots import LotSource, LotTerms
from ledger.purchases import NewPurchase, Purchases
from ledger.rates import GRANTED, set_credit_rate, set_rate
from ledger.spends import MoneyCost, NewSpend, RefusalReason, Spender, SpendOutcome
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, NOW, Books, fresh, open_books
from tests.support.spends import Tenant, limits

pytestmark = pytest.mark.db

CREDIT = 10**6
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
async def books(module_database_urls: DatabaseUrls) -> AsyncIterator[Books]:
    """The books of a database whose rates no other test sets."""
    async with open_books(module_database_urls.platform) as books:
        yield books


@pytest.fixture
async def tenant(books: Books) -> Tenant:
    """An organization without credits; a credit costs 0.10 USD, and a granted one is worth 0.02 USD."""
    connection = books.connections[0]
    await set_credit_rate(connection, asset="USD", credit_minor=CREDIT, asset_minor=10, starts_at=NOW)
    await set_credit_rate(connection, asset="EUR", credit_minor=CREDIT, asset_minor=8, starts_at=NOW)
    await set_rate(connection, base=GRANTED, quote="USD", base_minor=CREDIT, quote_minor=2, starts_at=NOW)
    return await Tenant.opened(books, 0)


async def give(tenant: Tenant, credits: int, cents: int = 0, asset: str = "USD", **more: object) -> None:
    """A lot of so many credits, for which so much was paid."""
    if cents:
        await tenant.books.pay(cents, asset)
    terms = LotTerms(
        source=LotSource.PURCHASE if cents else LotSource.PROMOTION,
        paid_minor=cents,
        paid_asset=asset if cents else None,
    )
    await tenant.books.ledger.post(
        key=fresh("lot"),
        kind="test.lot",
        source=ISSUANCE,
        destination=org_credits(tenant.org_id),
        amount_minor=credits * CREDIT,
        effective_at=NOW,
        lots=replace(terms, **more),
    )


def cost(minor: str | int, asset: str = "USD", granted: int | None = None) -> MoneyCost:
    return MoneyCost(minor=Decimal(minor), asset=asset, granted_minor=granted)


def priced(minor: str | int, asset: str = "USD", granted: int | None = None) -> NewSpend:
    return NewSpend(key=fresh("cost"), action="model", amount_minor=0, cost=cost(minor, asset, granted))


async def paid_for(tenant: Tenant, connection: asyncpg.Connection) -> list[tuple[int, int]]:
    """The credits that were taken of each lot and the money paid for them, in the order of the lots."""
    rows = await connection.fetch(
        """
        SELECT sum(u.amount - u.returned)::bigint AS amount, sum(u.cost - u.cost_returned)::bigint AS cost
        FROM ledger.lot_uses u JOIN ledger.lots l ON l.id = u.lot_id WHERE l.org_id = $1 GROUP BY l.id ORDER BY l.id
        """,
        tenant.org_id,
    )
    return [(row["amount"], row["cost"]) for row in rows]


async def test_same_cost_takes_credits_by_their_price(tenant: Tenant) -> None:
    other = await Tenant.opened(tenant.books, 0)
    await give(tenant, 1_000, 10_000)
    await give(other, 10_000, 29_900)
    assert (await tenant.spending.charge(priced(5_000), at=NOW)).amount_minor == 500 * CREDIT
    # 50.00 / 299.00 of 10,000 credits, rounded up to a minor unit.
    assert (await other.spending.charge(priced(5_000), at=NOW)).amount_minor == 1_672_240_803
    assert await paid_for(tenant, tenant.books.connections[0]) == [(500 * CREDIT, 5_000)]
    assert await paid_for(other, tenant.books.connections[0]) == [(1_672_240_803, 5_000)]


async def test_cost_goes_on_in_the_next_lot_at_its_own_price(tenant: Tenant) -> None:
    await give(tenant, 100, 1_000)
    await give(tenant, 100, 250)
    spent = await tenant.spending.charge(priced(1_100), at=NOW)
    assert spent.amount_minor == 140 * CREDIT
    assert spent.available_minor == 60 * CREDIT


async def test_cost_below_a_cent_takes_a_part_of_a_credit(tenant: Tenant) -> None:
    await give(tenant, 100, 1_000)
    spent = [await tenant.spending.charge(priced("0.000003"), at=NOW) for _ in range(2)]
    assert [each.amount_minor for each in spent] == [1, 1]
    assert (await tenant.spending.charge(priced("0.03"), at=NOW)).amount_minor == 3_000


async def test_lot_in_another_currency_counts_at_the_exchange_rate(tenant: Tenant) -> None:
    await give(tenant, 100, 800, "EUR")
    assert (await tenant.spending.charge(priced(500), at=NOW)).amount_minor == 50 * CREDIT


async def test_lot_in_a_currency_without_rate_counts_as_granted(tenant: Tenant) -> None:
    await give(tenant, 100, 800, "CHF")
    assert (await tenant.spending.charge(priced(100), at=NOW)).amount_minor == 50 * CREDIT


async def test_granted_credits_pay_no_cost_unless_it_says_so(tenant: Tenant) -> None:
    await give(tenant, 1_000)
    await give(tenant, 100, 1_000, priority=1)
    assert (await tenant.spending.charge(priced(100), at=NOW)).amount_minor == 10 * CREDIT
    # Two cents for each credit, 1.00 a month, of which nothing was used.
    assert (await tenant.spending.charge(priced(150, granted=100), at=NOW)).amount_minor == (50 + 5) * CREDIT
    assert (await tenant.spending.charge(priced(150, granted=100), at=NOW)).amount_minor == 15 * CREDIT
    # The next month has its own.
    february = NOW + timedelta(days=31)
    assert (await tenant.spending.charge(priced(100, granted=100), at=february)).amount_minor == 50 * CREDIT


async def test_cost_beyond_the_lots_is_insufficient_and_forced_is_owed(tenant: Tenant) -> None:
    await give(tenant, 10, 100)
    spent = await tenant.spending.charge(priced(150), at=NOW)
    assert (spent.outcome, spent.amount_minor) == (SpendOutcome.INSUFFICIENT, 35 * CREDIT)
    forced = await tenant.spending.force(priced(150), at=NOW)
    # What is not there counts at the value of granted credits: 0.50 are 25 credits.
    assert forced.amount_minor == 35 * CREDIT
    assert await paid_for(tenant, tenant.books.connections[0]) == [(10 * CREDIT, 100)]


async def test_hold_is_captured_by_cost_in_parts(tenant: Tenant) -> None:
    await give(tenant, 100, 1_000)
    await give(tenant, 1_000, 2_500)
    held = await tenant.spending.authorize(priced(2_000), expires_at=NOW + HOUR, at=NOW)
    assert held.amount_minor == (100 + 400) * CREDIT
    assert held.spend_id is not None
    one = await tenant.spending.settle(key=fresh("s"), spend_id=held.spend_id, cost=cost(500), more=True, at=NOW)
    assert (one.amount_minor, one.held_minor) == (50 * CREDIT, 450 * CREDIT)
    two = await tenant.spending.settle(key=fresh("s"), spend_id=held.spend_id, cost=cost(1_000), at=NOW)
    assert (two.amount_minor, two.released_minor) == ((50 + 200) * CREDIT, 200 * CREDIT)
    assert await paid_for(tenant, tenant.books.connections[0]) == [(100 * CREDIT, 1_000), (200 * CREDIT, 500)]


async def test_granted_credits_of_a_plain_hold_pay_up_to_a_part_of_the_month(tenant: Tenant) -> None:
    await give(tenant, 100)
    await give(tenant, 200, 2_000)
    # Granted credits are worth 0.02, so 40 of them pay 0.80 of 3.80; then nothing more in this month.
    for granted, bought in ((40, 30), (0, 38)):
        spend = NewSpend(key=fresh("h"), action="model", amount_minor=150 * CREDIT)
        held = await tenant.spending.authorize(spend, expires_at=NOW + HOUR, at=NOW)
        assert held.spend_id is not None
        asked = cost(380, granted=80)
        done = await tenant.spending.settle(key=fresh("s"), spend_id=held.spend_id, cost=asked, at=NOW)
        assert (done.amount_minor, done.held_minor) == ((granted + bought) * CREDIT, 0)
    assert await paid_for(tenant, tenant.books.connections[0]) == [(40 * CREDIT, 0), (68 * CREDIT, 680)]


async def test_capture_of_no_cost_releases_the_hold(tenant: Tenant) -> None:
    await give(tenant, 100, 1_000)
    held = await tenant.spending.authorize(priced(500), expires_at=NOW + HOUR, at=NOW)
    assert held.spend_id is not None
    ended = await tenant.spending.settle(key=fresh("s"), spend_id=held.spend_id, cost=cost(0), at=NOW)
    assert (ended.status, ended.captured_minor, ended.released_minor) == ("released", 0, 50 * CREDIT)


async def test_refund_of_money_returns_the_last_lots_at_their_price(tenant: Tenant) -> None:
    await give(tenant, 100, 1_000)
    await give(tenant, 1_000, 2_500)
    spent = await tenant.spending.charge(priced(2_000), at=NOW)
    assert spent.spend_id is not None
    back = await tenant.spending.refund_credits(spent.spend_id, Decimal(500), "USD")
    assert back == 200 * CREDIT
    await tenant.spending.refund(key=fresh("r"), spend_id=spent.spend_id, amount_minor=back, at=NOW)
    assert await tenant.spending.refund_credits(spent.spend_id, Decimal(1_500), "USD") == 300 * CREDIT


async def test_limit_in_money_counts_what_was_paid_for_the_credits(tenant: Tenant) -> None:
    await tenant.control(limits(day=100), asset="USD")
    await give(tenant, 10_000, 29_900)
    # 33 credits cost 0.9867, rounded up to 0.99.
    credits = NewSpend(key=fresh("use"), action="a", amount_minor=33 * CREDIT)
    assert (await tenant.spending.charge(credits, at=NOW)).outcome is SpendOutcome.CHARGED
    refused = await tenant.spending.charge(replace(credits, key=fresh("use"), amount_minor=CREDIT), at=NOW)
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.remaining) == (RefusalReason.LIMIT, 1)


async def test_limit_in_money_counts_the_bought_credits_that_are_asked_for_and_not_the_granted_before_them(
    tenant: Tenant,
) -> None:
    control = await tenant.control(limits(day=499), asset="USD")
    await give(tenant, 50)
    await give(tenant, 50, 500)
    bought = NewSpend(key=fresh("use"), action="agent", amount_minor=50 * CREDIT, paid_only=True)
    refused = await tenant.spending.authorize(bought, expires_at=NOW + HOUR, at=NOW)
    assert refused.refusal is not None
    assert (refused.refusal.reason, refused.refusal.remaining) == (RefusalReason.LIMIT, 499)
    less = replace(bought, key=fresh("use"), amount_minor=40 * CREDIT)
    assert (await tenant.spending.authorize(less, expires_at=NOW + HOUR, at=NOW)).outcome is SpendOutcome.RESERVED
    assert (await tenant.counter(control, at=NOW))["held"] == 400


async def test_limit_in_money_counts_the_parts_of_a_lot_once(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=100), asset="USD")
    await give(tenant, 100, 1_000)
    # A thousandth of a cent each: 200 of them are a part of one cent, and not 2.00.
    spends = [priced("0.001") for _ in range(200)]
    answers = await tenant.spending.charge_many(spends, at=NOW)
    assert {answer.outcome for answer in answers} == {SpendOutcome.CHARGED}
    assert (await tenant.counter(control, at=NOW))["spent"] == 1


async def test_cost_counts_itself_in_a_limit_in_its_currency(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=500), asset="USD")
    await give(tenant, 10_000, 29_900)
    held = await tenant.spending.authorize(priced(450), expires_at=NOW + HOUR, at=NOW)
    refused = await tenant.spending.authorize(priced(51), expires_at=NOW + HOUR, at=NOW)
    assert refused.refusal is not None
    assert (refused.refusal.control_id, refused.refusal.remaining) == (control, 50)
    assert held.spend_id is not None
    await tenant.spending.settle(key=fresh("c"), spend_id=held.spend_id, cost=cost(200), at=NOW)
    counted = await tenant.counter(control, at=NOW)
    assert (counted["held"], counted["spent"]) == (0, 200)


async def test_limit_in_credits_counts_the_credits_of_a_cost(tenant: Tenant) -> None:
    await tenant.control(limits(day=100 * CREDIT))
    await give(tenant, 10_000, 29_900)
    assert (await tenant.spending.charge(priced(299), at=NOW)).outcome is SpendOutcome.CHARGED
    assert (await tenant.spending.charge(priced(1), at=NOW)).outcome is SpendOutcome.REFUSED


async def test_purchase_counts_the_credits_that_would_pay_it_and_a_margin(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=1_000 * CREDIT))
    await give(tenant, 100, 1_000)
    purchases = Purchases(tenant.books.connections[0], tenant.org_id)
    new = NewPurchase(order_id=fresh("po"), number=0, asset="USD", amount_minor=1_100, spender=Spender())
    counted = await purchases.authorize(replace(new, margin=Decimal("0.05")), at=NOW)
    assert counted.outcome is SpendOutcome.RESERVED
    # 100 credits pay 10.00, and 1.00 counts at the value of granted ones.
    assert (await tenant.counter(control, at=NOW))["held"] == 157_500_000
    # What has happened counts also without a rate that is new enough, and counts nothing without any.
    await set_credit_rate(
        tenant.books.connections[0], asset="GBP", credit_minor=CREDIT, asset_minor=5, starts_at=NOW - HOUR, ends_at=NOW
    )
    for asset in ("GBP", "CHF"):
        forced = replace(new, order_id=fresh("po"), asset=asset, amount_minor=5, forced=True)
        assert (await purchases.authorize(forced, at=NOW)).outcome is SpendOutcome.RESERVED
    assert (await tenant.counter(control, at=NOW))["forced"] == 1_000_000


async def test_many_costs_are_charged_as_one_after_the_other(tenant: Tenant) -> None:
    other = await Tenant.opened(tenant.books, 0)
    for each in (tenant, other):
        await give(each, 10, 97)
        await give(each, 40, 151)
        await give(each, 5)
        await give(each, 1_000, 10_000, priority=1)
    costs = [str(Decimal(n) * Decimal("0.37")) for n in range(1, 60)]
    together = await tenant.spending.charge_many([priced(each) for each in costs], at=NOW)
    alone = [await other.spending.charge(priced(each), at=NOW) for each in costs]
    assert [each.amount_minor for each in together] == [each.amount_minor for each in alone]
    connection = tenant.books.connections[0]
    assert await paid_for(tenant, connection) == await paid_for(other, connection)


async def test_key_of_a_cost_answers_again_and_refuses_another_cost(tenant: Tenant) -> None:
    await give(tenant, 100, 1_000)
    spend = priced(500)
    first = await tenant.spending.charge(spend, at=NOW)
    again = await tenant.spending.charge(spend, at=NOW)
    assert (again.amount_minor, again.replayed) == (first.amount_minor, True)
    with pytest.raises(IdempotencyConflict):
        await tenant.spending.charge(replace(spend, cost=cost(501)), at=NOW)


async def test_limit_in_money_counts_what_was_paid_for_the_lots_that_a_hold_has_used(tenant: Tenant) -> None:
    control = await tenant.control(limits(day=2_000), asset="USD")
    await give(tenant, 100, 1_000)
    await give(tenant, 1_000, 2_500)
    # 100 credits of 10.00, and 400 of 10.00.
    held = await tenant.spending.authorize(priced(2_000), expires_at=NOW + HOUR, at=NOW)
    assert held.spend_id is not None
    await tenant.spending.settle(key=fresh("c"), spend_id=held.spend_id, cost=cost(500), more=True, at=NOW)
    await tenant.spending.settle(key=fresh("c"), spend_id=held.spend_id, cost=cost(700), at=NOW)
    counted = await tenant.counter(control, at=NOW)
    assert (counted["held"], counted["spent"], counted["refunded"]) == (0, 1_200, 0)
    await tenant.spending.refund(key=fresh("r"), spend_id=held.spend_id, at=NOW)
    assert (await tenant.counter(control, at=NOW))["refunded"] == 1_200
    await tenant.books.assert_proven()


async def test_limit_in_money_counts_each_hold_of_a_part_of_a_cent(tenant: Tenant) -> None:
    await tenant.control(limits(day=5), asset="USD")
    await give(tenant, 100, 1_000)
    await tenant.spending.charge(priced("0.1"), at=NOW)
    holds = [await tenant.spending.authorize(priced("0.7"), expires_at=NOW + HOUR, at=NOW) for _ in range(6)]
    assert [each.outcome for each in holds] == [SpendOutcome.RESERVED] * 4 + [SpendOutcome.REFUSED] * 2


async def test_refund_of_money_that_has_paid_a_debt_leaves_the_rest_refundable(tenant: Tenant) -> None:
    await give(tenant, 10, 100)
    await give(tenant, 90, 100)
    spent = await tenant.spending.charge(priced(200), at=NOW)
    owing = await tenant.spending.force(NewSpend(key=fresh("f"), action="a", amount_minor=90 * CREDIT), at=NOW)
    assert spent.spend_id is not None
    assert owing.outcome is SpendOutcome.CHARGED
    back = await tenant.spending.refund_credits(spent.spend_id, Decimal(100), "USD")
    assert back == 90 * CREDIT
    await tenant.spending.refund(key=fresh("r"), spend_id=spent.spend_id, amount_minor=back, at=NOW)
    assert await tenant.spending.refund_credits(spent.spend_id, Decimal(100), "USD") == 10 * CREDIT


async def test_refund_of_money_counts_lots_at_the_rate_of_their_capture(tenant: Tenant) -> None:
    await give(tenant, 100, 800, "EUR")
    held = await tenant.spending.authorize(priced(1_000), expires_at=NOW + 2 * HOUR, at=NOW)
    assert held.spend_id is not None
    # An euro costs twice as many dollars as before.
    later = NOW + HOUR
    await set_credit_rate(tenant.books.connections[0], asset="EUR", credit_minor=CREDIT, asset_minor=4, starts_at=later)
    done = await tenant.spending.settle(key=fresh("s"), spend_id=held.spend_id, cost=cost(1_000), at=later)
    assert done.amount_minor == 50 * CREDIT
    assert await tenant.spending.refund_credits(held.spend_id, Decimal(400), "USD") == 20 * CREDIT


async def test_cost_is_not_stopped_by_lots_that_cost_nearly_nothing(tenant: Tenant) -> None:
    await give(tenant, 10**9, 1)
    await give(tenant, 100_000, 1_000_000)
    spent = await tenant.spending.charge(priced(20_001), at=NOW)
    assert (spent.outcome, spent.amount_minor) == (SpendOutcome.CHARGED, (10**9 + 2_000) * CREDIT)
    most = await tenant.spending.charge(priced(10**15), at=NOW)
    assert most.outcome is SpendOutcome.INSUFFICIENT


async def test_purchase_of_more_than_all_credits_is_refused(tenant: Tenant) -> None:
    await tenant.control(limits(day=CREDIT))
    purchases = Purchases(tenant.books.connections[0], tenant.org_id)
    new = NewPurchase(order_id=fresh("po"), number=0, asset="USD", amount_minor=10**15, spender=Spender())
    assert (await purchases.authorize(replace(new, margin=Decimal(1)), at=NOW)).outcome is SpendOutcome.REFUSED


async def test_granted_credits_that_a_client_has_captured_pay_a_part_of_the_month_and_the_rest_comes_back(
    tenant: Tenant,
) -> None:
    control = await tenant.control(limits(day=1_000 * CREDIT))
    await give(tenant, 200)
    await give(tenant, 100, 1_000)
    kept: list[tuple[int, Decimal]] = []
    for used in (60, 60, 90):
        spend = NewSpend(key=fresh("h"), action="model", amount_minor=used * CREDIT)
        held = await tenant.spending.authorize(spend, expires_at=NOW + HOUR, at=NOW)
        assert held.spend_id is not None
        await tenant.spending.settle(key=fresh("s"), spend_id=held.spend_id, at=NOW)
        asked = cost(150, granted=200)
        kept.append(await tenant.spending.keep_granted(key=fresh("k"), spend_id=held.spend_id, cost=asked, at=NOW))
    # 60 credits are worth 1.20 of a cost of 1.50: all of them, then 0.80. Of 90 nothing; what is beyond 1.50 stays.
    assert kept == [(0, Decimal(120)), (20 * CREDIT, Decimal(80)), (75 * CREDIT, Decimal(0))]
    assert await paid_for(tenant, tenant.books.connections[0]) == [(115 * CREDIT, 0)]
    counted = await tenant.counter(control, at=NOW)
    assert counted["spent"] - counted["refunded"] == 115 * CREDIT
    await tenant.books.assert_proven()


async def test_partial_capture_counts_its_credits_in_a_limit_in_credits_too(tenant: Tenant) -> None:
    in_credits = await tenant.control(limits(day=1_000 * CREDIT))
    in_money = await tenant.control(limits(day=10_000), asset="USD")
    await give(tenant, 1_000, 10_000)
    held = await tenant.spending.authorize(
        NewSpend(key=fresh("h"), action="a", amount_minor=100 * CREDIT), expires_at=NOW + HOUR, at=NOW
    )
    assert held.spend_id is not None
    await tenant.spending.settle(key=fresh("s"), spend_id=held.spend_id, amount_minor=40 * CREDIT, at=NOW)
    assert (await tenant.counter(in_credits))["spent"] == 40 * CREDIT
    assert (await tenant.counter(in_money))["spent"] == 400
