import asyncio
from unittest.mock import Mock

import asyncpg
import pytest

from domain.common.accounts import Account, org_credits
from domain.common.errors import InsufficientFunds, Unavailable
from ledger.account_ids import AccountIds
from ledger.errors import translated
from ledger.gateway import Ledger, Posting
from runtime.database import Database, driver_connection
from tests.conftest import DatabaseUrls
from tests.support.books import ISSUANCE, LATER, NEW_LOT, NOW, Books, fresh, open_books
from tests.support.connections import undone

pytestmark = pytest.mark.db


async def issue(ledger: Ledger, account, amount_minor: int = 5):
    return await ledger.post(
        key=fresh("k"),
        kind="t",
        source=ISSUANCE,
        destination=account,
        amount_minor=amount_minor,
        effective_at=NOW,
        lots=NEW_LOT,
    )


async def test_account_of_a_transaction_that_rolled_back_is_opened_again(books: Books) -> None:
    account = org_credits(fresh("org"))
    connection = books.connections[0]
    transaction = connection.transaction()
    await transaction.start()
    # A second gateway on the same connection finds the account, which is still not committed.
    await issue(books.ledger, account)
    await issue(Ledger(connection), account)
    async with connection.transaction():
        await issue(Ledger(connection), account)
    await transaction.rollback()
    assert (await books.ledger.balance(account)).version == 0
    await issue(books.ledger, account)
    await issue(books.clients[1], account)
    assert (await books.ledger.balance(account)).posted_minor == 10


async def test_one_process_may_use_two_databases(books: Books, fresh_database_urls: DatabaseUrls) -> None:
    await books.org(1)
    account = await books.org(7)
    async with open_books(fresh_database_urls.platform, clients=1) as others:
        await issue(others.ledger, account, 3)
        assert (await others.ledger.balance(account)).posted_minor == 3
        await others.assert_proven()
    assert (await books.ledger.balance(account)).posted_minor == 7


async def test_replaced_books_are_noticed_and_the_next_attempt_works(
    books: Books, fresh_database_urls: DatabaseUrls
) -> None:
    async with open_books(fresh_database_urls.platform, clients=1) as others:
        account = await others.org(7)
        known = others.ledger._ids._known
        assert known is not None
        known[account.path, account.asset] = 999 << 8
        with pytest.raises(Unavailable):
            await issue(others.ledger, account)
        await issue(others.ledger, account)
        known[account.path, account.asset] = 999 << 8
        with pytest.raises(Unavailable):
            await others.ledger.hold(key=fresh("h"), account=account, amount_minor=1, expires_at=LATER, held_at=NOW)
        assert (await others.ledger.balance(account)).posted_minor == 12


async def test_evicted_accounts_are_found_again_and_shared_ones_are_never_evicted(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = AccountIds(books.connections[0])
    ids.forget()
    monkeypatch.setattr("ledger.account_ids.MAX_CACHED", 3)
    first = [await books.org(1) for _ in range(3)]
    known = dict(zip(first, await ids.of(*first), strict=True))
    more = [await books.org(1) for _ in range(3)]
    # All of the first are forgotten as the others become known, in the same call.
    assert (await ids.of(*first, *more))[:3] == [known[account] for account in first]
    assert ids._known is not None
    assert (ISSUANCE.path, ISSUANCE.asset) in ids._known
    assert len(ids._known) <= 3


async def test_posting_in_a_session_commits_and_rolls_back_with_it(db: Database, books: Books) -> None:
    account = org_credits(fresh("org"))
    async with db.platform() as session:
        await issue(Ledger(await driver_connection(session)), account, 4)
        assert (await books.ledger.balance(account)).posted_minor == 0
    assert (await books.ledger.balance(account)).posted_minor == 4

    async def fail_half_way() -> None:
        async with db.platform() as session:
            ledger = Ledger(await driver_connection(session))
            await issue(ledger, account, 4)
            await ledger.post(
                key=fresh("k"), kind="t", source=account, destination=ISSUANCE, amount_minor=9, effective_at=NOW
            )

    with pytest.raises(InsufficientFunds):
        await fail_half_way()
    assert (await books.ledger.balance(account)).posted_minor == 4


async def compound(ledger: Ledger, *legs: tuple[Account, Account, int], key: str | None = None):
    postings = [Posting(source=source, destination=to, amount_minor=amount) for source, to, amount in legs]
    return await ledger.post_compound(key=key or fresh("k"), kind="t", postings=postings, effective_at=NOW)


async def test_compound_posting_opens_accounts_and_keeps_its_legs_and_its_key(books: Books) -> None:
    known, last, first = await books.org(10), *(org_credits(fresh("org")) for _ in range(2))
    legs, key = [(known, last, 7), (last, first, 4), (known, last, 2)], fresh("k")
    posted = await compound(books.ledger, *legs, key=key)
    assert [each.posted_minor for each in await books.ledger.balances([known, last, first])] == [1, 5, 4]
    # The same ids, remembered or not.
    for ledger in (books.ledger, Ledger(books.connections[1])):
        again = await compound(ledger, *legs, key=key)
        assert (again.transfer_id, again.replayed) == (posted.transfer_id, True)
    books.ledger._ids.forget()
    assert (await compound(books.ledger, *legs, key=key)).replayed


async def test_refused_compound_posting_opens_no_account(books: Books) -> None:
    source, destination = await books.org(1), org_credits(fresh("org"))
    with pytest.raises(InsufficientFunds):
        await compound(books.ledger, (source, destination, 2))
    opened = "SELECT EXISTS (SELECT FROM ledger.accounts WHERE path = $1)"
    assert not await books.connections[0].fetchval(opened, destination.path)
    await compound(books.ledger, (source, destination, 1))
    assert (await books.ledger.balance(destination)).posted_minor == 1


async def test_account_that_a_compound_posting_opened_and_rolled_back_is_opened_again(books: Books) -> None:
    source, destination = await books.org(3), org_credits(fresh("org"))
    async with undone(books.connections[0]):
        await compound(books.ledger, (source, destination, 2))
    await compound(books.ledger, (source, destination, 3))
    assert (await books.ledger.balance(destination)).posted_minor == 3


async def test_metadata_is_kept_as_json(books: Books, db: Database) -> None:
    account = org_credits(fresh("org"))
    async with db.platform() as session:
        ledger = Ledger(await driver_connection(session))
        posted = await ledger.post(
            key=fresh("k"),
            kind="t",
            source=ISSUANCE,
            destination=account,
            amount_minor=1,
            effective_at=NOW,
            lots=NEW_LOT,
            metadata={"note": 'a "b"', "step": 3},
        )
    found = await books.connections[0].fetchval(
        "SELECT metadata ->> 'note' FROM ledger.transfers WHERE id = $1", posted.transfer_id
    )
    assert found == 'a "b"'


async def test_serialization_failure_surfaces_as_unavailable(books: Books) -> None:
    account = await books.org(10)
    first, second = books.connections[:2]
    async with first.transaction(isolation="repeatable_read"):
        await first.fetchval("SELECT 1")
        await issue(books.clients[1], account)
        with pytest.raises(Unavailable) as caught:
            async with first.transaction():
                await issue(books.clients[0], account)
        assert caught.value.retryable
    assert second.is_closed() is False
    assert (await books.ledger.balance(account)).posted_minor == 15


async def test_lost_connection_surfaces_as_unavailable(database_urls: DatabaseUrls, owner: asyncpg.Connection) -> None:
    async with open_books(database_urls.platform, clients=1) as books:
        account = await books.org(10)
        connection = books.connections[0]
        await owner.fetchval("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
        with pytest.raises(Unavailable):
            await issue(books.ledger, account)
        with pytest.raises(Unavailable):
            await issue(books.ledger, account)


def test_connection_that_is_lost_between_two_steps_of_the_driver_surfaces_as_unavailable() -> None:
    with pytest.raises(Unavailable), translated(Mock(), Mock()):
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")


async def test_call_that_was_cancelled_while_it_waited_is_settled_by_repeating_its_key(
    database_urls: DatabaseUrls,
) -> None:
    async with open_books(database_urls.platform, clients=2) as books:
        account, key = await books.org(10), fresh("k")

        async def post(ledger: Ledger):
            return await ledger.post(
                key=key, kind="t", source=account, destination=ISSUANCE, amount_minor=4, effective_at=NOW
            )

        async with books.connections[0].transaction():
            await issue(books.clients[0], account)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(post(books.clients[1]), 0.05)
        # Whether the server had stopped in time is not known; the key makes it not matter.
        await post(books.clients[1])
        assert (await books.clients[1].balance(account)).posted_minor == 11


async def test_balances_are_returned_in_the_requested_order(books: Books) -> None:
    rich, poor, absent = await books.org(7), await books.org(3), org_credits(fresh("org"))
    asked = [poor, absent, rich, ISSUANCE]
    assert await books.ledger.balances(asked) == [await books.ledger.balance(account) for account in asked]
    assert await books.ledger.balances([]) == []
