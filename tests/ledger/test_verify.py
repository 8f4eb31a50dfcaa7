"""Each kind of damage that a superuser can do with the guards switched off is found and named."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from commands.verify import verify
from domain.common import accounts
from ledger import guards
from ledger.gateway import Ledger, Posting
from manage import main
from runtime.roles import make_reader
from tests.conftest import DatabaseUrls
from tests.ledger.damage import assert_found
from tests.support.books import COMMISSION, LATER, NEW_LOT, NOW, Books, fresh, open_books
from tests.support.connections import as_owner, connected, undone

pytestmark = pytest.mark.db

ORG = "(SELECT id FROM ledger.accounts WHERE path LIKE 'org/%' ORDER BY created_at LIMIT 1)"
OTHER = f"(SELECT max(id) FROM ledger.accounts WHERE path LIKE 'org/%/credits' AND asset = 'CREDIT' AND id <> {ORG})"
LAST = f"(SELECT max(version) FROM ledger.entries WHERE account_id = {ORG})"
#: Erases the last transfer of its accounts and leaves no trace within the books: what remains is right in itself.
ERASE = """
CREATE TEMP TABLE gone AS SELECT * FROM ledger.entries WHERE transfer_id = (SELECT transfer_id FROM {named_by});
DELETE FROM ledger.entries WHERE transfer_id IN (SELECT transfer_id FROM gone);
DELETE FROM ledger.transfers WHERE id IN (SELECT transfer_id FROM gone);
UPDATE ledger.balances b SET posted = b.posted - t.amount, version = b.version - t.number
FROM (SELECT account_id, stripe, sum(amount) AS amount, count(*) AS number FROM gone GROUP BY account_id, stripe) t
WHERE t.account_id = b.account_id AND t.stripe = b.stripe;
"""
DAMAGES = {
    "changed amount": (
        f"UPDATE ledger.entries SET amount = amount + 1 WHERE account_id = {ORG} AND version = 1",
        {"every transfer has entries", "every balance equals", "versions run from 1"},
    ),
    "lost entry": (
        f"DELETE FROM ledger.entries WHERE account_id = {ORG} AND version = 1",
        {"every transfer has entries", "every balance equals", "versions run from 1"},
    ),
    "lost last entry": (
        f"DELETE FROM ledger.entries WHERE account_id = {ORG} AND version = {LAST}",
        {"every transfer has entries", "every balance equals", "every captured hold"},
    ),
    "transfer without entries": (
        "INSERT INTO ledger.transfers (idempotency_key, request_hash, kind, effective_at)"
        " VALUES ('forged', '', 'x', now())",
        {"every transfer has entries"},
    ),
    "lost transfer": (
        "DELETE FROM ledger.transfers WHERE hold_id IS NULL AND kind = 'test.issue'",
        {"every entry belongs", "every credit lot"},
    ),
    "entry of another asset": (
        "UPDATE ledger.entries SET asset = 'USD'",
        {"every entry belongs"},
    ),
    "entry at another time": (
        "UPDATE ledger.entries SET effective_at = effective_at + interval '1 day'",
        {"every entry belongs"},
    ),
    "key of two transfers": (
        "ALTER TABLE ledger.transfers DROP CONSTRAINT uq_transfers_idempotency_key;"
        "UPDATE ledger.transfers SET idempotency_key = 'same'",
        {"every key has one transfer", "every constraint of the books"},
    ),
    "key of two holds": (
        "ALTER TABLE ledger.holds DROP CONSTRAINT uq_holds_idempotency_key;"
        "UPDATE ledger.holds SET idempotency_key = 'same'",
        {"every key has one hold", "every constraint of the books"},
    ),
    "money from nowhere": (
        f"UPDATE ledger.balances SET posted = posted + 1000 WHERE account_id = {ORG}",
        {"all balances of an asset", "every balance equals", "the lots of each account"},
    ),
    "money moved by hand": (
        f"UPDATE ledger.balances SET posted = posted + CASE account_id WHEN {ORG} THEN 3 ELSE -3 END"
        f" WHERE account_id IN ({ORG}, {OTHER})",
        {"every balance equals", "the lots of each account"},
    ),
    "wrong version": (
        f"UPDATE ledger.balances SET version = version + 1 WHERE account_id = {ORG}",
        {"every balance equals"},
    ),
    "gap in versions": (
        f"UPDATE ledger.entries SET version = version + 1 WHERE account_id = {ORG} AND version = {LAST}",
        {"every balance equals", "versions run from 1"},
    ),
    "broken chain": (
        f"UPDATE ledger.entries SET balance_after = balance_after + 1 WHERE account_id = {ORG} AND version = 1",
        {"versions run from 1"},
    ),
    "reservation without a hold": (
        f"UPDATE ledger.balances SET pending_out = pending_out + 1 WHERE account_id = {ORG}",
        {"reserved money", "the lots of each account"},
    ),
    "hold without a reservation": (
        "UPDATE ledger.holds SET amount = amount + 1 WHERE status = 'pending'",
        {"reserved money", "every hold has pinned lots"},
    ),
    "capture of another amount": (
        "UPDATE ledger.holds SET captured = captured + 1 WHERE status = 'posted'",
        {"every captured hold"},
    ),
    "capture forgotten": (
        "UPDATE ledger.holds SET status = 'voided', captured = 0, ended_transfer_id = NULL WHERE status = 'posted'",
        {"every captured hold"},
    ),
    "below the floor": (
        f"ALTER TABLE ledger.balances DROP CONSTRAINT ck_balances_floor;"
        f"UPDATE ledger.balances SET posted = -5 WHERE account_id = {ORG}",
        {
            "all balances of an asset",
            "every balance equals",
            "every account has its stripes",
            "every constraint of the books",
            "the lots of each account",
        },
    ),
    "floor lifted": (
        f"UPDATE ledger.balances SET floor = NULL WHERE account_id = {ORG}",
        {"every account has its stripes"},
    ),
    "id in the bucket of others": (
        "INSERT INTO ledger.accounts (id, path, asset, org_id, kind, floor, stripes)"
        " SELECT (ledger.bucket_of('org_1') + 1) << 51 | 256 * 9, 'org/org_1/cash/USD', 'USD', 'org_1',"
        " 'liability', 0, 1;"
        "INSERT INTO ledger.balances (account_id, stripe, floor, asset, org_id)"
        " SELECT id, 0, floor, asset, org_id FROM ledger.accounts WHERE path = 'org/org_1/cash/USD'",
        {"every account has its stripes"},
    ),
    "lost stripe": (
        "DELETE FROM ledger.balances WHERE (account_id, stripe) ="
        " (SELECT account_id, stripe FROM ledger.balances WHERE version = 0 AND stripe > 0 LIMIT 1)",
        {"every account has its stripes"},
    ),
    "day that no entry made": (
        "INSERT INTO ledger.accounting_days (day, line, kind, asset, debits, credits)"
        " VALUES ('2026-01-01', 'platform/commission', 'revenue', 'CREDIT', 0, 1)",
        {"the daily totals"},
    ),
    "day of earnings that no entry made": (
        "INSERT INTO ledger.earning_days (account_id, day, earned, paid_out) VALUES (1, '2026-01-01', 1, 0)",
        {"the daily earnings"},
    ),
    "price of credits in escrow that no use of a lot made": (
        "INSERT INTO ledger.cost_days (org_id, day, line, agent_id, asset, came, went)"
        " VALUES ('', '2026-01-01', 'customers/escrow', '', 'USD', 1, 0)",
        {"what was paid for credits in escrows"},
    ),
    "transfer of an escrow erased, its balances set back": (
        ERASE.format(named_by="escrow_events"),
        {"every transfer in the timeline", "each escrow's", "the lots of each account"},
    ),
    "transfer of a lot erased, its balances set back": (
        ERASE.format(named_by="credit_lots"),
        {"every credit lot", "the lots of each account"},
    ),
    "timeline that names no transfer": (
        "UPDATE public.escrow_events SET transfer_id = uuidv7()",
        {"every transfer in the timeline"},
    ),
    "movement at a provider that nobody booked": (
        "INSERT INTO payment_movements (provider, key, kind, amount_minor, currency, transfer_id, occurred_at)"
        " VALUES ('stripe', 'ch_1', 'charge', 1, 'USD', uuidv7(), now())",
        {"each provider's"},
    ),
    "lot of another amount": (
        "UPDATE public.credit_lots SET amount_minor = amount_minor + 1",
        {"every credit lot"},
    ),
    "escrow that says more was released": (
        "UPDATE public.escrows SET released_minor = released_minor + 1, funded_minor = funded_minor + 1",
        {"each escrow's"},
    ),
    "escrow that says refunded for released": (
        "UPDATE public.escrows SET released_minor = 0, refunded_minor = released_minor",
        {"each escrow's"},
    ),
    "slot in use that no project occupies": (
        "UPDATE public.projects SET occupies_slot = false",
        {"slots in use"},
    ),
    "project that occupies a slot that was never taken": (
        "UPDATE public.projects SET occupies_slot = true",
        {"slots in use"},
    ),
    "deployment that took no slot by its events": (
        "UPDATE public.deployment_events SET slots = 0, transfer_id = NULL",
        {"slots in use"},
    ),
    "slot in use although the tier has room": (
        "UPDATE public.organizations SET tier = 'premium'",
        {"slots in use"},
    ),
    "transfer of a deployment erased, its balances set back": (
        ERASE.format(named_by="deployment_events WHERE transfer_id IS NOT NULL"),
        {"slots in use"},
    ),
    "floor no longer enforced": (
        "ALTER TABLE ledger.balances DROP CONSTRAINT ck_balances_floor",
        {"every constraint of the books"},
    ),
    "foreign key switched off": (
        "ALTER TABLE ledger.balances DISABLE TRIGGER ALL",
        {"every constraint of the books", "every trigger of the books"},
    ),
    "trigger switched off": (
        "ALTER TABLE ledger.entries DISABLE TRIGGER check_entries",
        {"every trigger of the books"},
    ),
    "trigger dropped": (
        "DROP TRIGGER immutable ON ledger.transfers",
        {"every trigger of the books"},
    ),
    "trigger that never fires": (
        "CREATE OR REPLACE TRIGGER ends_once BEFORE UPDATE ON ledger.holds FOR EACH ROW WHEN (false)"
        " EXECUTE FUNCTION ledger.refuse_change()",
        {"every trigger of the books"},
    ),
    "guard emptied": (
        "CREATE OR REPLACE FUNCTION ledger.check_entries() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$",
        {"every function of the books"},
    ),
    "row-level security switched off": (
        "ALTER TABLE ledger.entries DISABLE ROW LEVEL SECURITY",
        {"row-level security is on"},
    ),
    "policy for everybody": (
        "CREATE POLICY all_of_it ON ledger.accounts TO bursar_api USING (true)",
        {"row-level security is on"},
    ),
    "tenants may write": (
        "GRANT UPDATE ON ledger.balances TO bursar_api",
        {"only the owner writes"},
    ),
    "everybody may write a column": (
        "GRANT UPDATE (posted) ON ledger.balances TO PUBLIC",
        {"only the owner writes"},
    ),
    "tenants may post": (
        "GRANT EXECUTE ON FUNCTION ledger.post TO bursar_api",
        {"only the owner writes"},
    ),
    "tenants may read a view of all entries": (
        "CREATE VIEW public.statements AS SELECT * FROM ledger.entries;GRANT SELECT ON public.statements TO bursar_api",
        {"only the owner writes"},
    ),
    "everybody may read a column of a view of a view": (
        "CREATE VIEW public.statements AS SELECT * FROM ledger.balances;"
        "CREATE MATERIALIZED VIEW public.totals AS SELECT sum(posted) AS total FROM public.statements;"
        "GRANT SELECT (total) ON public.totals TO PUBLIC",
        {"only the owner writes"},
    ),
    "tenants may post through a function": (
        "CREATE FUNCTION public.pay(a bigint, b bigint) RETURNS record LANGUAGE sql SECURITY DEFINER"
        " AS $$ SELECT ledger.post(uuidv7()::text, 'x', a, b, 1, NULL, now()) $$;"
        "GRANT EXECUTE ON FUNCTION public.pay TO bursar_api",
        {"every function of the books", "only the owner writes"},
    ),
    "a function of before posts": (
        "CREATE OR REPLACE FUNCTION public.write_escrow_parties() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " AS $$ BEGIN PERFORM ledger.post(uuidv7()::text, 'x', 256, 512, 1, NULL, now()); RETURN NULL; END $$",
        {"every function of the books"},
    ),
    "rule instead of writing": (
        "CREATE RULE nothing AS ON INSERT TO ledger.entries DO INSTEAD NOTHING",
        {"every trigger of the books"},
    ),
    "debt above zero": (
        "SELECT ledger.post('x', 'x', (SELECT id FROM ledger.accounts WHERE path = 'platform/credit_issuance'),"
        " (SELECT account_id FROM ledger.open_account('org/o/debt/CREDIT', 'CREDIT', 'o', 'asset', NULL, 1::smallint)),"
        " 1, NULL, now())",
        {"no debt or receivable"},
    ),
    "revenue that no use explains": (
        "SELECT ledger.post('x', 'x', ledger.revenue_account('platform/deferred_revenue', 'USD'),"
        " ledger.revenue_account('platform/revenue/credits', 'USD'), 1, NULL, now())",
        {"deferred revenue and payables"},
    ),
    "breakage booked as the batch books": (
        "SELECT ledger.post('revenue:' || (SELECT begun FROM ledger.revenue_place) || ':x', 'revenue.recognised',"
        " ledger.revenue_account('platform/deferred_revenue', 'USD'),"
        " ledger.revenue_account('platform/breakage', 'USD'), 1, NULL, now())",
        {"deferred revenue and payables", "recognised, expired"},
    ),
    "a return that nothing returned": (
        "INSERT INTO ledger.lot_returns (transfer_id, used_by, leg, lot_id, account_id, amount, cost)"
        " VALUES (uuidv7(), uuidv7(), 1, uuidv7(), 256, 1, 0)",
        {"the returned part of each use"},
    ),
    "a lot that was given more time than it says": (
        "UPDATE ledger.lots SET extended = '1 day'",
        {"no lot ends later"},
    ),
    "entries of no account": (
        f"UPDATE ledger.entries SET account_id = account_id + 1 WHERE account_id = {ORG}",
        {"every entry belongs", "every balance equals", "every captured hold"},
    ),
}


@pytest.fixture
async def small_books(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Books]:
    """A database of its own with every kind of movement in it."""
    async with every_movement(fresh_database_urls) as books:
        yield books


@pytest.fixture(scope="module")
async def sound_database(module_database_urls: DatabaseUrls) -> DatabaseUrls:
    """A database with every kind of movement in it, which tests leave as it is."""
    async with every_movement(module_database_urls) as books:
        await books.assert_proven()
    return module_database_urls


@asynccontextmanager
async def every_movement(urls: DatabaseUrls) -> AsyncIterator[Books]:
    async with open_books(urls.platform, clients=1) as books:
        payer, payee = await books.org(100), await books.org(50)
        await books.ledger.post_compound(
            key=fresh("k"),
            kind="release",
            postings=[Posting(payer, payee, 10), Posting(payer, COMMISSION, 1)],
            effective_at=NOW,
        )
        held = [
            await books.ledger.hold(key=fresh("h"), account=payer, amount_minor=8, expires_at=LATER, held_at=NOW)
            for _ in range(2)
        ]
        await books.ledger.capture(
            key=fresh("c"), hold_id=held[0].hold_id, amount_minor=5, destination=payee, effective_at=NOW
        )
        await tell_of_money_beside_the_books(books, urls.owner)
        yield books


async def tell_of_money_beside_the_books(books: Books, url: str) -> None:
    """A lot of credits, an escrow of which a part was released, and two projects of which one occupies a slot."""
    builder = fresh("org")
    in_use = await books.ledger.post(
        key=fresh("k"),
        kind="slots.taken",
        source=accounts.platform("slot_issuance", "SLOT"),
        destination=accounts.org_slots_in_use(builder),
        amount_minor=1,
        effective_at=NOW,
    )
    holder, lucky = await books.org(50), await books.org()
    escrow = accounts.escrow(fresh("esc"), "CREDIT", str(holder.org_id))
    earnings = accounts.agent_earnings(fresh("agt"), "CREDIT", fresh("org"))
    await books.ledger.post(
        key=fresh("k"), kind="fund", source=holder, destination=escrow, amount_minor=30, effective_at=NOW
    )
    released = await books.ledger.post_compound(
        key=fresh("k"),
        kind="release",
        postings=[Posting(escrow, earnings, 9), Posting(escrow, COMMISSION, 1)],
        effective_at=NOW,
    )
    granted = await books.issue(lucky, 50)
    async with connected(url) as owner:
        # The organization, the contract and the rest of the story are not needed.
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(
            "INSERT INTO escrows (id, contract_id, org_id, payee_org_id, signatory_org_ids, agent_id, workflow_id,"
            " status, version, currency, amount_minor, funded_minor, released_minor, refunded_minor, commission_minor,"
            " state, created_at, updated_at) VALUES ($1, 'c', 'o', 'p', '{}', 'a', 'w', 'funded', 1, 'CREDIT', 30, 30,"
            " 9, 0, 1, '{}', now(), now())",
            escrow.path.removeprefix("escrow/"),
        )
        await owner.execute(
            "INSERT INTO escrow_events (escrow_id, number, kind, status, actor, command_id, transfer_id, details, at,"
            " recorded_at) VALUES ($1, 1, 'released', 'x', 'x', 'x', $2, '{}', now(), now())",
            escrow.path.removeprefix("escrow/"),
            released.transfer_id,
        )
        await owner.execute(
            "INSERT INTO credit_lots (id, org_id, source, amount_minor, transfer_id, created_by, command_id)"
            " VALUES ('lot', $1, 'promotion', 50, $2, 'x', 'x')",
            lucky.org_id,
            granted.transfer_id,
        )
        await owner.execute(
            "INSERT INTO organizations (id, name, created_by, command_id) VALUES ($1, 'x', 'x', 'x')", builder
        )
        await owner.execute(
            "INSERT INTO projects (id, org_id, slug, name, deployed_at, occupies_slot, created_by, command_id)"
            " SELECT slug, $1, slug, 'x', now(), slug = 'two', 'x', slug FROM unnest(ARRAY['one', 'two']) AS slug",
            builder,
        )
        await owner.execute(
            "INSERT INTO deployment_events (org_id, number, kind, project_id, slots, transfer_id, actor, command_id,"
            " plan, share, at) VALUES ($1, 1, 'deployed', 'one', 0, NULL, 'x', 'x', 'free', 1, now()),"
            " ($1, 2, 'deployed', 'two', 1, $2, 'x', 'y', 'free', 1, now())",
            builder,
            in_use.transfer_id,
        )


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_listed(sound_database: DatabaseUrls, name: str) -> None:
    await assert_found(sound_database, DAMAGES[name])


async def test_missing_and_changed_guards_are_listed(small_books: Books, fresh_database_urls: DatabaseUrls) -> None:
    async with connected(fresh_database_urls.owner) as owner:
        await owner.execute(
            "ALTER TABLE ledger.transfers DROP CONSTRAINT uq_transfers_idempotency_key;"
            "GRANT INSERT ON ledger.entries TO bursar_api"
        )
    report = await verify(small_books.connections[0])
    assert [check.violations for check in report.checks if check.violation_count] == [
        ("missing: constraint ledger.transfers uq_transfers_idempotency_key UNIQUE idempotency_key",),
        ("unexpected: grant INSERT on ledger.entries to bursar_api",),
    ]


async def test_role_with_changed_session_settings_is_listed(
    small_books: Books, fresh_database_urls: DatabaseUrls
) -> None:
    async with connected(fresh_database_urls.tenant) as tenant:
        name = await tenant.fetchval("SELECT current_database()")
        await tenant.execute(f'ALTER ROLE bursar_api IN DATABASE "{name}" SET search_path = evil, public')
        report = await verify(small_books.connections[0])
        await tenant.execute(f'ALTER ROLE bursar_api IN DATABASE "{name}" SET work_mem = 4096')
        await tenant.execute(f'ALTER ROLE bursar_api IN DATABASE "{name}" RESET search_path')
    assert [check.violations for check in report.checks if check.violation_count] == [
        ("missing: setting bursar_api (none)", "unexpected: setting bursar_api search_path=evil, public")
    ]
    assert (await verify(small_books.connections[0])).ok


async def test_additional_grants_of_a_reporting_login_are_listed(fresh_database_urls: DatabaseUrls) -> None:
    """Within a transaction that is rolled back, because roles are the whole server's."""
    owner = await asyncpg.connect(fresh_database_urls.owner)

    async def named() -> list[str]:
        await owner.execute(guards.SEARCH_PATH)
        found = guards.compare_guards(str(row["line"]) for row in await owner.fetch(guards.QUERY))
        return [line for lines in found.values() for line in lines]

    changing = owner.transaction()
    await changing.start()
    try:
        await make_reader(owner, "superset")
        sound = await named()
        database = await owner.fetchval("SELECT quote_ident(current_database())")
        await owner.execute(
            "ALTER ROLE superset SET search_path = evil; ALTER ROLE superset SET statement_timeout = 0;"
            "ALTER ROLE superset BYPASSRLS; ALTER ROLE bursar_reader LOGIN; GRANT bursar_api TO superset;"
            f"GRANT SELECT ON ledger.entries TO superset; GRANT TEMPORARY ON DATABASE {database} TO PUBLIC;"
            "GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC"
        )
        changed = await named()
    finally:
        await changing.rollback()
        await owner.close()
    assert (sound, changed) == (
        [],
        [
            "unexpected: grant EXECUTE on lo_create(oid) to PUBLIC",
            "unexpected: grant SELECT on ledger.entries to superset",
            "unexpected: grant TEMPORARY on the database to PUBLIC",
            "unexpected: grant bursar_reader logs in",
            "unexpected: grant rights of bursar_api to superset",
            "unexpected: grant superset passes row-level security by",
            "unexpected: setting superset search_path=evil",
            "unexpected: setting superset statement_timeout=0",
        ],
    )


async def test_unrestricted_roles_are_listed(fresh_database_urls: DatabaseUrls) -> None:
    """Within a transaction that is rolled back, because roles are the whole server's."""
    async with connected(fresh_database_urls.owner) as owner, undone(owner):
        await owner.execute("CREATE ROLE mallory SUPERUSER; ALTER ROLE bursar_platform SUPERUSER")
        await owner.execute(guards.SEARCH_PATH)
        found = guards.compare_guards(str(row["line"]) for row in await owner.fetch(guards.QUERY))
    assert {kind: lines for kind, lines in found.items() if lines} == {
        "grant": [
            "missing: grant bursar_platform is bound by row-level security",
            "unexpected: grant bursar_platform is a superuser",
            "unexpected: grant mallory is a superuser",
        ]
    }


async def test_no_snapshot_reads_more_than_a_slice_and_all_of_them_read_everything(small_books: Books) -> None:
    busy, other = await small_books.org(1000), await small_books.org(1000)
    for number in range(60):
        source, destination = (busy, other) if number % 2 else (other, busy)
        await small_books.ledger.post(
            key=fresh("k"),
            kind="t",
            source=source,
            destination=destination,
            amount_minor=1,
            effective_at=NOW,
            lots=NEW_LOT,
        )
    connection, snapshots = small_books.connections[0], list[str]()
    connection.add_query_logger(lambda query: snapshots.append(query.query))
    whole = await verify(connection)
    in_few = sum(query.startswith("BEGIN") for query in snapshots)
    snapshots.clear()
    sliced = await verify(connection, slice_size=10)
    in_many = sum(query.startswith("BEGIN") for query in snapshots)
    assert (sliced.ok, sliced.counts, sliced.checks) == (True, whole.counts, whole.checks)
    # Seven for the transfers, and for either account its 61 entries.
    assert in_many - in_few >= 6 + 2 * 5


async def test_books_are_right_while_they_are_written(small_books: Books, fresh_database_urls: DatabaseUrls) -> None:
    async with open_books(fresh_database_urls.platform, clients=4) as writing:
        orgs = [await writing.org(10**12) for _ in range(3)]
        proven = asyncio.Event()

        async def write(ledger: Ledger, number: int) -> None:
            while not proven.is_set():
                source, destination = orgs[number % 3], orgs[(number + 1) % 3]
                await ledger.post_compound(
                    key=fresh("k"),
                    kind="t",
                    postings=[
                        Posting(source, destination, 1),
                        Posting(destination, COMMISSION, 1),
                        Posting(COMMISSION, source, 1, NEW_LOT),
                    ],
                    effective_at=NOW,
                )
                held = await ledger.hold(key=fresh("h"), account=source, amount_minor=1, expires_at=LATER, held_at=NOW)
                await ledger.capture(
                    key=fresh("c"), hold_id=held.hold_id, amount_minor=1, destination=destination, effective_at=NOW
                )

        tasks = [asyncio.create_task(write(ledger, number)) for number, ledger in enumerate(writing.clients)]
        reports = [await verify(small_books.connections[0], slice_size=size) for size in (5, 20, 100)]
        proven.set()
        await asyncio.gather(*tasks)
    for report in reports:
        assert report.ok, "\n".join(report.lines())


async def test_long_list_of_violations_is_cut_and_counted(
    small_books: Books, fresh_database_urls: DatabaseUrls
) -> None:
    async with connected(fresh_database_urls.owner) as owner:
        await owner.execute(
            "INSERT INTO ledger.transfers (idempotency_key, request_hash, kind, effective_at)"
            " SELECT 'forged' || i, '', 'x', now() FROM generate_series(1, 100) AS i"
        )
    [check] = [check for check in (await verify(small_books.connections[0])).checks if check.violation_count]
    assert (check.violation_count, len(check.violations)) == (100, 20)
    assert check.lines()[-1].strip() == "… and 80 more"


def test_command_prints_what_it_checked_and_exits_by_the_result(
    fresh_database_urls: DatabaseUrls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--database-url", fresh_database_urls.platform]) == 0
    assert "0 transfers" in capsys.readouterr().out


async def test_command_exits_with_one_on_damage(small_books: Books, fresh_database_urls: DatabaseUrls) -> None:
    await as_owner(
        fresh_database_urls, "SET session_replication_role = replica; DELETE FROM ledger.entries WHERE version = 1"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ledger", "verify", "--database-url", fresh_database_urls.platform,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert "THE BOOKS ARE DAMAGED." in output.decode()
    assert "VIOLATIONS  every transfer has entries" in output.decode()


def test_command_exits_with_two_without_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--database-url", "postgresql://nobody@127.0.0.1:1/nothing"]) == 2
    assert "does not answer" in capsys.readouterr().err
