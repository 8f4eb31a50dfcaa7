"""Unaccepted contracts are expired once, with an event for each party."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from activities.escrow.contract import ContractActivities
from contracts.escrow.expiry import ExpireContracts
from domain.escrow.contract import ContractStatus, status_of
from domain.escrow.state import Terms
from models.escrow.contract import Contract
from models.messages.event import EventRow
from repositories.escrow import contract as contracts
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.plans import blocks_read, vacuum
from tests.workflows.conftest import Stage

pytestmark = pytest.mark.db

NOW = datetime.now(UTC)
LATE, LATER = NOW - timedelta(hours=2), NOW + timedelta(days=1)
EXPIRE = text("UPDATE contracts SET expired_at = now() WHERE id = :id")


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database


async def proposed(database: Database, accept_by: datetime) -> Terms:
    return (await Stage(None, None, database, None).award(accept_by=accept_by)).terms


async def swept(database: Database, limit: int = 100) -> int:
    return (await ContractActivities(database).expire_contracts(ExpireContracts(limit=limit))).count


async def events_of(database: Database, contract_id: str) -> list[tuple[str, str, datetime]]:
    row = EventRow
    query = select(row.type, row.data["role"].astext, row.at).where(row.subject == contract_id).order_by(row.id)
    async with database.platform() as session:
        return [(type, role, at) for type, role, at in await session.execute(query)]


async def test_each_party_hears_once_that_a_contract_has_expired(database: Database) -> None:
    late, open_ = await proposed(database, LATE), await proposed(database, LATER)
    just_now = await proposed(database, datetime.now(UTC) - timedelta(seconds=1))
    assert [await swept(database), await swept(database)] == [1, 0]
    expired = [each for each in await events_of(database, late.contract_id) if each[0] == "contract.expired"]
    assert sorted(expired) == [("contract.expired", role, LATE) for role in ("payee", "payer")]
    for each in (open_, just_now):
        assert {type for type, _, _ in await events_of(database, each.contract_id)} == {"contract.proposed"}
    async with database.platform() as session:
        row = await contracts.get(session, late.contract_id)
        assert row.expired_at is not None
        assert status_of(row.accept_by, row.accepted_at, row.expired_at) is ContractStatus.EXPIRED


async def test_batches_take_the_oldest_first_until_none_is_left(database: Database) -> None:
    made = [await proposed(database, LATE - timedelta(hours=hours)) for hours in (0, 2, 1)]
    assert await swept(database, limit=1) == 1
    async with database.platform() as session:
        marked = await session.scalars(select(Contract.id).where(Contract.expired_at.is_not(None)))
        assert marked.all() == [made[1].contract_id]
    assert [await swept(database, limit=1) for _ in range(3)] == [1, 1, 0]


async def test_contract_that_somebody_is_accepting_is_left_to_the_next_sweep(database: Database) -> None:
    late = await proposed(database, LATE)
    async with database.tenant(late.payee_org_id) as session:
        await contracts.lock(session, late.contract_id)
        assert await swept(database) == 0
    assert await swept(database) == 1


async def test_database_refuses_an_acceptance_of_an_expired_contract(database: Database) -> None:
    late = await proposed(database, LATE)
    accepted = await proposed(database, LATER)
    accept = text("UPDATE contracts SET accepted_at = :at, accepted_by = 'me' WHERE id = :id")
    async with database.tenant(accepted.payee_org_id) as session:
        await session.execute(accept, {"id": accepted.contract_id, "at": NOW})
    assert await swept(database) == 1
    with pytest.raises(DBAPIError, match="nothing but one acceptance or its expiry"):
        async with database.tenant(late.payee_org_id) as session:
            await session.execute(accept, {"id": late.contract_id, "at": LATE - timedelta(hours=1)})
    with pytest.raises(DBAPIError, match="nothing but one acceptance or its expiry"):
        async with database.platform() as session:
            await session.execute(EXPIRE, {"id": accepted.contract_id})


async def test_database_refuses_an_early_expiry_and_one_by_a_tenant(database: Database) -> None:
    open_ = await proposed(database, LATER)
    with pytest.raises(DBAPIError, match="ck_contracts_expired"):
        async with database.platform() as session:
            await session.execute(EXPIRE, {"id": open_.contract_id})
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.tenant(open_.payer_org_id) as session:
            await session.execute(EXPIRE, {"id": open_.contract_id})


async def test_cost_of_a_sweep_does_not_grow_with_expired_contracts(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    terms = await proposed(database, LATE)
    assert await swept(database) == 1
    async with connected(fresh_database_urls.owner) as owner:
        read = []
        for many in (10, 2_000):
            await owner.execute(
                "INSERT INTO contracts SELECT (jsonb_populate_record(c, jsonb_build_object("
                "'id', concat('ctr_', $1::int, '_', n), 'command_id', concat($1::int, '_', n)))).* "
                "FROM contracts c, generate_series(1, $1::int) n WHERE c.id = $2",
                many,
                terms.contract_id,
            )
            await vacuum(owner, "contracts")
            read.append(await blocks_read(database, None, lambda session: contracts.expire(session, limit=100)))
    few, more = read
    assert more <= few + 2
