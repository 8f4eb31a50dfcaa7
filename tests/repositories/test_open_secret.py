"""The one way to a sealed value: grants, uses a day, entries, and what no role may select."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select

from domain.common.access import Actor, Role
from domain.secrets.access import AccessOutcome, AccessVerb
from domain.secrets.grant import matches
from ledger.invariants import Invariant
from models.secrets.access import SecretAccess
from models.secrets.grant import SecretGrantDay
from models.secrets.secret import Secret
from providers.secrets.base import ValueLocation
from repositories.secrets import grant as grants, secret as secrets
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.secrets import secret
from services.tenants import organization
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.locks import somebody_waits
from tests.support.proving import prove
from tests.support.rows import rows_of
from tests.support.secrets import NOW, Vaulted

pytestmark = pytest.mark.db


@pytest.fixture
async def org(db: Database) -> Vaulted:
    return await Vaulted.of(db)


async def entries(org: Vaulted) -> list[SecretAccess]:
    async with org.database.platform() as session:
        query = select(SecretAccess).where(SecretAccess.org_id == org.org_id).order_by(SecretAccess.number)
        return list(await session.scalars(query))


async def uses(org: Vaulted) -> dict[str, int]:
    async with org.database.platform() as session:
        found = await session.scalars(select(SecretGrantDay).where(SecretGrantDay.org_id == org.org_id))
        return {row.grant_id: row.uses for row in found}


async def test_a_grant_opens_a_secret_counts_the_use_and_leaves_an_entry(org: Vaulted):
    made = await org.put(value=b"first")
    grant_id = await org.grant(price_minor=250)

    opened = await org.open(reference="use_1")
    assert await opened.value(org.secrets) == b"first"
    assert (opened.secret_id, opened.grant.id, opened.grant.price_minor) == (made.id, grant_id, 250)

    [entry] = await entries(org)
    assert (entry.secret_id, entry.path, entry.version, entry.verb) == (made.id, "api_keys/model", 1, "use")
    assert (entry.outcome, entry.grant_id, entry.agent_id) == ("opened", grant_id, org.agent_id)
    assert (entry.host, entry.method, entry.reference, entry.at) == ("api.example.com", "POST", "use_1", NOW)
    assert await uses(org) == {grant_id: 1}


@pytest.mark.parametrize(
    ("asked", "grant", "outcome"),
    [
        ({}, None, AccessOutcome.NO_GRANT),
        ({}, {"ends_at": NOW}, AccessOutcome.NO_GRANT),
        ({}, {"revoked_at": NOW, "revoked_by": "olga"}, AccessOutcome.NO_GRANT),
        ({}, {"paths": ["api_keys/models/*"]}, AccessOutcome.NO_GRANT),
        ({}, {"paths": ["api_keys/mod"]}, AccessOutcome.NO_GRANT),
        ({}, {"paths": ["access_credentials/*"]}, AccessOutcome.NO_GRANT),
        ({}, {"paths": ["api_keys/%/*"]}, AccessOutcome.NO_GRANT),
        ({}, {"principal": "ada"}, AccessOutcome.NO_GRANT),
        ({"agent_id": None}, {}, AccessOutcome.NO_GRANT),
        ({"agent_id": None, "principal": "ADA"}, {"principal": "ada"}, AccessOutcome.OPENED),
        ({"agent_id": "agt_other"}, {}, AccessOutcome.NO_GRANT),
        ({"path": "api_keys/other"}, None, AccessOutcome.NO_GRANT),
        ({"path": "api_keys/other"}, {}, AccessOutcome.NOT_FOUND),
        ({"host": "evil.example.com"}, {}, AccessOutcome.HOST),
        ({"host": None}, {}, AccessOutcome.HOST),
        ({"method": "GET"}, {}, AccessOutcome.METHOD),
        ({"headers": ("x-a",)}, {}, AccessOutcome.HEADER),
        ({"headers": ("x-a", "x-b")}, {"headers": ["x-a"]}, AccessOutcome.HEADER),
        ({"headers": ("x-a",)}, {"headers": ["x-b", "x-a"]}, AccessOutcome.OPENED),
        ({"version": 2}, {}, AccessOutcome.NO_VERSION),
        ({"verb": AccessVerb.READ}, {}, AccessOutcome.NO_GRANT),
        ({"verb": AccessVerb.READ}, {"verbs": ["read"]}, AccessOutcome.NO_GRANT),
        ({"verb": AccessVerb.READ, "agents_read": True}, {"verbs": ["read"]}, AccessOutcome.OPENED),
        ({"verb": AccessVerb.READ, "agent_id": None}, {"verbs": ["read"], "principal": "ada"}, AccessOutcome.OPENED),
        ({"verb": AccessVerb.CHECK}, None, AccessOutcome.OPENED),
        ({"verb": AccessVerb.ROTATE, "version": 9}, None, AccessOutcome.NO_VERSION),
    ],
)
async def test_a_use_outside_of_the_grant_is_refused_with_an_entry_and_not_counted(
    org: Vaulted, asked: dict[str, Any], grant: dict[str, Any] | None, outcome: AccessOutcome
):
    await org.put()
    if grant is not None:
        paths = grant.pop("paths", ())
        await org.grant(*paths, **grant)
    opened = await org.open(**asked)
    assert opened.outcome is outcome
    assert (opened.stored.sealed is not None) == (outcome is AccessOutcome.OPENED)
    assert [entry.outcome for entry in await entries(org)] == [outcome.value]
    assert sum((await uses(org)).values()) == (outcome is AccessOutcome.OPENED and grant is not None)


async def test_the_function_and_the_lists_name_the_same_paths(db: Database):
    names = ["a", "ab", "a/b", "a/b/c", "ab/c", "a_b/c", "a%/b", "a.b", "a*", "a/*b"]
    paths = [f"api_keys/{name}" for name in names]
    patterns = [*paths, *(f"{path}/*" for path in paths), "api_keys/*", "payments/*"]
    async with db.platform() as session:
        for path in paths:
            for pattern in patterns:
                found = await session.scalar(select(func.secret_path_in(path, [pattern, "payments/x"])))
                assert found is matches(path, [pattern, "payments/x"]), (path, pattern)


async def test_a_secret_that_names_hosts_is_used_for_these_only(org: Vaulted):
    await org.put(hosts=("other.example.com",))
    await org.grant()
    assert (await org.open()).outcome is AccessOutcome.HOST


async def test_a_second_grant_serves_where_the_first_one_does_not(org: Vaulted):
    await org.put()
    # The one with the lower id comes first, and ids of one millisecond are in no order.
    first, second = sorted(new_id("sgr") for _ in range(2))
    await org.grant(id=first, uses_per_day=1)
    await org.grant(id=second)
    await org.grant(hosts=["other.example.com"])
    assert [(await org.open()).grant.id for _ in range(3)] == [first, second, second]


async def test_concurrent_callers_use_a_grant_exactly_as_often_as_its_day_allows(org: Vaulted):
    await org.put()
    grant_id = await org.grant(uses_per_day=7)
    opened = await asyncio.gather(*(org.open() for _ in range(20)))
    found = [each.outcome for each in opened]
    assert (found.count(AccessOutcome.OPENED), found.count(AccessOutcome.USES)) == (7, 13)
    assert await uses(org) == {grant_id: 7}
    assert len(await entries(org)) == 20
    assert (await org.open(NOW + timedelta(hours=15, minutes=59))).outcome is AccessOutcome.USES
    assert (await org.open(NOW + timedelta(hours=16))).outcome is AccessOutcome.OPENED


async def test_the_previous_version_opens_until_its_grace_ends_and_a_pending_one_only_for_the_platform(org: Vaulted):
    made = await org.put(value=b"old")
    await org.grant()
    stored = await org.secrets.backend("postgres").store(ValueLocation(org.org_id, "api_keys/model", 2), b"new")
    async with org.database.platform() as session:
        await secret.add_version(session, made.id, 2, stored, created_by="r", command_id=f"{made.id}/2", now=NOW)
    assert (await org.open(version=2)).outcome is AccessOutcome.NO_VERSION
    assert await (await org.open(version=2, verb=AccessVerb.ROTATE)).value(org.secrets) == b"new"

    async with org.database.platform() as session:
        (await session.get_one(Secret, made.id)).last_number = 2
        await secret.promote(session, made.id, 2, usable_until=NOW + timedelta(hours=1), now=NOW)
    assert await (await org.open()).value(org.secrets) == b"new"
    assert await (await org.open(version=1)).value(org.secrets) == b"old"
    assert (await org.open(NOW + timedelta(hours=1), version=1)).outcome is AccessOutcome.NO_VERSION


async def test_opening_while_a_value_is_replaced_gets_one_of_them(org: Vaulted, database_urls: DatabaseUrls):
    made = await org.put(value=b"old")
    await org.grant()
    one = Database(database_urls.tenant, database_urls.platform, pool_size=1)
    asking = replace(org, database=one)
    # The one connection knows the function then, and begins it before it waits.
    await asking.open()
    owner = await asyncpg.connect(database_urls.owner)
    try:
        async with asyncio.TaskGroup() as group, owner.transaction():
            await owner.execute("LOCK TABLE secret_versions IN ACCESS EXCLUSIVE MODE")
            opening = group.create_task(asking.open())
            await somebody_waits(org.database)
            await owner.execute("UPDATE secret_versions SET status = 'retired' WHERE secret_id = $1", made.id)
            await owner.execute(
                "INSERT INTO secret_versions SELECT secret_id, 2, org_id, 'current', sealed, wrapped_key, key_id, NULL,"
                " created_by, command_id || '/2', created_at FROM secret_versions WHERE secret_id = $1",
                made.id,
            )
            await owner.execute("UPDATE secrets SET current_version = 2, last_number = 2 WHERE id = $1", made.id)
    finally:
        await owner.close()
        await one.close()
    assert opening.result().outcome is AccessOutcome.OPENED


async def test_a_destroyed_version_leaves_nothing_that_opens(org: Vaulted):
    made = await org.put()
    await org.grant()
    async with org.database.platform() as session:
        await secret.destroy(session, org.owner, made.id, 1, now=NOW)
    assert (await org.open()).outcome is AccessOutcome.NO_VERSION
    assert (await org.open(version=1, verb=AccessVerb.CHECK)).outcome is AccessOutcome.NO_VERSION


async def test_a_closed_organization_leaves_no_value_that_opens(org: Vaulted, database_urls: DatabaseUrls):
    made = await org.put()
    await org.put()
    assert (await org.open(verb=AccessVerb.CHECK, version=1)).outcome is AccessOutcome.OPENED
    async with org.database.platform() as session:
        operator = Actor(principal="ops", role=Role.OPERATOR)
        await organization.close(session, operator, org.org_id, reason=None, now=NOW)
    for version in (None, 1, 2):
        assert (await org.open(verb=AccessVerb.CHECK, version=version)).outcome is AccessOutcome.NO_VERSION
    async with org.database.platform() as session:
        assert {row.status for row in await secrets.versions(session, made.id)} == {"destroyed"}
    await prove(database_urls, secrets.INVARIANTS)


@pytest.mark.parametrize("role", ["tenant", "platform"])
@pytest.mark.parametrize("column", ["sealed", "wrapped_key"])
async def test_no_role_can_select_sealed_values(database_urls: DatabaseUrls, role: str, column: str):
    async with connected(getattr(database_urls, role)) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT {column} FROM secret_versions")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"UPDATE secret_versions SET status = status RETURNING {column}")


async def test_tenants_neither_open_nor_write_nor_see_secrets_of_others(org: Vaulted):
    made = await org.put()
    other = await Vaulted.of(org.database)
    async with org.database.tenant(other.org_id) as session:
        assert await session.scalar(select(Secret.id).where(Secret.id == made.id)) is None
    for statement in (
        f"SELECT open_secret('a', 'b', 1, 'check', 'x', {'NULL, ' * 9} true, now())",
        "INSERT INTO secret_access DEFAULT VALUES",
        "UPDATE secret_grant_days SET uses = 1",
        "UPDATE secret_grants SET ends_at = now()",
    ):
        async with org.database.tenant(org.org_id) as session:
            driver = await driver_connection(session)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await driver.execute(statement)


@pytest.mark.parametrize(
    ("rules", "damage"),
    [
        (grants.INVARIANTS, "UPDATE secret_grant_days SET uses = uses + 1"),
        (grants.INVARIANTS, "DELETE FROM secret_grant_days"),
        (grants.INVARIANTS, "DELETE FROM secret_access"),
        (secrets.INVARIANTS, "UPDATE secrets SET current_version = NULL"),
        (secrets.INVARIANTS, "UPDATE secrets SET last_number = 1, current_version = 1"),
        (secrets.INVARIANTS, "UPDATE secret_versions SET status = 'retired' WHERE status = 'current'"),
    ],
)
async def test_verify_finds_uses_without_entries_and_versions_that_are_not_current(
    database: Database, fresh_database_urls: DatabaseUrls, rules: Sequence[Invariant], damage: str
):
    org = await Vaulted.of(database)
    await org.put()
    await org.put()
    await org.grant()
    assert (await org.open()).outcome is AccessOutcome.OPENED
    [rule] = rules
    async with rows_of(fresh_database_urls) as rows:
        assert await rows.fetch(rule.violations) == []
        await rows.change(damage)
        assert len(await rows.fetch(rule.violations)) == 1
