"""Stripes are locked last, so who waits for one organization stalls no other; and nothing deadlocks."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from domain.common.accounts import Account
from domain.common.errors import InsufficientFunds
from ledger.gateway import Ledger, NewTransfer, Posting
from ledger.spending import Spending
from ledger.spends import SpendOutcome
from tests.conftest import DatabaseUrls
from tests.support.books import COMMISSION, ISSUANCE, LATER, NEW_LOT, NOW, Books, fresh, open_books
from tests.support.locks import stripes_that_are_locked
from tests.support.seeds import RUN_SEED
from tests.support.spends import spend

pytestmark = pytest.mark.db

Call = Callable[[Ledger], Awaitable[object]]


def post(source: Account, destination: Account, amount_minor: int = 1) -> Call:
    return lambda ledger: ledger.post(
        key=fresh("k"),
        kind="t",
        source=source,
        destination=destination,
        amount_minor=amount_minor,
        effective_at=NOW,
        lots=NEW_LOT,
    )


def postings(*moved: tuple[Account, Account]) -> Call:
    return lambda ledger: ledger.post_compound(
        key=fresh("k"),
        kind="t",
        postings=[Posting(*ends, amount_minor=1, lots=NEW_LOT) for ends in moved],
        effective_at=NOW,
    )


def batch(*moved: tuple[Account, Account]) -> Call:
    return lambda ledger: ledger.post_batch(
        kind="t", transfers=[NewTransfer(fresh("k"), *ends, 1, lots=NEW_LOT) for ends in moved], effective_at=NOW
    )


@pytest.fixture
async def quiet(fresh_database_urls: DatabaseUrls) -> AsyncIterator[tuple[Books, asyncpg.Connection]]:
    """Books in which the platform's accounts were opened first, as everywhere, and their owner's connection."""
    async with open_books(fresh_database_urls.platform) as books:
        await post(ISSUANCE, COMMISSION)(books.ledger)
        owner = await asyncpg.connect(fresh_database_urls.owner)
        await owner.execute(
            f"ALTER DATABASE {await owner.fetchval('SELECT current_database()')} SET deadlock_timeout = 20"
        )
        yield books, owner
        await owner.close()


async def waits(owner: asyncpg.Connection, client: asyncpg.Connection) -> None:
    """Return once the client waits for a lock; each look at the server gives the others their turn."""
    pid = client.get_server_pid()
    while await owner.fetchval("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1", pid) != "Lock":
        continue


@pytest.mark.parametrize(
    "name",
    [
        "out",
        "in",
        "legs",
        "batch",
        "capture",
        "several",
        "charge",
        "charge_many",
        "reserve",
        "settle",
        "force",
        "refund",
    ],
)
async def test_pitfall_33_who_waits_for_an_organization_keeps_no_stripe(
    quiet: tuple[Books, asyncpg.Connection], name: str
) -> None:
    books, owner = quiet
    busy, other = await books.org(100), await books.org(100)
    held = await books.ledger.hold(key=fresh("h"), account=busy, amount_minor=5, expires_at=LATER, held_at=NOW)

    spending = Spending(books.connections[0], busy.path.split("/")[1])
    waiting = Spending(books.connections[1], busy.path.split("/")[1])
    charged = await spending.charge(spend(1), at=NOW)
    reserved = await spending.authorize(spend(1), expires_at=LATER, at=NOW)
    assert charged.spend_id is not None
    assert reserved.spend_id is not None
    spent, open_ = charged.spend_id, reserved.spend_id

    async def several(ledger: Ledger) -> None:
        async with books.connections[1].transaction():
            await ledger.lock_balances([COMMISSION, other, busy])
            await post(other, COMMISSION)(ledger)
            await post(busy, COMMISSION)(ledger)

    calls: dict[str, Call] = {
        "out": post(busy, COMMISSION),
        "in": post(COMMISSION, busy),
        "legs": postings((busy, COMMISSION), (ISSUANCE, busy)),
        "batch": batch((other, COMMISSION), (busy, COMMISSION)),
        "capture": lambda ledger: ledger.capture(
            key=fresh("c"), hold_id=held.hold_id, amount_minor=5, destination=COMMISSION, effective_at=NOW
        ),
        "several": several,
        "charge": lambda _: waiting.charge(spend(1), at=NOW),
        "charge_many": lambda _: waiting.charge_many([spend(1), spend(1)], at=NOW),
        "reserve": lambda _: waiting.authorize(spend(1), expires_at=LATER, at=NOW),
        "settle": lambda _: waiting.settle(key=fresh("c"), spend_id=open_, amount_minor=1, at=NOW),
        "force": lambda _: waiting.force(spend(1), at=NOW),
        "refund": lambda _: waiting.refund(key=fresh("b"), spend_id=spent, at=NOW),
    }
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE a.path = $1 FOR UPDATE",
            busy.path,
        )
        task = asyncio.ensure_future(calls[name](books.clients[1]))
        await waits(owner, books.connections[1])
        kept = await stripes_that_are_locked(owner)
    await task
    assert kept == []
    await books.assert_proven()


async def charging(books: Books) -> Account:
    """Make an organization that has charged before, so that the platform's account is there and a charge is plain."""
    credits = await books.org(100)
    await Spending(books.connections[0], credits.path.split("/")[1]).charge(spend(1), at=NOW)
    return credits


async def take(how: str, connection: asyncpg.Connection, credits: Account, amount_minor: int = 1) -> None:
    """Charge an organization, or post from its credits."""
    if how == "post":
        await post(credits, COMMISSION, amount_minor)(Ledger(connection))
    else:
        charged = await Spending(connection, credits.path.split("/")[1]).charge(spend(amount_minor), at=NOW)
        assert charged.outcome is SpendOutcome.CHARGED


@pytest.mark.parametrize("how", ["charge", "post"])
async def test_who_takes_of_one_balance_waits_in_a_line_and_not_all_for_its_row(
    how: str, quiet: tuple[Books, asyncpg.Connection]
) -> None:
    """Who waits for the balance itself is woken by each commit, and waits again: one is enough."""
    books, owner = quiet
    busy = await charging(books)
    waiting = books.connections[1:5]
    async with owner.transaction():
        await owner.execute(
            "SELECT FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE a.path = $1 FOR UPDATE",
            busy.path,
        )
        tasks = []
        for connection in waiting:
            tasks.append(asyncio.ensure_future(take(how, connection, busy)))
            await waits(owner, connection)
        kinds = await owner.fetch(
            "SELECT locktype FROM pg_locks WHERE NOT granted AND pid = ANY ($1::integer[]) ORDER BY locktype",
            [connection.get_server_pid() for connection in waiting],
        )
    await asyncio.gather(*tasks)
    assert [row["locktype"] for row in kinds] == ["advisory", "advisory", "advisory", "transactionid"]
    await books.assert_proven()


@pytest.mark.parametrize("how", ["charge", "post"])
async def test_who_holds_the_balance_takes_of_it_without_waiting_for_the_line(
    how: str, quiet: tuple[Books, asyncpg.Connection]
) -> None:
    books, owner = quiet
    busy = await charging(books)
    async with books.connections[0].transaction():
        await books.clients[0].lock_balances([busy])
        task = asyncio.ensure_future(take(how, books.connections[1], busy))
        await waits(owner, books.connections[1])
        await take(how, books.connections[0], busy, 2)
    await task
    assert (await books.ledger.balance(busy)).posted_minor == 96
    await books.assert_proven()


async def test_pitfall_33_transactions_that_lock_their_balances_first_never_deadlock(
    quiet: tuple[Books, asyncpg.Connection],
) -> None:
    """Random sequences of random transfers over few accounts, striped ones among them, some opened on the way."""
    books, owner = quiet
    choose = random.Random(RUN_SEED)
    orgs = [await books.org(10_000) for _ in range(4)]
    pool = [*orgs, COMMISSION, ISSUANCE]
    makes: list[Callable[..., Call]] = [lambda ends: post(*ends), postings, batch]

    def sequence() -> list[tuple[Call, set[Account]]]:
        steps: list[tuple[Call, set[Account]]] = []
        for _ in range(choose.randint(1, 4)):
            ends = [
                (source, choose.choice([a for a in pool if a != source]))
                for source in choose.choices(pool, k=choose.randint(1, 3))
            ]
            if choose.random() < 0.2:
                ends.append((ISSUANCE, choose.choice(newcomers)))
            make = choose.choice(makes if len(ends) == 1 else makes[1:])
            steps.append((make(*ends), {account for pair in ends for account in pair}))
        return steps

    def at_once(number: int) -> Callable[[Ledger], Awaitable[str]]:
        steps = sequence()
        everything = list({account for _, touched in steps for account in touched})
        choose.shuffle(everything)

        async def run(ledger: Ledger) -> str:
            connection = books.connections[books.clients.index(ledger)]
            try:
                async with connection.transaction():
                    if len(steps) > 1:
                        await ledger.lock_balances(everything)
                    for call, _ in steps:
                        await call(ledger)
            except InsufficientFunds:
                return "refused"
            return f"done {number}"

        return run

    for _ in range(12):
        newcomers = [await books.org() for _ in range(3)]
        results = await books.at_once(*(at_once(number) for number in range(24)))
        assert all(isinstance(result, str) for result in results), results
    assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    await books.assert_proven()


async def test_a_debt_that_nobody_has_is_not_opened_to_be_locked(quiet: tuple[Books, asyncpg.Connection]) -> None:
    books, owner = quiet
    there, missing, opened = await books.org(1), await books.org(), await books.org()
    async with books.connections[0].transaction():
        await books.ledger.lock_balances([opened], if_open=[there, missing])
        locked = {await _locks(owner, account) for account in (there, opened)}
        assert locked == {True}
    paths = await owner.fetch("SELECT path FROM ledger.accounts WHERE path LIKE 'org/%'")
    assert {row["path"] for row in paths} == {there.path, opened.path}


async def _locks(owner: asyncpg.Connection, account: Account) -> bool:
    free = "SELECT FROM ledger.balances WHERE account_id = (SELECT id FROM ledger.accounts WHERE path = $1)"
    # A row that was inserted and not committed is nobody else's to see, and so locked as well.
    return not await owner.fetch(f"{free} FOR UPDATE SKIP LOCKED", account.path)
