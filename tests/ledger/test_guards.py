"""The database's guards against raw SQL of its owner and superuser, of the platform and of tenants."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from dev.stack.migrate import ROOT
from domain.common import accounts
from domain.common.accounts import Account
from ledger import guards
from tests.conftest import DatabaseUrls
from tests.support.books import COMMISSION, LATER, NOW, Books, fresh
from tests.support.cases import for_each
from tests.support.connections import undone

pytestmark = pytest.mark.db

TABLES = ("accounts", "balances", "transfers", "entries", "holds")
INSERT_ENTRY = (
    "INSERT INTO ledger.entries (account_id, version, amount, balance_after, effective_at, transfer_id, stripe, asset,"
    " org_id)"
    " VALUES "
)


@pytest.fixture
async def tenant(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_urls.tenant)
    yield connection
    await connection.close()


@pytest.fixture
async def moved(books: Books) -> tuple[Account, asyncpg.Record]:
    """An account with one transfer, and its first entry."""
    account = await books.org(100)
    row = await books.connections[0].fetchrow(
        "SELECT e.* FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id WHERE a.path = $1", account.path
    )
    assert row is not None
    return account, row


@pytest.mark.parametrize("table", ["transfers", "entries"])
@pytest.mark.parametrize(
    "statement", ["UPDATE ledger.{} SET effective_at = now()", "DELETE FROM ledger.{}", "TRUNCATE ledger.{} CASCADE"]
)
async def test_history_is_immutable_for_its_owner(
    owner: asyncpg.Connection, moved: object, table: str, statement: str
) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute(statement.format(table))


@for_each(
    "statement",
    [
        "UPDATE ledger.accounts SET path = 'x'",
        "UPDATE ledger.accounts SET org_id = 'org_thief'",
        "UPDATE ledger.balances SET account_id = 0",
        "UPDATE ledger.holds SET amount = 1",
        *(f"DELETE FROM ledger.{table}" for table in TABLES),
        *(f"TRUNCATE ledger.{table} CASCADE" for table in TABLES),
    ],
)
async def test_identities_are_immutable_for_their_owner(
    owner: asyncpg.Connection, moved: object, statement: str
) -> None:
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute(statement)


@pytest.mark.parametrize("path", ["public", "pg_catalog, pg_temp", "pg_temp, pg_catalog"])
async def test_unbalanced_or_foreign_entries_are_refused_to_their_owner_under_any_search_path(
    owner: asyncpg.Connection, books: Books, moved: tuple[Account, asyncpg.Record], path: str
) -> None:
    # Including the function's own path: no setting switches the guard off.
    await owner.execute(f"SET search_path = {path}")
    _, entry = moved
    cash = accounts.org_cash(fresh("org"), "USD")
    another = await books.ledger.post(
        key=fresh("k"),
        kind="t",
        source=accounts.platform("exchange", "USD"),
        destination=cash,
        amount_minor=1,
        effective_at=NOW,
    )
    dollars = await owner.fetchval("SELECT id FROM ledger.accounts WHERE path = $1", cash.path)
    credits, transfer = entry["account_id"], entry["transfer_id"]
    unknown = "00000000-0000-7000-8000-000000000000"

    def row(
        account: int, version: int, amount: int, asset: str = "CREDIT", of: object = transfer, org: object = None
    ) -> str:
        owner = org or f"(SELECT org_id FROM ledger.accounts WHERE id = {account})"
        return f"({account}, {version}, {amount}, 0, now(), '{of}', 0, '{asset}', {owner})"

    for rows in (
        [row(credits, 50, 5)],
        [row(credits, 50, 5), row(credits, 51, -4)],
        [row(credits, 50, 0)],
        [row(credits, 50, 5, org="'org_thief'"), row(credits, 51, -5)],
        [row(credits, 50, 5, org="NULL"), row(credits, 51, -5)],
        [row(credits, 50, 5), row(dollars, 51, -5, "USD")],
        [row(credits, 50, 5), row(dollars, 51, -5)],
        [row(credits, 50, 5), row(0, 51, -5)],
        [row(credits, 50, 5, of=unknown), row(credits, 51, -5, of=unknown)],
        [row(credits, 50, 5), row(credits, 51, -5, of=another.transfer_id)],
        [row(0, 50, 5), row(credits, 51, -5)],
        [row(credits, 50, 5), row(credits, 51, -5), row(0, 52, 5), row(credits, 53, -5)],
    ):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await owner.execute(INSERT_ENTRY + ", ".join(rows))
        assert caught.value.sqlstate == "BU007"
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(INSERT_ENTRY + f"{row(credits, 1, 5)}, {row(credits, 60, -5)}")


async def test_operators_of_the_owner_do_not_replace_those_of_the_guard(
    owner: asyncpg.Connection, moved: tuple[Account, asyncpg.Record]
) -> None:
    entry = moved[1]
    async with undone(owner):
        for kind in ("numeric", "bigint"):
            await owner.execute(
                f"CREATE FUNCTION pg_temp.never({kind}, {kind}) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN false;"
                f"CREATE OPERATOR public.<> (FUNCTION = pg_temp.never, LEFTARG = {kind}, RIGHTARG = {kind})"
            )
        await owner.execute("SET LOCAL search_path = public, pg_catalog")
        with pytest.raises(asyncpg.PostgresError) as caught:
            await owner.execute(
                f"{INSERT_ENTRY} ({entry['account_id']}, 50, 5, 0, now(), '{entry['transfer_id']}', 0, 'CREDIT',"
                f" '{entry['org_id']}')"
            )
        assert caught.value.sqlstate == "BU007"


async def test_floor_holds_against_its_owner(owner: asyncpg.Connection, moved: tuple[Account, asyncpg.Record]) -> None:
    account_id = moved[1]["account_id"]
    for change in ("posted = -1", "pending_out = 101", "pending_out = -1"):
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(f"UPDATE ledger.balances SET {change} WHERE account_id = $1", account_id)


async def test_second_transfer_under_one_key_is_refused_to_its_owner(owner: asyncpg.Connection, moved: object) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await owner.execute(
            "INSERT INTO ledger.transfers (idempotency_key, request_hash, kind, effective_at)"
            " SELECT idempotency_key, request_hash, kind, effective_at FROM ledger.transfers LIMIT 1"
        )


@pytest.mark.parametrize("table", TABLES)
async def test_no_role_but_the_owner_writes_a_table(
    books: Books, tenant: asyncpg.Connection, moved: object, table: str
) -> None:
    for connection in (books.connections[0], tenant):
        for statement in (
            f"INSERT INTO ledger.{table} SELECT * FROM ledger.{table}",
            f"UPDATE ledger.{table} SET metadata = NULL"
            if table in {"transfers", "holds"}
            else f"DELETE FROM ledger.{table}",
            f"DELETE FROM ledger.{table}",
            f"TRUNCATE ledger.{table}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_tenant_may_spend_its_own_credits_and_call_nothing_else_that_moves_money(
    tenant: asyncpg.Connection,
) -> None:
    names = await tenant.fetch(
        "SELECT p.oid::regprocedure::text AS name, has_function_privilege('bursar_api', p.oid, 'EXECUTE') AS may"
        " FROM pg_proc p WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'ledger')"
    )
    assert {row["name"].partition("(")[0] for row in names if row["may"]} == {
        *(f"ledger.{name}" for name in ("balance_as_of", "rate_at", "entries_not_added_up")),
        *(f"ledger.{name}" for name in ("charge", "charge_many", "charge_together")),
        *(f"ledger.{name}" for name in ("authorize", "settle", "release", "extend")),
        # What its own lots are worth; row-level security holds in all of them.
        *(f"ledger.{name}" for name in ("cross_rate", "granted_rate", "granted_room", "lot_worth", "lots_for")),
        *(f"ledger.{name}" for name in ("price_cost", "price_credits", "slices_worth")),
    }
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tenant.fetch("SELECT ledger.post('k', 'k', 256, 512, 1, NULL, now())")


async def test_functions_with_the_owners_rights_fix_their_search_path(owner: asyncpg.Connection) -> None:
    loose = await owner.fetch(
        "SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace AND p.prosecdef"
        " AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)"
    )
    assert loose == []


async def test_tenant_sees_its_own_rows_and_nothing_else(
    books: Books, tenant: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    mine, theirs = await books.org(100), await books.org(200)
    await books.ledger.post(
        key=fresh("k"), kind="t", source=mine, destination=COMMISSION, amount_minor=7, effective_at=NOW
    )
    between = await books.ledger.post(
        key=fresh("k"), kind="t", source=theirs, destination=mine, amount_minor=5, effective_at=NOW
    )
    for account in (mine, theirs):
        await books.ledger.hold(key=fresh("h"), account=account, amount_minor=3, expires_at=LATER, held_at=NOW)
    async with tenant.transaction():
        await tenant.execute("SELECT set_config('bursar.org_id', $1, true)", mine.org_id)
        assert [row["path"] for row in await tenant.fetch("SELECT path FROM ledger.accounts")] == [mine.path]
        assert [row["posted"] for row in await tenant.fetch("SELECT posted FROM ledger.balances")] == [98]
        assert [row["amount"] for row in await tenant.fetch("SELECT amount FROM ledger.entries ORDER BY version")] == [
            100, -7, 5,
        ]  # fmt: skip
        assert [row["amount"] for row in await tenant.fetch("SELECT amount FROM ledger.holds")] == [3]
        assert await tenant.fetchval("SELECT count(*) FROM ledger.transfers") == 3
        assert await tenant.fetchval("SELECT count(*) FROM ledger.transfers WHERE id = $1", between.transfer_id) == 1
        foreign = await owner.fetchval("SELECT id FROM ledger.accounts WHERE path = $1", theirs.path)
        assert await tenant.fetchval("SELECT ledger.balance_as_of($1, now())", foreign) == 0
    for table in TABLES:
        assert await tenant.fetchval(f"SELECT count(*) FROM ledger.{table}") == 0
        async with tenant.transaction():
            await tenant.execute("SELECT set_config('bursar.org_id', '', true)")
            assert await tenant.fetchval(f"SELECT count(*) FROM ledger.{table}") == 0


async def test_tenant_balance_reads_one_organization_and_forgets_it(books: Books, tenant: asyncpg.Connection) -> None:
    orgs = [await books.org(10 + number) for number in range(10)]
    cash = accounts.org_cash(str(orgs[0].org_id), "USD")
    await books.ledger.post(
        key=fresh("k"), kind="t", source=accounts.platform("exchange", "USD"), destination=cash,
        amount_minor=77, effective_at=NOW,
    )  # fmt: skip
    await books.ledger.hold(key=fresh("h"), account=orgs[0], amount_minor=4, expires_at=LATER, held_at=NOW)
    query = "SELECT posted, pending_out FROM tenant_balance($1, $2)"
    # More often than the five times after which PostgreSQL may keep one plan for all organizations.
    for _ in range(3):
        for number, org in enumerate(orgs):
            row = await tenant.fetchrow(query, org.org_id, "CREDIT")
            assert tuple(row) == (10 + number, 0 if number else 4)
            assert await tenant.fetchval("SELECT current_setting('bursar.org_id', true)") in (None, "")
    assert tuple(await tenant.fetchrow(query, orgs[0].org_id, "USD")) == (77, 0)
    assert tuple(await tenant.fetchrow(query, orgs[1].org_id, "USD")) == (0, 0)
    assert tuple(await tenant.fetchrow(query, "org_nobody", "CREDIT")) == (0, 0)
    assert await tenant.fetchval("SELECT count(*) FROM ledger.balances") == 0


@pytest.mark.parametrize("org", ["%", "' OR true --", "../org", ""])
async def test_tenant_balance_takes_no_pattern(books: Books, tenant: asyncpg.Connection, org: str) -> None:
    await books.org(10)
    assert tuple(await tenant.fetchrow("SELECT * FROM tenant_balance($1, 'CREDIT')", org)) == (0, 0)


async def test_transaction_cannot_change_its_tenant(books: Books, tenant: asyncpg.Connection) -> None:
    mine, theirs = await books.org(1), await books.org(2)
    async with tenant.transaction():
        await tenant.execute("SELECT set_config('bursar.org_id', $1, true)", mine.org_id)
        assert await tenant.fetchval("SELECT posted FROM tenant_balance($1, 'CREDIT')", mine.org_id) == 1
        with pytest.raises(asyncpg.PostgresError, match="another organization"):
            async with tenant.transaction():
                await tenant.fetchval("SELECT posted FROM tenant_balance($1, 'CREDIT')", theirs.org_id)


async def test_platform_role_cannot_call_the_inner_functions(books: Books) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await books.connections[0].fetch("SELECT ledger.write_legs('{}', '{}', '{}', '{}', now())")


async def test_new_functions_cannot_be_called_before_they_are_granted(fresh_database_urls: DatabaseUrls) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    body = "(a bigint) RETURNS bigint LANGUAGE sql RETURN a"
    await owner.execute(f"CREATE FUNCTION ledger.later{body}; CREATE FUNCTION public.later{body}")
    may = "SELECT has_function_privilege('bursar_api', $1::regprocedure, 'EXECUTE')"
    granted = [await owner.fetchval(may, f"{schema}.later(bigint)") for schema in ("ledger", "public")]
    await owner.close()
    assert granted == [False, False]


async def test_sql_files_are_idempotent(fresh_database_urls: DatabaseUrls) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)

    async def lines() -> list[str]:
        async with owner.transaction():
            await owner.execute(guards.SEARCH_PATH)
            return sorted(str(row["line"]) for row in await owner.fetch(guards.QUERY))

    before = await lines()
    for path in sorted((ROOT / "ledger/sql").glob("*.sql")):
        await owner.execute(path.read_text("utf-8"))
    after = await lines()
    await owner.close()
    assert after == before
