import json
from datetime import timedelta

import asyncpg
import pytest

from domain.common.accounts import org_cash, platform
from domain.common.errors import Conflict, DomainError, IdempotencyConflict, InsufficientFunds, Invalid, NotFound
from domain.common.ids import uuid_of
from ledger.gateway import Balance, PlacedHold
from runtime.identity import new_id
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, LATER, NOW, Books, fresh, open_books
from tests.support.plans import vacuum

pytestmark = pytest.mark.db


async def hold(books: Books, account, amount_minor: int, **changes):
    given = {"key": fresh("h"), "expires_at": LATER, "held_at": NOW} | changes
    return await books.ledger.hold(account=account, amount_minor=amount_minor, **given)


async def test_hold_lowers_available_and_not_posted(books: Books) -> None:
    account = await books.org(100)
    await hold(books, account, 60)
    balance = await books.ledger.balance(account)
    assert (balance.posted_minor, balance.pending_minor, balance.available_minor, balance.version) == (100, 60, 40, 1)
    with pytest.raises(InsufficientFunds):
        await hold(books, account, 41)
    with pytest.raises(InsufficientFunds):
        await books.ledger.post(
            key=fresh("k"), kind="t", source=account, destination=ISSUANCE, amount_minor=41, effective_at=NOW
        )


async def test_capture_takes_part_and_releases_the_rest(books: Books) -> None:
    account, payee = await books.org(100), await books.org()
    held = await hold(books, account, 60)
    key = fresh("c")
    arguments = {"key": key, "hold_id": held.hold_id, "destination": payee, "effective_at": NOW}
    first = await books.ledger.capture(**arguments, amount_minor=25)
    again = await books.ledger.capture(**arguments, amount_minor=25)
    assert (first.replayed, again.replayed, first.transfer_id) == (False, True, again.transfer_id)
    assert await books.ledger.balance(account) == Balance(posted_minor=75, pending_minor=0, version=2)
    with pytest.raises(IdempotencyConflict):
        await books.ledger.capture(**arguments, amount_minor=26)
    with pytest.raises(Conflict) as caught:
        await books.ledger.capture(**(arguments | {"key": fresh("c")}), amount_minor=25)
    assert caught.value.error_code == "ledger.hold_ended"
    await books.assert_proven()


async def test_capture_above_the_hold_is_invalid(books: Books) -> None:
    account, payee = await books.org(100), await books.org()
    held = await hold(books, account, 60)
    for amount in (61, 0, -5):
        with pytest.raises(Invalid):
            await books.ledger.capture(
                key=fresh("c"), hold_id=held.hold_id, amount_minor=amount, destination=payee, effective_at=NOW
            )
    assert (await books.ledger.balance(account)).pending_minor == 60


async def test_void_gives_all_back_once_and_replays(books: Books) -> None:
    account = await books.org(100)
    held, other = await hold(books, account, 60), await hold(books, account, 10)
    key = fresh("v")
    assert await books.ledger.void(key=key, hold_id=held.hold_id, effective_at=NOW) is False
    assert await books.ledger.void(key=key, hold_id=held.hold_id, effective_at=NOW) is True
    with pytest.raises(Conflict) as caught:
        await books.ledger.void(key=fresh("v"), hold_id=held.hold_id, effective_at=NOW)
    assert caught.value.error_code == "ledger.hold_ended"
    with pytest.raises(IdempotencyConflict):
        await books.ledger.void(key=key, hold_id=other.hold_id, effective_at=NOW)
    assert (await books.ledger.balance(account)).pending_minor == 10


async def test_hold_key_replays_and_refuses_other_content(books: Books) -> None:
    account, key = await books.org(100), fresh("h")
    first, again = (
        await hold(books, account, 60, key=key),
        await hold(books, account, 60, key=key, expires_at=LATER + timedelta(days=1)),
    )
    assert (first.replayed, again.replayed, first.hold_id) == (False, True, again.hold_id)
    with pytest.raises(IdempotencyConflict):
        await hold(books, account, 61, key=key)
    assert (await books.ledger.balance(account)).pending_minor == 60


async def test_hold_that_breaks_a_rule_is_invalid(books: Books) -> None:
    account = await books.org(100)
    for amount, expires_at in ((-1, LATER), (1, NOW), (0, NOW)):
        with pytest.raises(Invalid):
            await hold(books, account, amount, expires_at=expires_at)
    with pytest.raises(Invalid):
        await hold(books, ISSUANCE, 1)


async def test_unknown_hold_is_not_found(books: Books) -> None:
    payee, nothing = await books.org(1), uuid_of(new_id("hold"))
    with pytest.raises(NotFound):
        await books.ledger.void(key=fresh("v"), hold_id=nothing, effective_at=NOW)
    with pytest.raises(NotFound):
        await books.ledger.capture(key=fresh("c"), hold_id=nothing, amount_minor=1, destination=payee, effective_at=NOW)


async def test_sweep_expires_what_is_due_and_only_that(books: Books) -> None:
    account = await books.org(100)
    due = [
        await hold(books, account, 10, expires_at=NOW - timedelta(days=900), held_at=NOW - timedelta(days=901))
        for _ in range(3)
    ]
    await hold(books, account, 20)
    moment = NOW - timedelta(days=900)
    assert await books.ledger.expire_holds(now=moment - timedelta(microseconds=1)) == 0
    assert await books.ledger.expire_holds(now=moment, limit=2) == 2
    assert await books.ledger.expire_holds(now=moment) == 1
    assert (await books.ledger.balance(account)).pending_minor == 20
    with pytest.raises(Conflict) as caught:
        await books.ledger.void(key=fresh("v"), hold_id=due[0].hold_id, effective_at=NOW)
    assert caught.value.error_code == "ledger.hold_expired"


async def test_ended_hold_never_changes_again_even_by_hand(books: Books, owner: asyncpg.Connection) -> None:
    held = await hold(books, await books.org(10), 10)
    await books.ledger.void(key=fresh("v"), hold_id=held.hold_id, effective_at=NOW)
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute(
            "UPDATE ledger.holds SET status = 'pending', ended_at = NULL, ended_key = NULL WHERE id = $1", held.hold_id
        )


async def test_captures_into_a_striped_account_from_both_sides_never_deadlock(books: Books) -> None:
    left, right = await books.org(1000), await books.org(1000)
    holds = [(await hold(books, (left, right)[n % 2], 5), (right, left)[n % 2]) for n in range(60)]

    def capture(held, payee):
        return lambda ledger: ledger.capture(
            key=fresh("c"), hold_id=held.hold_id, amount_minor=5, destination=payee, effective_at=NOW
        )

    results = await books.at_once(*(capture(*pair) for pair in holds))
    assert not [result for result in results if isinstance(result, DomainError)]
    assert [(await books.ledger.balance(account)).posted_minor for account in (left, right)] == [1000, 1000]
    await books.assert_proven()


@pytest.mark.slow
@pytest.mark.parametrize("due", [0, 3])
async def test_sweep_reads_as_little_of_many_holds_as_of_few(fresh_database_urls: DatabaseUrls, due: int) -> None:
    async with open_books(fresh_database_urls.platform, clients=1) as books:
        account = org_cash(fresh("org"), "USD")
        await books.ledger.post(
            key=fresh("paid"),
            kind="test.paid",
            source=platform("exchange", "USD"),
            destination=account,
            amount_minor=10**9,
            effective_at=NOW,
        )
        owner = await asyncpg.connect(fresh_database_urls.owner)
        read = []
        for size in (2_000, 40_000):
            # Most have ended, and expired long ago as far as anybody can tell from statistics; the others are not due.
            await owner.execute("SET session_replication_role = replica")
            await owner.execute(
                "INSERT INTO ledger.holds (account_id, amount, held_at, expires_at, ended_at, status, request_hash,"
                " idempotency_key) SELECT a.id, 1, $2::timestamptz, CASE WHEN pending THEN $4::timestamptz ELSE $2 END,"
                " CASE WHEN NOT pending THEN $2 END, CASE WHEN pending THEN 'pending' ELSE 'voided' END, '',"
                " format('many:%s:%s', $3, n) FROM ledger.accounts a,"
                " (SELECT n, n % 25 = 0 AS pending FROM generate_series(1, $3::int) AS n) many WHERE a.path = $1",
                account.path,
                NOW - timedelta(days=1),
                size,
                LATER,
            )
            await owner.execute(
                "UPDATE ledger.balances SET pending_out = pending_out + $1 WHERE account_id ="
                " (SELECT id FROM ledger.accounts WHERE path = $2)",
                size // 25,
                account.path,
            )
            await vacuum(owner, "ledger.holds")
            for _ in range(due):
                await hold(books, account, 1, expires_at=NOW, held_at=NOW - timedelta(days=1))
            explained = await books.connections[0].fetchval(
                "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT ledger.expire_holds($1, 10)", NOW
            )
            plan = json.loads(explained)[0]["Plan"]
            read.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        await owner.close()
        assert read[1] <= read[0] + 100, read
        await books.assert_proven()


async def test_hold_locks_no_row_of_its_account(books: Books, owner: asyncpg.Connection) -> None:
    """Many holds at once on one busy account would otherwise add up to lists of who has that row."""
    account = await books.org(100)
    locked_by = "SELECT xmax::text FROM ledger.accounts WHERE path = $1"
    before = await owner.fetchval(locked_by, account.path)
    async with books.connections[0].transaction():
        await hold(books, account, 1)
        assert await owner.fetchval(locked_by, account.path) == before


async def test_hold_of_an_account_that_does_not_exist_is_refused_whoever_writes_it(owner: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresError, match="no account 2560000000000"):
        await owner.execute(
            "SELECT ledger.hold('nobody', 256 * 10000000000::bigint, 1, now() + interval '1 h', NULL, now())"
        )
    with pytest.raises(asyncpg.PostgresError, match="no account 77"):
        await owner.execute(
            "INSERT INTO ledger.holds (account_id, amount, held_at, expires_at, request_hash, idempotency_key)"
            " VALUES (77, 1, now(), now(), '', 'nobody')"
        )


async def test_replayed_hold_says_what_became_of_it(books: Books) -> None:
    account, payee = await books.org(100), await books.org()
    keys = {status: fresh("h") for status in ("pending", "posted", "voided", "expired")}
    held = {
        status: await hold(books, account, 7, key=key, expires_at=NOW, held_at=NOW - timedelta(days=3))
        if status == "expired"
        else await hold(books, account, 7, key=key)
        for status, key in keys.items()
    }
    assert {one.status for one in held.values()} == {"pending"}
    await books.ledger.capture(
        key=fresh("c"), hold_id=held["posted"].hold_id, amount_minor=7, destination=payee, effective_at=NOW
    )
    await books.ledger.void(key=fresh("v"), hold_id=held["voided"].hold_id, effective_at=NOW)
    await books.ledger.expire_holds(now=NOW)
    for status, key in keys.items():
        expires_at, held_at = (NOW, NOW - timedelta(days=3)) if status == "expired" else (LATER, NOW)
        again = await hold(books, account, 7, key=key, expires_at=expires_at, held_at=held_at)
        assert again == PlacedHold(held[status].hold_id, True, status)
