"""Lots follow credits: which are spent first, what they cost, when they end and how they come back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from domain.common.accounts import (
    Account,
    agent_earnings,
    agent_granted_earnings,
    escrow,
    org_credits,
    org_debt,
    payment,
    platform,
    provider_clearing,
)
from domain.common.errors import Conflict, InsufficientFunds, Invalid
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import NewTransfer, PlacedHold, PostedTransfer, Posting
from tests.support.books import COMMISSION, ISSUANCE, LATER, NOW, Books, fresh, recognise
from tests.support.connections import undone

pytestmark = pytest.mark.db

REDEMPTION = platform("credit_redemption", "CREDIT")
DAY = timedelta(days=1)
PROMOTION = LotSource.PROMOTION


class Wallet:
    """An organization's credits, with its other accounts."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.org = fresh("org")
        self.account = org_credits(self.org)
        self.escrow = escrow(fresh("esc"), "CREDIT", self.org)

    async def get(self, amount: int, *, days: int | None = None, at=NOW, **terms) -> PostedTransfer:
        terms = {"source": PROMOTION, "expires_at": None if days is None else NOW + days * DAY} | terms
        if terms.get("paid_minor"):
            terms |= {"source": LotSource.PURCHASE, "paid_asset": "USD"}
            await self.books.pay(terms["paid_minor"])
        return await self.move(ISSUANCE, self.account, amount, at=at, lots=LotTerms(**terms))

    async def move(self, source: Account, destination: Account, amount: int, *, at=NOW, lots=None) -> PostedTransfer:
        return await self.books.ledger.post(
            key=fresh("k"),
            kind="t",
            source=source,
            destination=destination,
            amount_minor=amount,
            effective_at=at,
            lots=lots,
        )

    async def spend(self, amount: int, *, at=NOW) -> PostedTransfer:
        return await self.move(self.account, REDEMPTION, amount, at=at)

    async def lots(self, account: Account | None = None) -> list[tuple[int, int, int | None]]:
        """What is left, what is left of the cost, and the days after NOW at which it ends, in the order of spending."""
        rows = await self.books.connections[0].fetch(
            "SELECT l.remaining, l.paid - l.costed, extract(day FROM l.expires_at - $3)::integer FROM ledger.lots l"
            " JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = $1 AND a.asset = $2 AND l.is_open"
            " ORDER BY l.priority, l.expires_at, l.paid > 0, l.id",
            (account or self.account).path,
            "CREDIT",
            NOW,
        )
        return [tuple(row) for row in rows]

    async def uses(self, posted: PostedTransfer) -> list[Mapping[str, object]]:
        rows = await self.books.connections[0].fetch(
            "SELECT amount, cost, outcome, returned, passed FROM ledger.lot_uses WHERE transfer_id = $1 ORDER BY leg",
            posted.transfer_id,
        )
        return [dict(row) for row in rows]


@pytest.fixture
async def wallet(books: Books):
    made = Wallet(books)
    yield made
    await books.assert_proven()


async def test_lots_are_spent_by_priority_then_expiry_then_unpaid_first(wallet: Wallet) -> None:
    await wallet.get(10, paid_minor=100)
    await wallet.get(11)
    await wallet.get(12, days=9)
    await wallet.get(13, days=2)
    await wallet.get(14, priority=-1)
    assert await wallet.lots() == [(14, 0, None), (13, 0, 2), (12, 0, 9), (11, 0, None), (10, 100, None)]
    await wallet.spend(14 + 13 + 12 + 11 + 1)
    assert await wallet.lots() == [(9, 90, None)]


async def test_costs_of_the_parts_add_up_to_what_was_paid(wallet: Wallet) -> None:
    await wallet.get(7, paid_minor=100)
    costs = [(await wallet.uses(await wallet.spend(part)))[0]["cost"] for part in (1, 1, 2, 3)]
    assert costs == [14, 14, 29, 43]
    assert sum(costs) == 100


async def test_credits_that_arrive_without_terms_are_refused(wallet: Wallet) -> None:
    for terms in (None, LotTerms(), LotTerms(first="pay_1")):
        with pytest.raises(Invalid, match="terms of their lot"):
            await wallet.move(ISSUANCE, wallet.account, 5, lots=terms)
    with pytest.raises(Invalid, match="terms of their lot"):
        await wallet.books.ledger.post_compound(
            key=fresh("k"),
            kind="t",
            postings=[
                Posting(ISSUANCE, wallet.account, 5, LotTerms(source=PROMOTION)),
                Posting(ISSUANCE, wallet.account, 5),
            ],
            effective_at=NOW,
        )
    with pytest.raises(Invalid, match="terms of their lot"):
        await wallet.books.ledger.post_batch(
            kind="t", transfers=[NewTransfer(fresh("k"), ISSUANCE, wallet.account, 5)], effective_at=NOW
        )
    assert await wallet.lots() == []


async def test_what_is_due_is_not_spent_whatever_the_balance_says(wallet: Wallet) -> None:
    await wallet.get(10, days=1)
    await wallet.get(5)
    with pytest.raises(InsufficientFunds):
        await wallet.spend(6, at=NOW + DAY)
    assert await wallet.books.ledger.available([wallet.account], NOW + DAY) == [5]
    await wallet.spend(11, at=NOW + DAY - timedelta(microseconds=1))
    assert await wallet.lots() == [(4, 0, None)]


async def test_sweep_books_the_expiry_once(wallet: Wallet) -> None:
    ledger, breakage = wallet.books.ledger, platform("breakage", "CREDIT")
    await wallet.get(10, paid_minor=33, expires_at=LATER)
    await wallet.get(5, days=2)
    await wallet.spend(4)
    before = (await ledger.balance(breakage)).posted_minor
    swept = await wallet.books.at_once(*(lambda ledger: ledger.expire_lots(now=LATER) for _ in range(4)))
    assert sum(swept) == 1
    assert await wallet.lots() == [(5, 0, 2)]
    assert (await ledger.balance(breakage)).posted_minor == before + 6
    assert (await ledger.balance(wallet.account)).posted_minor == 5
    assert await ledger.expire_lots(now=LATER) == 0


async def test_hold_pins_its_lots_beyond_their_expiry(wallet: Wallet) -> None:
    ledger = wallet.books.ledger
    await wallet.get(10, days=1, paid_minor=20)
    await wallet.get(10)
    held = await ledger.hold(
        key=fresh("h"), account=wallet.account, amount_minor=8, expires_at=NOW + 3 * DAY, held_at=NOW
    )
    await wallet.spend(5)
    assert await wallet.lots() == [(8, 16, 1), (7, 0, None)]
    await ledger.expire_lots(now=NOW + 2 * DAY)
    assert await wallet.lots() == [(8, 16, 1), (7, 0, None)]
    await ledger.capture(
        key=fresh("c"), hold_id=held.hold_id, amount_minor=6, destination=REDEMPTION, effective_at=NOW + 2 * DAY
    )
    # What is released into a lot that is due ends at once.
    assert await wallet.books.ledger.available([wallet.account], NOW + 2 * DAY) == [7]
    await ledger.expire_lots(now=NOW + 2 * DAY)
    assert await wallet.lots() == [(7, 0, None)]


async def test_hold_is_refused_where_only_due_lots_are_left(wallet: Wallet) -> None:
    await wallet.get(10, days=1)
    with pytest.raises(InsufficientFunds):
        await wallet.books.ledger.hold(
            key=fresh("h"), account=wallet.account, amount_minor=1, expires_at=NOW + 9 * DAY, held_at=NOW + DAY
        )


@pytest.mark.parametrize("end", ["void", "expire"])
async def test_ended_hold_gives_its_lots_back(wallet: Wallet, end: str) -> None:
    ledger = wallet.books.ledger
    await wallet.get(3, days=1)
    await wallet.get(10)
    held = await ledger.hold(key=fresh("h"), account=wallet.account, amount_minor=8, expires_at=LATER, held_at=NOW)
    with pytest.raises(InsufficientFunds):
        await wallet.spend(6)
    if end == "void":
        await ledger.void(key=fresh("v"), hold_id=held.hold_id, effective_at=NOW)
    else:
        assert await ledger.expire_holds(now=LATER) >= 1
        with pytest.raises(Conflict):
            await ledger.capture(
                key=fresh("c"), hold_id=held.hold_id, amount_minor=1, destination=REDEMPTION, effective_at=LATER
            )
    await wallet.spend(4)
    assert await wallet.lots() == [(9, 0, None)]


async def test_pitfall_39_what_comes_back_from_an_escrow_keeps_its_expiry_and_cost(wallet: Wallet) -> None:
    await wallet.get(10, days=3)
    await wallet.get(10, paid_minor=101)
    await wallet.move(wallet.account, wallet.escrow, 15)
    assert await wallet.lots(wallet.escrow) == [(10, 0, 3), (5, 50, None)]
    for _ in range(3):
        await wallet.move(wallet.escrow, wallet.account, 12, at=NOW + DAY)
        assert await wallet.lots() == [(10, 0, 3), (7, 71, None)]
        await wallet.move(wallet.account, wallet.escrow, 12, at=NOW + DAY)
    # What comes back after its time ends at once.
    await wallet.move(wallet.escrow, wallet.account, 15, at=NOW + 3 * DAY)
    assert await wallet.books.ledger.available([wallet.account], NOW + 3 * DAY) == [10]
    with pytest.raises(InsufficientFunds):
        await wallet.spend(11, at=NOW + 3 * DAY)
    await wallet.books.ledger.expire_lots(now=NOW + 3 * DAY)
    assert await wallet.lots() == [(10, 101, None)]


async def test_pitfall_39_refund_of_expired_credits_gives_them_no_new_life(wallet: Wallet) -> None:
    await wallet.get(10, days=1)
    spent = await wallet.spend(10)
    await wallet.move(REDEMPTION, wallet.account, 10, at=NOW + 2 * DAY, lots=LotTerms(returns=spent.transfer_id))
    assert await wallet.books.ledger.available([wallet.account], NOW + 2 * DAY) == [0]
    await wallet.books.ledger.expire_lots(now=NOW + 2 * DAY)
    assert await wallet.lots() == []


async def test_escrow_pays_with_lots_that_are_due_meanwhile(wallet: Wallet) -> None:
    await wallet.get(10, days=1)
    await wallet.move(wallet.account, wallet.escrow, 10)
    earnings = agent_earnings(fresh("agt"), "CREDIT", fresh("org"))
    await wallet.books.ledger.expire_lots(now=NOW + 2 * DAY)
    await wallet.move(wallet.escrow, earnings, 10, at=NOW + 2 * DAY)
    assert await wallet.lots(earnings) == [(10, 0, 1)]


async def test_refund_by_the_payee_renews_what_would_end_sooner(wallet: Wallet) -> None:
    await wallet.get(4, days=2)
    await wallet.get(6, days=30)
    await wallet.get(5)
    await wallet.move(wallet.account, wallet.escrow, 15)
    await wallet.move(wallet.escrow, wallet.account, 15, at=NOW + 28 * DAY, lots=LotTerms(renew_days=7))
    # Two days were all that the first one ever had; the second one gets its seven.
    assert await wallet.lots() == [(4, 0, 30), (6, 0, 35), (5, 0, None)]


async def test_pitfall_39_all_extensions_together_are_no_longer_than_the_first_term(wallet: Wallet) -> None:
    """Passed to and fro every two days, ten days become twenty at most, and not one more by a lot that was split."""
    renewing = LotTerms(renew_days=7)
    await wallet.get(9, days=10)
    ends = []
    for day in range(8, 30, 2):
        at = NOW + day * DAY
        there = sum(left for left, _, end in await wallet.lots() if end is not None and end > day)
        if not there:
            break
        # One part goes through an escrow, another one is used and refunded, and the rest stays.
        await wallet.move(wallet.account, wallet.escrow, there // 3, at=at)
        used = await wallet.spend(there // 3, at=at)
        await wallet.move(wallet.escrow, wallet.account, there // 3, at=at, lots=renewing)
        back = replace(renewing, returns=used.transfer_id)
        await wallet.move(REDEMPTION, wallet.account, there // 3, at=at, lots=back)
        ends.append(max(end for _, _, end in await wallet.lots() if end is not None))
    assert ends == [15, 17, 19, 20, 20, 20]
    assert (await wallet.books.ledger.available([wallet.account], NOW + 20 * DAY)) == [0]


@pytest.mark.parametrize(("day", "end"), [(1, 10), (5, 12), (15, 22)])
async def test_refund_that_the_platform_causes_renews_what_would_end_sooner(wallet: Wallet, day: int, end: int) -> None:
    await wallet.get(6, days=10)
    first, second = await wallet.spend(2), await wallet.spend(3)
    for spent in (first, second):
        terms = LotTerms(returns=spent.transfer_id, renew_days=7)
        await wallet.move(REDEMPTION, wallet.account, 2, at=NOW + day * DAY, lots=terms)
    await wallet.books.ledger.expire_lots(now=NOW + day * DAY)
    if day == 1:
        assert await wallet.lots() == [(5, 0, 10)]
    else:
        assert await wallet.lots() == [(1, 0, 10)] * (day < 10) + [(2, 0, end)] * 2
    # What came back in another lot is no longer there to come back.
    with pytest.raises(Invalid, match="so many can come back"):
        await wallet.move(REDEMPTION, wallet.account, 2, lots=LotTerms(returns=second.transfer_id))


async def test_pitfall_39_earnings_and_refunds_share_one_bound(wallet: Wallet) -> None:
    """Two organizations of one owner pay each other: five days become ten, and what is left then stays where it is."""
    other, terms = Wallet(wallet.books), LotTerms(source=LotSource.EARNINGS, lasting=True, renew_days=4)
    pairs = [
        (payer, agent_granted_earnings(fresh("agt"), payee.org), payee)
        for payer, payee in ((wallet, other), (other, wallet))
    ]
    await wallet.get(6, days=5)
    ends = []
    for day, (payer, earned, payee) in zip((4, 6, 8, 9), pairs * 2, strict=True):
        at = NOW + day * DAY
        await payer.move(payer.account, payer.escrow, 6, at=at)
        if day == 8:
            await payer.move(payer.escrow, payer.account, 6, at=at, lots=LotTerms(renew_days=4))
            await payer.move(payer.account, payer.escrow, 6, at=at)
        await payer.move(payer.escrow, earned, 6, at=at)
        await payer.move(earned, payee.account, 6, at=at, lots=terms)
        ends += await payee.lots()
    assert ends == [(6, 0, 8), (6, 0, 10), (6, 0, 10), (6, 0, 10)]
    payer, earned, payee = pairs[0]
    await payer.move(payer.account, payer.escrow, 6, at=NOW + 9 * DAY)
    await payer.move(payer.escrow, earned, 6, at=NOW + 12 * DAY)
    with pytest.raises(InsufficientFunds):
        await payer.move(earned, payee.account, 6, at=NOW + 12 * DAY, lots=terms)
    assert await payer.lots(earned) == [(6, 0, 10)]


async def test_cost_comes_back_with_what_is_renewed(wallet: Wallet) -> None:
    await wallet.get(6, days=10, paid_minor=100)
    spent = await wallet.spend(3)
    for part in (1, 2):
        terms = LotTerms(returns=spent.transfer_id, renew_days=7)
        await wallet.move(REDEMPTION, wallet.account, part, at=NOW + 8 * DAY, lots=terms)
    assert await wallet.lots() == [(3, 50, 10), (1, 16, 15), (2, 34, 15)]
    await recognise(wallet.books.connections[0], 10)


async def test_part_that_is_returned_is_what_was_spent_last(wallet: Wallet) -> None:
    await wallet.get(4, days=2)
    await wallet.get(6, paid_minor=60)
    spent = await wallet.spend(10)
    for part in (3, 4):
        await wallet.move(REDEMPTION, wallet.account, part, lots=LotTerms(returns=spent.transfer_id))
    assert await wallet.lots() == [(1, 0, 2), (6, 60, None)]
    with pytest.raises(Invalid, match="so many can come back"):
        await wallet.move(REDEMPTION, wallet.account, 4, lots=LotTerms(returns=spent.transfer_id))


async def test_credits_that_pay_an_escrow_through_clearing_keep_their_lots(wallet: Wallet) -> None:
    clearing, waiting = provider_clearing("credits", "CREDIT"), payment(fresh("pay"), "CREDIT", wallet.org)
    await wallet.get(4, days=2)
    await wallet.get(6, paid_minor=60)
    paid = await wallet.move(wallet.account, clearing, 10)
    await wallet.move(clearing, waiting, 10, lots=LotTerms(returns=paid.transfer_id))
    assert await wallet.lots(waiting) == [(4, 0, 2), (6, 60, None)]
    await wallet.move(waiting, wallet.escrow, 10)
    assert await wallet.lots(wallet.escrow) == [(4, 0, 2), (6, 60, None)]
    # The same credits are never passed on twice.
    with pytest.raises(Invalid):
        await wallet.move(clearing, waiting, 1, lots=LotTerms(returns=paid.transfer_id))
    await wallet.move(wallet.escrow, wallet.account, 10)
    assert await wallet.lots() == [(4, 0, 2), (6, 60, None)]


async def test_lot_that_pays_debt_first_opens_with_the_rest_at_its_part_of_the_cost(wallet: Wallet) -> None:
    own, debt = payment(fresh("pay"), "CREDIT", wallet.org), org_debt(wallet.org, "CREDIT")
    await wallet.move(debt, ISSUANCE, 30)
    await wallet.books.pay(999)
    bought = LotTerms(source=LotSource.PURCHASE, paid_minor=999, paid_asset="USD", payment_id="pay_1")
    await wallet.books.ledger.post_compound(
        key=fresh("k"),
        kind="t",
        postings=[Posting(ISSUANCE, own, 100, bought), Posting(own, debt, 30), Posting(own, wallet.account, 70)],
        effective_at=NOW,
    )
    assert await wallet.lots() == [(70, 700, None)]
    assert await wallet.lots(own) == []


async def test_clawback_takes_the_payments_own_free_lots_first_and_leaves_pinned_ones(wallet: Wallet) -> None:
    own = payment("pay_x", "CREDIT", wallet.org)
    await wallet.get(10, days=1)
    await wallet.get(10, paid_minor=100, payment_id="pay_x")
    await wallet.books.ledger.hold(
        key=fresh("h"), account=wallet.account, amount_minor=14, expires_at=LATER, held_at=NOW
    )
    await wallet.get(10, days=2)
    await wallet.move(wallet.account, own, 8, lots=LotTerms(first="pay_x"))
    assert await wallet.lots(own) == [(2, 0, 2), (6, 60, None)]
    assert await wallet.lots() == [(10, 0, 1), (8, 0, 2), (4, 40, None)]


FETCHED = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'ledger.lots'::regclass"
TAKE = """
SELECT ledger.move_lots(uuidv7(), 1, a.id, true, NULL, false, $2, $3, $4) FROM ledger.accounts a WHERE a.path = $1
"""
LEFT = "SELECT sum(remaining) FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = $1"
#: What is taken of many lots that do not end soon, and of how many lots.
TAKEN: dict[str, tuple[dict[str, object], int]] = {
    "a payment's own": ({"first": "pay_y"}, 8),
    "a payment's own and others": ({"first": "pay_y"}, 22),
    "only what is granted": ({"only": "granted"}, 8),
    "what will last": ({"lasting": True, "renew_days": 1}, 8),
    "what is due": ({"outcome": "expired"}, 10),
}


@pytest.mark.parametrize("case", TAKEN)
async def test_no_more_lots_are_read_than_are_taken(books: Books, owner: asyncpg.Connection, case: str) -> None:
    wallet, ends = Wallet(books), NOW + 30 * DAY
    many = [
        NewTransfer(fresh("k"), ISSUANCE, wallet.account, 10, lots=LotTerms(source=PROMOTION, expires_at=ends))
        for _ in range(2_000)
    ]
    await books.ledger.post_batch(kind="t", transfers=many, effective_at=NOW)
    await wallet.get(10, paid_minor=100, payment_id="pay_y")
    await wallet.get(10, days=2)
    await owner.execute("ANALYZE ledger.lots")
    terms, amount = TAKEN[case]
    async with undone(owner):
        before = await owner.fetchval(FETCHED)
        await owner.execute(TAKE, wallet.account.path, amount, NOW + 2 * DAY, json.dumps(terms))
        assert await owner.fetchval(FETCHED) - before < 50
        assert await owner.fetchval(LEFT, wallet.account.path) == 2_002 * 10 - amount


async def test_same_key_moves_no_lot_twice(wallet: Wallet) -> None:
    await wallet.get(10)
    key = fresh("k")
    first, second = [
        await wallet.books.ledger.post(
            key=key, kind="t", source=wallet.account, destination=COMMISSION, amount_minor=4, effective_at=NOW
        )
        for _ in range(2)
    ]
    assert (first.transfer_id, second.replayed) == (second.transfer_id, True)
    assert await wallet.lots() == [(6, 0, None)]


async def test_hold_that_follows_another_keeps_its_lots(wallet: Wallet) -> None:
    connection, ledger = wallet.books.connections[0], wallet.books.ledger
    await wallet.get(10, days=5, paid_minor=50)
    await wallet.get(10)
    held = await ledger.hold(key=fresh("h"), account=wallet.account, amount_minor=8, expires_at=LATER, held_at=NOW)
    await wallet.get(10, days=1)
    await ledger.capture(key=fresh("c"), hold_id=held.hold_id, amount_minor=3, destination=REDEMPTION, effective_at=NOW)
    account = await connection.fetchval("SELECT id FROM ledger.accounts WHERE path = $1", wallet.account.path)
    successor = await connection.fetchval(
        "SELECT (ledger.hold($1, $2, 5, $3, NULL, $4, NULL, $5)).hold_id",
        fresh("h"),
        account,
        LATER,
        NOW,
        f'{{"pins_of": "{held.hold_id}"}}',
    )
    pinned = await connection.fetch(
        "SELECT h.amount, l.paid FROM ledger.hold_lots h JOIN ledger.lots l ON l.id = h.lot_id WHERE h.hold_id = $1",
        successor,
    )
    assert [tuple(row) for row in pinned] == [(5, 50)]


async def test_hold_of_named_lots_pins_them_alone_due_or_not_and_refuses_what_is_not_free(wallet: Wallet) -> None:
    ledger = wallet.books.ledger
    await wallet.get(10, days=1, paid_minor=20)
    await wallet.get(10, days=3)
    ids = [
        row["id"]
        for row in await wallet.books.connections[0].fetch(
            "SELECT l.id FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = $1"
            " ORDER BY l.id",
            wallet.account.path,
        )
    ]

    async def hold(lot: int, amount: int, account: Account = wallet.account) -> PlacedHold:
        terms = LotTerms(slices=((ids[lot], amount),))
        at = NOW + 2 * DAY
        return await ledger.hold(
            key=fresh("h"), account=account, amount_minor=amount, expires_at=NOW + 9 * DAY, held_at=at, lots=terms
        )

    held = await hold(0, 8)
    with pytest.raises(InsufficientFunds):
        await hold(0, 3)
    other = Wallet(wallet.books)
    await other.get(10)
    with pytest.raises(InsufficientFunds):
        await hold(1, 3, other.account)
    await ledger.expire_lots(now=NOW + 2 * DAY)
    assert await wallet.lots() == [(8, 16, 1), (10, 0, 3)]
    await wallet.spend(10, at=NOW + 2 * DAY)
    await ledger.void(key=fresh("v"), hold_id=held.hold_id, effective_at=NOW + 2 * DAY)
    assert await ledger.available([wallet.account], NOW + 2 * DAY) == [0]
