"""Each kind of damage that a superuser can do with the guards switched off is found and named."""

import asyncio
import sys
from collections.abc import AsyncIterator

import asyncpg
import pytest

from ledger.__main__ import main
from ledger.gateway import Leg
from ledger.verify import verify
from tests.conftest import DatabaseUrls
from tests.support.books import COMMISSION, LATER, NOW, Books, fresh, open_books

pytestmark = pytest.mark.db

ORG = "(SELECT min(id) FROM ledger.accounts WHERE path LIKE 'org/%')"
LAST = f"(SELECT max(version) FROM ledger.entries WHERE account_id = {ORG})"
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
        {"every entry belongs"},
    ),
    "entry of another asset": (
        "UPDATE ledger.entries SET asset = 'USD'",
        {"every entry belongs"},
    ),
    "money from nowhere": (
        f"UPDATE ledger.balances SET posted = posted + 1000 WHERE account_id = {ORG}",
        {"all balances of an asset", "every balance equals"},
    ),
    "money moved by hand": (
        f"UPDATE ledger.balances SET posted = posted + CASE account_id WHEN {ORG} THEN 3 ELSE -3 END"
        f" WHERE account_id IN ({ORG}, (SELECT max(id) FROM ledger.accounts WHERE path LIKE 'org/%'))",
        {"every balance equals"},
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
        {"what is set aside"},
    ),
    "hold without a reservation": (
        "UPDATE ledger.holds SET amount = amount + 1 WHERE status = 'pending'",
        {"what is set aside"},
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
        {"all balances of an asset", "every balance equals", "every account has its stripes"},
    ),
    "floor lifted": (
        f"UPDATE ledger.balances SET floor = NULL WHERE account_id = {ORG}",
        {"every account has its stripes"},
    ),
    "lost stripe": (
        "DELETE FROM ledger.balances WHERE (account_id, stripe) ="
        " (SELECT account_id, stripe FROM ledger.balances WHERE version = 0 AND stripe > 0 LIMIT 1)",
        {"every account has its stripes"},
    ),
}


@pytest.fixture
async def small_books(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Books]:
    """A database of its own with every kind of movement in it."""
    async with open_books(fresh_database_urls.platform, clients=1) as books:
        payer, payee = await books.org(100), await books.org(50)
        await books.ledger.post_legs(
            key=fresh("k"), kind="release", legs=[Leg(payer, payee, 10), Leg(payer, COMMISSION, 1)], effective_at=NOW
        )
        held = [
            await books.ledger.hold(key=fresh("h"), account=payer, amount_minor=8, expires_at=LATER, held_at=NOW)
            for _ in range(2)
        ]
        await books.ledger.capture(
            key=fresh("c"), hold_id=held[0].hold_id, amount_minor=5, destination=payee, effective_at=NOW
        )
        yield books


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_found_and_named(small_books: Books, fresh_database_urls: DatabaseUrls, name: str) -> None:
    await small_books.assert_proven()
    statement, broken = DAMAGES[name]
    owner = await asyncpg.connect(fresh_database_urls.owner)
    try:
        await owner.execute("SET session_replication_role = replica;" + statement)
    finally:
        await owner.close()
    report = await verify(small_books.connections[0])
    failed = {check.name for check in report.checks if check.violation_count}
    assert not report.ok
    assert {next((text for text in broken if check.startswith(text)), check) for check in failed} == broken
    assert all(check.violations for check in report.checks if check.violation_count)


async def test_switched_off_guard_is_found(small_books: Books, fresh_database_urls: DatabaseUrls) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    try:
        await owner.execute("ALTER TABLE ledger.entries DISABLE TRIGGER check_entries")
    finally:
        await owner.close()
    report = await verify(small_books.connections[0])
    assert [check.violations for check in report.checks if check.violation_count] == [
        ("trigger check_entries on ledger.entries is missing or switched off",)
    ]


async def test_long_list_of_violations_is_cut_and_counted(
    small_books: Books, fresh_database_urls: DatabaseUrls
) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    try:
        await owner.execute(
            "INSERT INTO ledger.transfers (idempotency_key, request_hash, kind, effective_at)"
            " SELECT 'forged' || i, '', 'x', now() FROM generate_series(1, 100) AS i"
        )
    finally:
        await owner.close()
    [check] = [check for check in (await verify(small_books.connections[0])).checks if check.violation_count]
    assert (check.violation_count, len(check.violations)) == (100, 20)
    assert check.lines()[-1].strip() == "… and 80 more"


def test_command_prints_what_it_checked_and_exits_by_the_result(
    fresh_database_urls: DatabaseUrls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--database-url", fresh_database_urls.platform]) == 0
    assert "0 transfers" in capsys.readouterr().out


async def test_command_exits_with_one_on_damage(small_books: Books, fresh_database_urls: DatabaseUrls) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    try:
        await owner.execute("SET session_replication_role = replica; DELETE FROM ledger.entries WHERE version = 1")
    finally:
        await owner.close()
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
