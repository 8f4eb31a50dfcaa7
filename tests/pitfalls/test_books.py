"""The bugs that other billing systems shipped, where they concern the books: 1, 3 to 7, 18 and 19.

The HTTP side of 1, 8 and 17 and the escrow side of 24 have their tests beside the API and the workflow.
"""

import asyncio
import itertools
import random
from datetime import timedelta

import asyncpg
import pytest

from domain.common.accounts import Account, platform
from domain.common.errors import Conflict, DomainError, InsufficientFunds, Unavailable
from ledger.gateway import Ledger, NewTransfer, PlacedHold, PostedTransfer, Posting
from tests.conftest import DatabaseUrls
from tests.support.books import COMMISSION, ISSUANCE, LATER, NEW_LOT, NOW, Books, fresh, open_books

pytestmark = pytest.mark.db


def post(source: Account, destination: Account, amount_minor: int, key: str):
    return lambda ledger: ledger.post(
        key=key,
        kind="t",
        source=source,
        destination=destination,
        amount_minor=amount_minor,
        effective_at=NOW,
        lots=NEW_LOT,
    )


def hold(account: Account, amount_minor: int, **changes):
    given = {"key": fresh("h"), "expires_at": LATER, "held_at": NOW} | changes
    return lambda ledger: ledger.hold(account=account, amount_minor=amount_minor, **given)


def capture(held: PlacedHold, amount_minor: int, destination: Account = COMMISSION, at=NOW, key: str | None = None):
    name = key or fresh("c")
    return lambda ledger: ledger.capture(
        key=name, hold_id=held.hold_id, amount_minor=amount_minor, destination=destination, effective_at=at
    )


def void(held: PlacedHold, at=NOW, key: str | None = None):
    name = key or fresh("v")
    return lambda ledger: ledger.void(key=name, hold_id=held.hold_id, effective_at=at)


def refusals(results: list[object]) -> list[DomainError]:
    return [result for result in results if isinstance(result, DomainError)]


async def test_pitfall_01_same_top_up_twice_in_a_row_or_at_once_credits_once(books: Books) -> None:
    account, key = await books.org(), fresh("topup")
    results = await books.at_once(*(post(ISSUANCE, account, 500, key) for _ in range(24)))
    assert not refusals(results)
    assert len({result.transfer_id for result in results}) == 1
    assert [result.replayed for result in results].count(False) == 1
    again = await post(ISSUANCE, account, 500, key)(books.ledger)
    assert again == PostedTransfer(results[0].transfer_id, True)
    assert (await books.ledger.balance(account)).posted_minor == 500


async def test_pitfall_03_concurrent_holds_never_pass_available(books: Books) -> None:
    for amount, fitting in ((30, 3), (100, 1), (7, 14)):
        account = await books.org(100)
        results = await books.at_once(*(hold(account, amount) for _ in range(24)))
        assert len([result for result in results if isinstance(result, PlacedHold)]) == fitting
        assert all(isinstance(refusal, InsufficientFunds) for refusal in refusals(results))
        assert (await books.ledger.balance(account)).pending_minor == fitting * amount


async def test_pitfall_03_holds_and_charges_at_once_never_pass_available(books: Books) -> None:
    account = await books.org(100)
    calls = [hold(account, 9) if n % 2 else post(account, COMMISSION, 9, fresh("k")) for n in range(40)]
    results = await books.at_once(*calls)
    assert len(results) - len(refusals(results)) == 11
    assert (await books.ledger.balance(account)).available_minor == 1


@pytest.mark.parametrize("striped", [False, True])
async def test_pitfall_04_every_posting_to_a_busy_account_is_there(books: Books, striped: bool) -> None:
    busy = COMMISSION if striped else await books.org(1)
    before = await books.ledger.balance(busy)
    sources = [await books.org(1000) for _ in range(4)]
    results = await books.at_once(*(post(sources[n % 4], busy, 1 + n, fresh("k")) for n in range(80)))
    assert not refusals(results)
    after = await books.ledger.balance(busy)
    assert after.posted_minor - before.posted_minor == sum(range(1, 81))
    assert after.version - before.version == 80
    await books.assert_proven()


async def test_pitfall_05_commit_and_cancel_of_a_hold_exactly_one_wins(books: Books) -> None:
    account, payee = await books.org(10_000), await books.org()
    captured = 0
    for number in range(30):
        held = await hold(account, 10)(books.ledger)
        rivals = [capture(held, 10, payee), void(held), capture(held, 5, payee), void(held)]
        results = await books.at_once(*rivals[number % 4 :], *rivals[: number % 4])
        losers = refusals(results)
        assert len(losers) == 3
        assert {loser.error_code for loser in losers} == {"ledger.hold_ended"}
        captured = (await books.ledger.balance(payee)).posted_minor
    balance = await books.ledger.balance(account)
    assert (balance.posted_minor, balance.pending_minor) == (10_000 - captured, 0)
    await books.assert_proven()


async def test_pitfall_06_voided_or_expired_hold_cannot_be_captured(books: Books) -> None:
    account, payee = await books.org(100), await books.org()
    voided, unswept, swept = [await hold(account, 10)(books.ledger) for _ in range(3)]
    await void(voided)(books.ledger)
    with pytest.raises(Conflict) as ended:
        await capture(voided, 10, payee)(books.ledger)
    assert ended.value.error_code == "ledger.hold_ended"
    # The time of expiry itself is too late, whether or not the sweep has come by.
    for at in (LATER, LATER + timedelta(days=1)):
        with pytest.raises(Conflict) as expired:
            await capture(unswept, 10, payee, at=at)(books.ledger)
        assert expired.value.error_code == "ledger.hold_expired"
    await capture(unswept, 10, payee, at=LATER - timedelta(microseconds=1))(books.ledger)
    await books.ledger.expire_holds(now=LATER)
    with pytest.raises(Conflict) as expired:
        await capture(swept, 10, payee, at=NOW)(books.ledger)
    assert expired.value.error_code == "ledger.hold_expired"
    assert (await books.ledger.balance(payee)).posted_minor == 10


@pytest.mark.parametrize("order", list(itertools.permutations(("spend", "overdraw", "cancel"))))
async def test_pitfall_07_hold_overdraft_and_cancel_conserve_money(books: Books, order: tuple[str, ...]) -> None:
    account, payee = await books.org(100), await books.org()
    held = await hold(account, 70)(books.ledger)
    spent = 0
    for step in order:
        if step == "cancel":
            await void(held)(books.ledger)
            continue
        amount = 30 if step == "spend" else 71
        try:
            await post(account, payee, amount, fresh("k"))(books.ledger)
            spent += amount
        except InsufficientFunds:
            assert (await books.ledger.balance(account)).available_minor < amount
    balance = await books.ledger.balance(account)
    assert (balance.posted_minor, balance.pending_minor) == (100 - spent, 0)
    assert (await books.ledger.balance(payee)).posted_minor == spent


async def test_pitfall_07_any_sequence_conserves_money(books: Books) -> None:
    seed = 20260101
    print(f"seed {seed}")
    choose = random.Random(seed)
    orgs = [await books.org(200) for _ in range(3)]
    holds: list[PlacedHold] = []
    for _ in range(150):
        account, other = choose.sample(orgs, 2)
        amount = choose.randint(1, 120)
        held = choose.choice(holds) if holds else None
        steps = [post(account, other, amount, fresh("k")), hold(account, amount)]
        if held:
            steps += [capture(held, min(amount, 20), other), void(held)]
        try:
            result = await choose.choice(steps)(books.ledger)
        except DomainError:
            continue
        if isinstance(result, PlacedHold):
            holds.append(result)
    balances = [await books.ledger.balance(org) for org in orgs]
    assert sum(balance.posted_minor for balance in balances) == 600
    assert min(balance.available_minor for balance in balances) >= 0
    await books.assert_proven()


async def test_pitfall_18_crashed_request_keeps_no_reservation(
    books: Books, database_urls: DatabaseUrls, owner: asyncpg.Connection
) -> None:
    account = await books.org(100)
    async with open_books(database_urls.platform, clients=1) as crashing:
        transaction = crashing.connections[0].transaction()
        await transaction.start()
        await hold(account, 60)(crashing.ledger)
        await owner.fetchval("SELECT pg_terminate_backend($1, 5000)", crashing.connections[0].get_server_pid())
        crashing.connections[0].terminate()
    assert (await books.ledger.balance(account)).pending_minor == 0


async def test_pitfall_18_forgotten_reservation_is_released_once_by_many_sweepers(books: Books) -> None:
    long_ago = NOW - timedelta(days=3000)
    account = await books.org(100)
    forgotten = [
        await hold(account, 5, held_at=long_ago, expires_at=long_ago + timedelta(hours=1))(books.ledger)
        for _ in range(20)
    ]
    moment = long_ago + timedelta(hours=2)
    sweeps = [lambda ledger: ledger.expire_holds(now=moment, limit=7) for _ in range(8)]
    cancels = [void(held, at=moment) for held in forgotten[:6]]
    results = await books.at_once(*sweeps, *cancels)
    swept = sum(result for result in results[:8] if type(result) is int)
    swept += await books.ledger.expire_holds(now=moment)
    voided = len([result for result in results[8:] if result is False])
    assert swept + voided == 20
    assert (await books.ledger.balance(account)).pending_minor == 0
    await books.assert_proven()


async def test_pitfall_19_deadlock_is_told_and_its_repetition_is_recorded(
    fresh_database_urls: DatabaseUrls,
) -> None:
    """Two callers that each post twice in one transaction, in opposite orders, can only deadlock."""
    owner = await asyncpg.connect(fresh_database_urls.owner)
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '20ms'")
    await owner.close()
    async with open_books(fresh_database_urls.platform, clients=3) as books:
        left, right = await books.org(1), await books.org(1)
        own = [await books.org(100) for _ in books.clients]
        both_hold_one = asyncio.Barrier(2)
        keys = {left: fresh("spend"), right: fresh("spend")}

        async def spend(number: int, first: Account, second: Account, *, meet: bool) -> None:
            ledger: Ledger = books.clients[number]
            async with books.connections[number].transaction():
                await post(own[number], first, 5, f"{keys[first]}:{number}")(ledger)
                if meet:
                    await both_hold_one.wait()
                await post(own[number], second, 5, f"{keys[second]}:{number}")(ledger)

        pairs = {1: (left, right), 2: (right, left)}
        results = await asyncio.gather(
            *(spend(number, *pair, meet=True) for number, pair in pairs.items()), return_exceptions=True
        )
        lost = [number for number, result in zip(pairs, results, strict=True) if result is not None]
        assert len(lost) == 1
        refusal = results[lost[0] - 1]
        assert isinstance(refusal, Unavailable)
        assert refusal.retryable
        await spend(lost[0], *pairs[lost[0]], meet=False)
        for account in (left, right):
            assert (await books.ledger.balance(account)).posted_minor == 11
        await books.assert_proven()


@pytest.mark.parametrize("first", ["hold", "capture", "void", "expire", "legs", "batch", "post"])
async def test_pitfall_19_calls_of_one_transaction_on_one_account_never_deadlock_with_a_posting(
    database_urls: DatabaseUrls, owner: asyncpg.Connection, first: str
) -> None:
    """Whoever has an account's row needs nothing more for the next call on it, however many wait for that row."""
    async with open_books(database_urls.platform, clients=2) as books:
        # The payee's row comes after the account's in the order of locks: a rival has nothing while it waits.
        account, payee = await books.org(100), platform("revenue/" + fresh("x"), "CREDIT")
        long_ago = NOW - timedelta(days=2000)
        held = await hold(account, 10)(books.ledger)
        if first == "expire":
            await hold(account, 1, held_at=long_ago, expires_at=long_ago + timedelta(hours=1))(books.ledger)
        ours, theirs = books.clients
        key = fresh("k")
        calls = {
            "hold": hold(account, 5),
            "capture": capture(held, 10, payee),
            "void": void(held),
            "expire": lambda ledger: ledger.expire_holds(now=long_ago + timedelta(hours=2)),
            "legs": lambda ledger: ledger.post_compound(
                key=key,
                kind="t",
                postings=[Posting(account, payee, 2), Posting(account, COMMISSION, 1)],
                effective_at=NOW,
            ),
            "batch": lambda ledger: ledger.post_batch(
                kind="t", transfers=[NewTransfer(key, account, payee, 3)], effective_at=NOW
            ),
            "post": post(account, payee, 3, key),
        }
        async with books.connections[0].transaction():
            await calls[first](ours)
            rival = asyncio.create_task(post(account, payee, 7, fresh("k"))(theirs))
            await until_waiting(owner, books.connections[1].get_server_pid())
            await post(account, payee, 4, fresh("k"))(ours)
        assert not (await rival).replayed
        await books.assert_proven()


async def until_waiting(owner: asyncpg.Connection, pid: int) -> None:
    while await owner.fetchval("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1", pid) != "Lock":
        continue  # each look at the server gives the others their turn
