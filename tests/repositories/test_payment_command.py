"""Requests of commands are stored once, and visible to their organization only."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from api.pool import StatementPool
from domain.common.access import Actor, Role
from domain.common.errors import IdempotencyConflict
from domain.payments.payment.state import PaymentStatus
from domain.payments.payment.terms import PaymentTerms
from models.tenants.organization import Organization
from repositories.payments import payment as payments, payment_command as intents
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import Sealer
from tests.api.paying import Written
from tests.support.payments import TERMS

pytestmark = pytest.mark.db

BY = Actor(principal="kim", role=Role.OWNER, agent_id="agt_1", key_id="key_1", address="192.0.2.1")


@pytest.fixture(scope="module")
def database(db: Database) -> Database:
    return db


@pytest.fixture(scope="module")
async def pool(database_urls: Any) -> AsyncIterator[StatementPool]:
    made = StatementPool(database_urls.tenant, size=5, timeout=timedelta(minutes=1))
    yield made
    await made.close()


async def wanted(database: Database) -> PaymentTerms:
    org_id = new_id("org")
    async with database.platform() as session:
        made = {"id": org_id, "name": "Acme", "created_by": "test", "command_id": org_id}
        await session.execute(insert(Organization).values(**made))
    return dataclasses.replace(TERMS, payment_id=new_id("pay"), org_id=org_id)


async def ask(
    pool: StatementPool, command_id: str, terms: PaymentTerms, content: bytes = b"x"
) -> intents.StoredRequest:
    return await pool.read(lambda each: intents.store_request(each, command_id, content, terms, BY))


async def asked(
    pool: StatementPool, command_id: str, org_id: str, content: bytes = b"x"
) -> intents.StoredRequest | None:
    return await pool.read(lambda each: intents.find_request(each, org_id, command_id, content))


async def test_first_request_of_a_command_counts(database: Database, pool: StatementPool) -> None:
    terms, command_id = await wanted(database), new_id("cmd")
    assert await asked(pool, command_id, terms.org_id) is None
    first = await ask(pool, command_id, terms)
    assert (first.terms, first.status) == (terms, None)
    again = await ask(pool, command_id, dataclasses.replace(terms, payment_id=new_id("pay")))
    assert again == first == await asked(pool, command_id, terms.org_id)


@pytest.mark.parametrize("provider", ["credits", "stripe"])
async def test_requester_of_a_payment_with_credits_is_stored(
    provider: str, database: Database, pool: StatementPool
) -> None:
    terms = dataclasses.replace(await wanted(database), provider=provider)
    await ask(pool, new_id("cmd"), terms)
    async with database.platform() as session:
        kept = await intents.requester_of(session, terms.payment_id)
    assert kept == (dataclasses.replace(BY, address=None) if provider == "credits" else None)


async def test_one_of_many_concurrent_requests_counts(database: Database, pool: StatementPool) -> None:
    terms, command_id = await wanted(database), new_id("cmd")
    each = [dataclasses.replace(terms, payment_id=new_id("pay")) for _ in range(10)]
    noted = await asyncio.gather(*(ask(pool, command_id, one) for one in each))
    assert len({one.terms.payment_id for one in noted}) == 1


async def test_another_request_under_a_command_is_refused(database: Database, pool: StatementPool) -> None:
    terms, command_id = await wanted(database), new_id("cmd")
    await ask(pool, command_id, terms)
    with pytest.raises(IdempotencyConflict):
        await ask(pool, command_id, terms, b"other")
    with pytest.raises(IdempotencyConflict):
        await asked(pool, command_id, terms.org_id, b"other")


async def test_status_of_the_payment_is_returned_with_the_request(database: Database, pool: StatementPool) -> None:
    terms = await wanted(database)
    made = await Written(database, terms.org_id).begin()
    found = await asked(pool, made.terms.payment_id, terms.org_id, b"asked")
    assert found is not None
    assert (found.terms, found.status) == (made.terms, PaymentStatus.REQUIRES_ACTION)


async def test_other_organization_reads_neither_the_request_nor_the_payment(
    database: Database, pool: StatementPool
) -> None:
    mine, other = await wanted(database), await wanted(database)
    made = await Written(database, mine.org_id).begin()
    assert await asked(pool, made.terms.payment_id, other.org_id, b"asked") is None
    loads = Sealer().loads
    own = await pool.read(lambda each: payments.read(each, mine.org_id, made.terms.payment_id, loads))
    assert own == made.payment
    assert await pool.read(lambda each: payments.read(each, other.org_id, made.terms.payment_id, loads)) is None
