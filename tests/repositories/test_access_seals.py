"""The log of access to secrets is sealed behind the oldest open transaction, and what was done to it since is found."""

import re

import asyncpg
import pytest
from sqlalchemy import text

from domain.common.errors import Conflict
from models.secrets.access import SecretAccess
from repositories.secrets import access as repository
from runtime.database import Database
from services.secrets import access, secret
from services.secrets.access import ChainReport, SealResult
from tests.conftest import DatabaseUrls
from tests.docs.pages import ROOT
from tests.support.connections import connected
from tests.support.rows import Rows, rows_of
from tests.support.secrets import NOW, Vaulted

pytestmark = pytest.mark.db

PAGE = ROOT / "docs/guides/secrets.md"
SQL = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
async def org(database: Database) -> Vaulted:
    made = await Vaulted.of(database)
    await made.put()
    await made.grant()
    return made


async def seal(org: Vaulted, limit: int = 100) -> SealResult:
    async with org.database.platform() as session:
        return await access.seal(session, limit=limit, now=NOW)


async def seal_all(org: Vaulted, entries: int) -> None:
    """Seal a number of entries, also while other transactions of the server are open and delay some of them."""
    sealed = 0
    while sealed < entries:
        sealed += (await seal(org, limit=2)).count


async def verify(org: Vaulted) -> ChainReport:
    async with org.database.repeatable_read(None) as session:
        return await access.verify(session)


async def test_each_entry_is_sealed_once_and_the_chain_holds(org: Vaulted):
    assert (await verify(org)).seals == 0
    for _ in range(5):
        await org.open()
    await seal_all(org, 5)
    found = await verify(org)
    assert (found.entries, found.unsealed, found.problems) == (5, 0, [])
    assert await seal(org) == SealResult(count=0, number=found.seals, hash=found.hash)

    await org.open()
    assert (await verify(org)).unsealed == 1
    await seal_all(org, 1)
    again = await verify(org)
    assert (again.seals, again.entries, again.problems) == (found.seals + 1, 6, [])
    assert again.hash != found.hash


async def test_an_entry_of_an_open_transaction_delays_later_entries(org: Vaulted):
    async with org.database.platform() as slow:
        await slow.execute(text("SELECT pg_current_xact_id()"))
        await org.open()
        assert (await seal(org)).count == 0
        await secret.open(slow, org.opening(), now=NOW)
    await seal_all(org, 2)
    assert (await verify(org)).problems == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE secret_access SET purpose = 'Other' WHERE number = 2", "does not follow"),
        ("UPDATE secret_access SET at = at + interval '1 microsecond' WHERE number = 2", "does not follow"),
        ("UPDATE secret_access SET outcome = 'uses', grant_id = NULL WHERE number = 2", "does not follow"),
        ("DELETE FROM secret_access WHERE number = 2", "covers"),
        ("DELETE FROM secret_access WHERE number <= 2", "covers"),
        (
            "INSERT INTO secret_access (number, written_in, org_id, path, verb, outcome, principal, at)"
            " OVERRIDING SYSTEM VALUE SELECT 0, written_in, org_id, path, verb, outcome, principal, at"
            " FROM secret_access WHERE number = 2",
            "covers",
        ),
        (
            "INSERT INTO secret_access (number, written_in, org_id, path, verb, outcome, principal, at)"
            " OVERRIDING SYSTEM VALUE SELECT -5, -1, org_id, path, verb, outcome, principal, at"
            " FROM secret_access WHERE number = 2",
            "covers",
        ),
        ("UPDATE secret_access SET number = CASE number WHEN 1 THEN -2 ELSE -1 END WHERE number IN (1, 2)", "Seal 1"),
        ("UPDATE secret_access_seals SET hash = sha256('x') WHERE number = 1", "does not follow"),
        ("DELETE FROM secret_access_seals WHERE number = 2", "missing"),
        ("DELETE FROM secret_access_seals WHERE number = 1", "missing"),
    ],
)
async def test_a_changed_removed_or_inserted_entry_is_found(
    org: Vaulted, fresh_database_urls: DatabaseUrls, change: str, found: str
):
    for _ in range(6):
        await org.open()
    await seal_all(org, 6)
    assert (await verify(org)).problems == []
    async with rows_of(fresh_database_urls) as rows:
        await check(org, rows, change, found)


async def check(org: Vaulted, rows: Rows, change: str, found: str) -> None:
    await rows.change("ALTER TABLE secret_access ALTER number DROP IDENTITY IF EXISTS")
    await rows.change(change)
    assert any(found in problem for problem in (await verify(org)).problems), (await verify(org)).problems


async def test_a_seal_ahead_of_the_servers_transactions_is_found_and_ends_no_sealing_silently(org: Vaulted):
    await org.open()
    await seal_all(org, 1)
    async with org.database.platform() as session:
        await session.execute(
            text(
                "INSERT INTO secret_access_seals SELECT number + 1, 9223372036854775807, last_number, 1, hash,"
                " sealed_at FROM secret_access_seals ORDER BY number DESC LIMIT 1"
            )
        )
    await org.open()
    with pytest.raises(Conflict, match="ahead of the server's transactions"):
        await seal(org)
    assert any("ahead of the server's transactions" in problem for problem in (await verify(org)).problems)


async def test_a_log_moved_to_another_server_is_chained_again_as_documented(
    org: Vaulted, fresh_database_urls: DatabaseUrls
):
    for _ in range(2):
        await org.open()
    await seal_all(org, 2)
    async with rows_of(fresh_database_urls) as rows:
        # The old server was many transactions ahead.
        await rows.change("UPDATE secret_access SET written_in = written_in + 1099511627776")
        await rows.change("UPDATE secret_access_seals SET last_written_in = last_written_in + 1099511627776")
    await org.open()
    assert any("ahead of" in problem for problem in (await verify(org)).problems)
    [statements] = [each for each in SQL.findall(PAGE.read_text("utf-8")) if "secret_access" in each]
    async with connected(fresh_database_urls.owner) as owner:
        await owner.execute(statements)
        with pytest.raises(asyncpg.PostgresError, match=r"append-only|identity"):
            await owner.execute("UPDATE secret_access SET purpose = 'Other'")
    await seal_all(org, 3)
    found = await verify(org)
    assert (found.entries, found.unsealed, found.problems) == (3, 0, [])


@pytest.mark.parametrize("table", ["secret_access", "secret_access_seals"])
async def test_nobody_changes_the_log(fresh_database_urls: DatabaseUrls, org: Vaulted, table: str):
    await org.open()
    await seal_all(org, 1)
    async with connected(fresh_database_urls.owner) as owner:
        for statement in (f"UPDATE {table} SET number = number", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(asyncpg.PostgresError, match=r"append-only|identity"):
                await owner.execute(statement)


def test_every_column_of_an_entry_is_sealed():
    sealed = set(re.findall(r"\w+", str(repository.CANONICAL)))
    assert {column.key for column in SecretAccess.__table__.columns} <= sealed
