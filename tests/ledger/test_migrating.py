"""A database that exists is migrated in steps: after each of them the books take postings."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from dev.stack.migrate import alembic
from domain import accounts
from domain.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from ledger.rates import set_credit_rate
from tests.conftest import DatabaseUrls
from tests.support.books import NOW, fresh, open_books
from tests.support.spends import Tenant, limits

pytestmark = pytest.mark.db


async def test_the_books_take_postings_wherever_a_migration_stops(empty_database_url: str) -> None:
    taken: list[UUID] = []
    for command, revision in (
        ("upgrade", "0001_books"),
        ("upgrade", "0004_provider_payments"),
        ("upgrade", "head"),
        ("downgrade", "0002_organizations"),
        ("upgrade", "head"),
    ):
        await asyncio.to_thread(alembic, empty_database_url, command, revision)
        connection = await asyncpg.connect(empty_database_url)
        posted = await Ledger(connection).post(
            key=f"{len(taken)}",
            kind="topup",
            source=accounts.platform("credit_issuance", "CREDIT"),
            lots=LotTerms(source=LotSource.ADJUSTMENT),
            destination=accounts.org_credits("org_1"),
            amount_minor=100,
            effective_at=datetime.now(UTC),
        )
        await connection.close()
        taken.append(posted.transfer_id)
    connection = await asyncpg.connect(empty_database_url)
    told = await connection.fetchval("SELECT count(*) FROM ledger.entries WHERE org_id = 'org_1'")
    await connection.close()
    assert told == len(taken)


async def test_what_was_given_back_in_full_before_counts_as_nothing_too(fresh_database_urls: DatabaseUrls) -> None:
    async with open_books(fresh_database_urls.owner, clients=1) as books:
        tenant, asset = await Tenant.opened(books), "JPY"
        control = await tenant.control(limits(day=10), asset=asset)
        await set_credit_rate(
            books.connections[0], asset=asset, credit_minor=100, asset_minor=1, starts_at=NOW, ends_at=None
        )
        reserved = await tenant.reserve(401)
        await tenant.spending.settle(key=fresh("c"), spend_id=reserved, amount_minor=101, at=NOW)
        await tenant.spending.refund(key=fresh("r"), spend_id=reserved, at=NOW)
        given_back = []
        for command, revision in (("downgrade", "0154_alerts_of_lifetimes"), ("upgrade", "head")):
            await asyncio.to_thread(alembic, fresh_database_urls.owner, command, revision)
            given_back.append((await tenant.counter(control))["refunded"])
        await books.assert_proven()
    assert given_back == [1, 2]
