import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from domain.common import accounts
from domain.common.accounts import HOT_STRIPES
from domain.common.errors import IdempotencyConflict, InsufficientFunds, Invalid
from domain.common.money import allocate
from ledger.gateway import MAX_BATCH, Balance, NewTransfer, Posting
from ledger.stripes import use_stripes
from tests.conftest import DatabaseUrls
from tests.lanes import examples
from tests.support.books import COMMISSION, ISSUANCE, LATER, NEW_LOT, NOW, Books, fresh, open_books

pytestmark = pytest.mark.db


async def test_posting_moves_the_amount_and_counts_versions(books: Books) -> None:
    payer, payee = await books.org(100), await books.org()
    await books.ledger.post(
        key=fresh("k"), kind="test", source=payer, destination=payee, amount_minor=30, effective_at=NOW
    )
    assert await books.ledger.balance(payer) == Balance(posted_minor=70, pending_minor=0, version=2)
    assert await books.ledger.balance(payee) == Balance(posted_minor=30, pending_minor=0, version=1)


async def test_balance_of_an_unopened_account_is_zero(books: Books) -> None:
    nobody = accounts.org_credits(fresh("org"))
    assert await books.ledger.balance(nobody) == Balance(0, 0, 0)
    assert await books.ledger.balance_as_of(nobody, NOW) == 0
    assert not await books.connections[0].fetchval("SELECT count(*) FROM ledger.accounts WHERE path = $1", nobody.path)


async def test_entries_carry_balance_and_version_after_them(books: Books) -> None:
    account = await books.org(100)
    await books.issue(account, 20)
    rows = await books.connections[0].fetch(
        "SELECT e.version, e.amount, e.balance_after"
        " FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id WHERE a.path = $1 ORDER BY e.version",
        account.path,
    )
    assert [tuple(row) for row in rows] == [(1, 100, 100), (2, 20, 120)]


async def test_same_key_and_content_replays_the_first_transfer(books: Books) -> None:
    payer, payee, key = await books.org(100), await books.org(), fresh("k")

    async def post(amount_minor: int = 40, reference: str | None = "r", kind: str = "test") -> tuple[UUID, bool]:
        posted = await books.ledger.post(
            key=key,
            kind=kind,
            source=payer,
            destination=payee,
            amount_minor=amount_minor,
            reference=reference,
            effective_at=NOW,
        )
        return posted.transfer_id, posted.replayed

    first, replayed = await post()
    assert not replayed
    assert await post() == (first, True)
    for changed in ({"amount_minor": 41}, {"reference": None}, {"reference": "other"}, {"kind": "other"}):
        with pytest.raises(IdempotencyConflict):
            await post(**changed)
    assert (await books.ledger.balance(payer)).posted_minor == 60


async def test_later_retry_replays_although_its_time_differs(books: Books) -> None:
    payer, payee, key = await books.org(100), await books.org(), fresh("k")
    first, second = [
        await books.ledger.post(key=key, kind="t", source=payer, destination=payee, amount_minor=1, effective_at=at)
        for at in (NOW, LATER)
    ]
    assert (first.transfer_id, second.replayed) == (second.transfer_id, True)


async def test_floor_refuses_and_leaves_the_key_unused(books: Books) -> None:
    payer, payee, key = await books.org(10), await books.org(), fresh("k")
    arguments = {"key": key, "kind": "t", "source": payer, "destination": payee, "effective_at": NOW}
    with pytest.raises(InsufficientFunds):
        await books.ledger.post(**arguments, amount_minor=11)
    await books.issue(payer, 1)
    assert not (await books.ledger.post(**arguments, amount_minor=11)).replayed
    assert (await books.ledger.balance(payer)).posted_minor == 0


async def refused_for(books: Books, payer: accounts.Account, org_id: str | None) -> list[InsufficientFunds]:
    """Try each kind of posting for 60 while the payer has 50, 15 of them held; return the refusals."""
    await books.ledger.hold(key=fresh("h"), account=payer, amount_minor=15_000_000, expires_at=LATER, held_at=NOW)
    given: dict[str, Any] = {"kind": "t", "effective_at": NOW, "org_id": org_id}
    moved = {"source": payer, "destination": COMMISSION, "amount_minor": 60_000_000}
    halves = [30_000_000, 30_000_000]
    postings = [Posting(payer, COMMISSION, amount) for amount in halves]
    transfers = [NewTransfer(fresh("k"), payer, COMMISSION, amount) for amount in halves]
    refusals = []
    for call in (
        books.ledger.post(key=fresh("k"), **moved, **given),
        books.ledger.post_compound(key=fresh("k"), postings=postings, **given),
        books.ledger.post_batch(transfers=transfers, **given),
    ):
        with pytest.raises(InsufficientFunds) as refused:
            await call
        refusals.append(refused.value)
    return refusals


async def test_refusal_has_the_needed_and_the_available_amount(books: Books) -> None:
    payer = await books.org(50_000_000)
    refusals = await refused_for(books, payer, payer.org_id)
    with pytest.raises(InsufficientFunds) as refused:
        await books.ledger.hold(key=fresh("h"), account=payer, amount_minor=60_000_000, expires_at=LATER, held_at=NOW)
    for refusal in (*refusals, refused.value):
        assert refusal.extra == {"needed": "60.00", "available": "35.00", "currency": "CREDIT"}
        assert refusal.detail == "60.00 CREDIT are required, but only 35.00 CREDIT are available."


@pytest.mark.parametrize("org_id", [None, "org_other"])
async def test_refusal_does_not_disclose_balances_of_others(books: Books, org_id: str | None) -> None:
    payer = await books.org(50_000_000)
    for refusal in await refused_for(books, payer, org_id):
        assert refusal.extra == {}
        assert refusal.detail == "The account does not have this amount available."


@pytest.mark.parametrize("amount_minor", [0, -1, 10**30, 2**63 - 1])
async def test_impossible_amount_is_invalid(books: Books, amount_minor: int) -> None:
    payer = await books.org(10)
    with pytest.raises((Invalid, InsufficientFunds)):
        await books.ledger.post(
            key=fresh("k"),
            kind="t",
            source=ISSUANCE,
            destination=payer,
            amount_minor=amount_minor,
            effective_at=NOW,
            lots=NEW_LOT,
        )
    assert (await books.ledger.balance(payer)).posted_minor == 10


@pytest.mark.parametrize("amount_minor", [0, -1, -(2**62)])
async def test_negative_amount_between_empty_accounts_is_invalid(books: Books, amount_minor: int) -> None:
    first, second = await books.org(1), await books.org(1)
    for account in (first, second):  # open, and empty
        await books.ledger.post(
            key=fresh("k"), kind="t", source=account, destination=ISSUANCE, amount_minor=1, effective_at=NOW
        )
    for source, destination in ((first, second), (second, first), (ISSUANCE, first)):
        with pytest.raises(Invalid, match="positive amount"):
            await books.ledger.post(
                key=fresh("k"),
                kind="t",
                source=source,
                destination=destination,
                amount_minor=amount_minor,
                effective_at=NOW,
                lots=NEW_LOT,
            )
    assert (await books.ledger.balance(first), await books.ledger.balance(second)) == (Balance(0, 0, 2),) * 2


async def test_transfer_to_itself_or_to_another_asset_is_invalid(books: Books) -> None:
    payer = await books.org(10)
    for destination in (payer, accounts.org_cash(fresh("org"), "USD")):
        with pytest.raises(Invalid):
            await books.ledger.post(
                key=fresh("k"), kind="t", source=payer, destination=destination, amount_minor=1, effective_at=NOW
            )
        with pytest.raises(Invalid):
            await books.ledger.post_batch(
                kind="t", transfers=[NewTransfer(fresh("k"), payer, destination, 1)], effective_at=NOW
            )
    assert (await books.ledger.balance(payer)).posted_minor == 10


async def test_account_reopened_with_another_owner_is_invalid(books: Books) -> None:
    account = accounts.escrow(fresh("esc"), "CREDIT", "org_a")
    await books.issue(account, 5)
    row = await books.connections[0].fetchrow("SELECT path, asset FROM ledger.accounts WHERE path = $1", account.path)
    assert row is not None
    with pytest.raises(asyncpg.PostgresError, match="exists with another owner"):
        await books.connections[0].fetch(
            "SELECT ledger.open_account($1, $2, 'org_b', 'liability', 0, 1::smallint)", row["path"], row["asset"]
        )


async def test_legs_of_one_transfer_land_together_or_not_at_all(books: Books) -> None:
    escrow, payee = await books.org(100), await books.org()
    postings = [Posting(escrow, payee, 95), Posting(escrow, COMMISSION, 5)]
    before = (await books.ledger.balance(COMMISSION)).posted_minor
    key = fresh("k")
    first = await books.ledger.post_compound(key=key, kind="release", postings=postings, effective_at=NOW)
    again = await books.ledger.post_compound(key=key, kind="release", postings=postings, effective_at=NOW)
    assert (first.replayed, again.replayed, again.transfer_id) == (False, True, first.transfer_id)
    assert (await books.ledger.balance(escrow)).posted_minor == 0
    assert (await books.ledger.balance(COMMISSION)).posted_minor == before + 5
    with pytest.raises(IdempotencyConflict):
        await books.ledger.post_compound(key=key, kind="release", postings=postings[::-1], effective_at=NOW)
    await books.issue(escrow, 99)
    with pytest.raises(InsufficientFunds):
        await books.ledger.post_compound(key=fresh("k"), kind="release", postings=postings, effective_at=NOW)
    assert (await books.ledger.balance(payee)).posted_minor == 95
    with pytest.raises(Invalid):
        await books.ledger.post_compound(key=fresh("k"), kind="release", postings=[], effective_at=NOW)


async def test_single_leg_and_single_posting_are_the_same_request(books: Books) -> None:
    payer, payee, key = await books.org(10), await books.org(), fresh("k")
    single = await books.ledger.post(
        key=key, kind="t", source=payer, destination=payee, amount_minor=4, effective_at=NOW
    )
    postings = await books.ledger.post_compound(
        key=key, kind="t", postings=[Posting(payer, payee, 4)], effective_at=NOW
    )
    [batch] = await books.ledger.post_batch(kind="t", transfers=[NewTransfer(key, payer, payee, 4)], effective_at=NOW)
    assert postings == batch
    assert (postings.transfer_id, postings.replayed) == (single.transfer_id, True)


MOVES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 40)), min_size=1, max_size=25)


@given(moves=MOVES)
@settings(
    max_examples=examples(40),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_batch_equals_posting_one_by_one(books: Books, moves: list[tuple[int, int, int]]) -> None:
    """Same balances, same versions, same running balances; and refused exactly when one of the parts would be."""
    moves = [(source, destination, amount) for source, destination, amount in moves if source != destination]
    worlds = []
    for _ in range(2):
        worlds.append([await books.org(60), await books.org(10), await books.org(), COMMISSION])
    singles, batched = worlds
    refused = False
    connection = books.connections[0]
    transaction = connection.transaction()
    await transaction.start()
    try:
        for source, destination, amount in moves:
            await books.ledger.post(
                key=fresh("k"),
                kind="t",
                source=singles[source],
                destination=singles[destination],
                amount_minor=amount,
                effective_at=NOW,
                lots=NEW_LOT,
            )
    except InsufficientFunds:
        refused = True
        await transaction.rollback()
    else:
        await transaction.commit()
    transfers = [NewTransfer(fresh("k"), batched[s], batched[d], amount, lots=NEW_LOT) for s, d, amount in moves]
    if refused:
        with pytest.raises(InsufficientFunds):
            await books.ledger.post_batch(kind="t", transfers=transfers, effective_at=NOW)
    else:
        await books.ledger.post_batch(kind="t", transfers=transfers, effective_at=NOW)
    assert await _history(connection, singles[:3]) == await _history(connection, batched[:3])


async def _history(connection: asyncpg.Connection, of: list[accounts.Account]) -> list[list[tuple[int, ...]]]:
    histories = []
    for account in of:
        rows = await connection.fetch(
            "SELECT e.version, e.amount, e.balance_after, b.posted, b.version AS last FROM ledger.accounts a"
            " JOIN ledger.balances b ON b.account_id = a.id JOIN ledger.entries e ON e.account_id = a.id"
            " WHERE a.path = $1 ORDER BY e.version",
            account.path,
        )
        histories.append([tuple(row) for row in rows])
    return histories


async def test_batch_replays_known_keys_and_posts_the_rest(books: Books) -> None:
    payer, payee = await books.org(100), await books.org()
    keys = [fresh("k") for _ in range(3)]
    known = await books.ledger.post(
        key=keys[1], kind="t", source=payer, destination=payee, amount_minor=2, effective_at=NOW
    )
    transfers = [NewTransfer(key, payer, payee, amount) for key, amount in zip(keys, (1, 2, 3), strict=True)]
    result = await books.ledger.post_batch(kind="t", transfers=[*transfers, transfers[0]], effective_at=NOW)
    assert [posted.replayed for posted in result] == [False, True, False, True]
    assert result[1].transfer_id == known.transfer_id
    assert result[3].transfer_id == result[0].transfer_id
    assert (await books.ledger.balance(payee)).posted_minor == 6
    with pytest.raises(IdempotencyConflict):
        await books.ledger.post_batch(
            kind="t",
            transfers=[NewTransfer(fresh("k"), payer, payee, 1), NewTransfer(keys[0], payer, payee, 9)],
            effective_at=NOW,
        )
    assert (await books.ledger.balance(payee)).posted_minor == 6
    assert await books.ledger.post_batch(kind="t", transfers=[], effective_at=NOW) == []
    with pytest.raises(Invalid):
        await books.ledger.post_batch(kind="t", transfers=transfers * MAX_BATCH, effective_at=NOW)


async def test_overlapping_batches_at_once_lose_nothing(books: Books) -> None:
    orgs = [await books.org(1000) for _ in range(4)]
    transfers = [NewTransfer(fresh("k"), orgs[n % 4], orgs[(n + 1 + n // 4 % 3) % 4], 1 + n % 7) for n in range(60)]

    def batch(number: int):
        own = [p for i, p in enumerate(transfers) if i % 4 != number % 4]
        return lambda ledger: ledger.post_batch(kind="t", transfers=own if number % 2 else own[::-1], effective_at=NOW)

    results = await books.at_once(*(batch(number) for number in range(8)))
    assert not [result for result in results if isinstance(result, Exception)]
    fresh_ids = [posted.transfer_id for result in results for posted in result if not posted.replayed]
    assert len(fresh_ids) == len(set(fresh_ids)) == len(transfers)
    for org in orgs:
        moved = sum(p.amount_minor * ((p.destination == org) - (p.source == org)) for p in transfers)
        assert (await books.ledger.balance(org)).posted_minor == 1000 + moved
    await books.assert_proven()


async def test_balance_as_of_follows_business_time_and_takes_late_records(books: Books) -> None:
    payer, payee = await books.org(100), await books.org()
    for days, amount in ((10, 5), (30, 7), (20, 11)):
        await books.ledger.post(
            key=fresh("k"),
            kind="t",
            source=payer,
            destination=payee,
            amount_minor=amount,
            effective_at=NOW + timedelta(days=days),
        )
    found = [await books.ledger.balance_as_of(payee, NOW + timedelta(days=days)) for days in (9, 10, 20, 29, 30)]
    assert found == [0, 5, 16, 16, 23]
    assert await books.ledger.balance_as_of(payer, NOW + timedelta(days=-1)) == 0


async def test_striped_account_adds_up_over_its_stripes(books: Books) -> None:
    hot = accounts.platform("revenue/" + fresh("x"), "CREDIT")
    payers = [await books.org(100) for _ in range(8)]

    def pay(payer: accounts.Account):
        return lambda ledger: ledger.post(
            key=fresh("k"), kind="t", source=payer, destination=hot, amount_minor=10, effective_at=NOW
        )

    await books.at_once(*(pay(payer) for payer in payers * 5))
    assert await books.ledger.balance(hot) == Balance(posted_minor=400, pending_minor=0, version=40)
    assert await books.ledger.balance_as_of(hot, NOW) == 400
    used = await books.connections[0].fetchval(
        "SELECT count(*) FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id"
        " WHERE a.path = $1 AND b.version > 0",
        hot.path,
    )
    assert used > 1
    await books.assert_proven()


async def test_stripes_in_use_can_be_changed_and_the_balance_stays(fresh_database_urls: DatabaseUrls) -> None:
    owner, posted = await asyncpg.connect(fresh_database_urls.owner), Counter[int]()
    for number in (HOT_STRIPES, 1):
        await use_stripes(owner, number)
        async with open_books(fresh_database_urls.platform, clients=24) as books:
            for client, connection in zip(books.clients, books.connections, strict=True):
                await client.post(
                    key=fresh("k"),
                    kind="t",
                    source=ISSUANCE,
                    destination=COMMISSION,
                    amount_minor=10,
                    effective_at=NOW,
                    lots=NEW_LOT,
                )
                posted[connection.get_server_pid() % number] += 10
            assert (await books.ledger.balance(COMMISSION)).posted_minor == posted.total()
            await books.assert_proven()
        rows = await owner.fetch(
            "SELECT b.stripe, b.posted FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id"
            " WHERE a.path = $1 AND b.version > 0",
            COMMISSION.path,
        )
        assert dict(rows) == posted
    for number in (0, HOT_STRIPES + 1):
        with pytest.raises(Invalid, match="1 to 64"):
            await use_stripes(owner, number)
    await owner.close()


async def test_account_opened_by_all_clients_at_once_is_one_account(books: Books) -> None:
    for _ in range(10):
        account = accounts.org_credits(fresh("org"))

        def post(_number: int, account: accounts.Account = account):
            return lambda ledger: ledger.post(
                key=fresh("k"),
                kind="t",
                source=ISSUANCE,
                destination=account,
                amount_minor=1,
                effective_at=NOW,
                lots=NEW_LOT,
            )

        results = await books.at_once(*(post(number) for number in range(8)))
        assert not [result for result in results if isinstance(result, Exception)]
        assert await books.ledger.balance(account) == Balance(posted_minor=8, pending_minor=0, version=8)


@given(total=st.integers(1, 10**12), weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=6).filter(any))
@settings(max_examples=examples(25), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
async def test_split_by_largest_remainder_empties_the_source(books: Books, total: int, weights: list[int]) -> None:
    source = await books.org(total)
    parts = [(await books.org(), part) for part in allocate(total, weights) if part]
    await books.ledger.post_compound(
        key=fresh("k"), kind="split", postings=[Posting(source, payee, part) for payee, part in parts], effective_at=NOW
    )
    assert (await books.ledger.balance(source)).posted_minor == 0
    assert sum([(await books.ledger.balance(payee)).posted_minor for payee, _ in parts]) == total


async def test_opposite_transfers_at_once_never_deadlock(books: Books) -> None:
    left, right = await books.org(10_000), await books.org(10_000)

    def move(number: int):
        source, destination = (left, right) if number % 2 else (right, left)
        if number % 3:
            return lambda ledger: ledger.post(
                key=fresh("k"),
                kind="t",
                source=source,
                destination=destination,
                amount_minor=1,
                effective_at=NOW,
                lots=NEW_LOT,
            )
        return lambda ledger: ledger.post_compound(
            key=fresh("k"),
            kind="t",
            postings=[Posting(source, destination, 1), Posting(destination, source, 1)],
            effective_at=NOW,
        )

    results = await asyncio.wait_for(books.at_once(*(move(number) for number in range(200))), 60)
    assert not [result for result in results if isinstance(result, Exception)]
    balances = [await books.ledger.balance(account) for account in (left, right)]
    assert sum(balance.posted_minor for balance in balances) == 20_000
