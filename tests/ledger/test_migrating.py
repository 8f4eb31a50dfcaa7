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
