"""Damage done to books on purpose, and the checks that have to find it."""

import asyncpg

from commands.verify import verify
from ledger.verify import SLICE
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
    for slice_size in (SLICE, 1):
        report = await verify(books.connections[0], slice_size=slice_size)
        failed = {check.name for check in report.checks if check.violation_count}
        assert not report.ok
        assert {next((text for text in broken if check.startswith(text)), check) for check in failed} == broken
        assert all(check.violations for check in report.checks if check.violation_count)
