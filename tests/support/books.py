"""One database's books as tests use them: several clients at once, accounts of their own, and the proof at the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

import asyncpg
import pytest

from commands.verify import verify
from domain.common.accounts import Account, org_credits, platform
from domain.common.errors import DomainError
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger, PostedTransfer
from ledger.revenue import Revenue
from runtime.identity import new_id
from tests.conftest import DatabaseUrls

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ISSUANCE = platform("credit_issuance", "CREDIT")
COMMISSION = platform("commission", "CREDIT")
#: What is said of credits that come from nowhere; it changes nothing where they come from another lot.
NEW_LOT = LotTerms(source=LotSource.ADJUSTMENT)

_numbers = count(1)
T = TypeVar("T")


def fresh(name: str) -> str:
    """A name that no other test of this process used; `org` gives an id of an organization."""
    return new_id("org") if name == "org" else f"{name}-{next(_numbers)}"


class Books:
    """Clients of one database. `ledger` is the first of them."""

    def __init__(self, connections: Sequence[asyncpg.Connection]) -> None:
        self.connections = connections
        self.clients = [Ledger(connection) for connection in connections]
        self.ledger = self.clients[0]

    async def org(self, amount_minor: int = 0) -> Account:
        """A new organization's credits, with so much on them."""
        account = org_credits(fresh("org"))
        if amount_minor:
            await self.issue(account, amount_minor)
        return account

    async def issue(self, account: Account, amount_minor: int) -> PostedTransfer:
        return await self.ledger.post(
            key=fresh("issue"),
            kind="test.issue",
            source=ISSUANCE,
            destination=account,
            amount_minor=amount_minor,
            effective_at=NOW,
            lots=NEW_LOT,
        )

    async def pay(self, cents: int, asset: str = "USD") -> None:
        """Take money for a lot that a test opens by itself, as the payment that sells one does."""
        await self.ledger.post(
            key=fresh("paid"),
            kind="test.paid",
            source=platform("exchange", asset),
            destination=platform("deferred_revenue", asset),
            amount_minor=cents,
            effective_at=NOW,
        )

    async def at_once(self, *calls: Callable[[Ledger], Awaitable[T]]) -> list[T | DomainError]:
        """Run the calls at the same time, spread over the clients; a refusal is that call's result."""
        waiting = list(enumerate(calls))
        results: dict[int, T | DomainError] = {}

        async def work(client: Ledger) -> None:
            while waiting:
                number, call = waiting.pop(0)
                try:
                    results[number] = await call(client)
                except DomainError as refusal:
                    results[number] = refusal

        async with asyncio.TaskGroup() as group:
            for client in self.clients:
                group.create_task(work(client))
        return [results[number] for number in range(len(calls))]

    async def assert_proven(self) -> None:
        report = await verify(self.connections[0])
        assert report.ok, "\n".join(report.lines())


async def settle_uses(connection: asyncpg.Connection) -> None:
    """Wait until what was posted before can be booked: for whatever transaction of the server is open just now."""
    before = await connection.fetchval("SELECT uuidv7()")
    while not await connection.fetchval("SELECT settled >= $1 FROM ledger.revenue_place", before):
        await Revenue(connection).mark(settle=timedelta(0))


async def recognise(connection: asyncpg.Connection, page: int = 100) -> int:
    """Book revenue from all that was posted before, so much at a time, and return how much it was."""
    await settle_uses(connection)
    total, done = 0, page
    while done == page:
        done = await Revenue(connection).recognise(limit=page, settle=timedelta(0))
        total += done
    return total


@asynccontextmanager
async def open_books(url: str, clients: int = 8) -> AsyncIterator[Books]:
    connections = [await asyncpg.connect(url) for _ in range(clients)]
    try:
        yield Books(connections)
    finally:
        for connection in connections:
            await connection.close()


@pytest.fixture(scope="session")
async def books(database_urls: DatabaseUrls) -> AsyncIterator[Books]:
    """Eight clients of the platform role on the worker's shared database."""
    async with open_books(database_urls.platform) as books:
        yield books


@pytest.fixture
async def owner(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the schema's owner, who is a superuser here."""
    connection = await asyncpg.connect(database_urls.owner)
    yield connection
    await connection.close()
