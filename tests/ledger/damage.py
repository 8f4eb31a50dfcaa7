"""Damage done to books on purpose, and the checks that have to find it."""

import asyncpg

from ledger.verify import verify
from tests.conftest import DatabaseUrls
from tests.support.books import Books


async def assert_found(books: Books, urls: DatabaseUrls, damage: tuple[str, set[str]]) -> None:
    """Damage sound books by a statement, and see exactly these checks fail, by name or by what it begins with."""
    await books.assert_proven()
    statement, broken = damage
    owner = await asyncpg.connect(urls.owner)
    try:
        await owner.execute("SET session_replication_role = replica;" + statement)
    finally:
        await owner.close()
    report = await verify(books.connections[0])
    failed = {check.name for check in report.checks if check.violation_count}
    assert not report.ok
    assert {next((text for text in broken if check.startswith(text)), check) for check in failed} == broken
    assert all(check.violations for check in report.checks if check.violation_count)
