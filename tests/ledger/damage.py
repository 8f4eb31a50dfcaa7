"""Damage done to books on purpose, and the checks that have to find it."""

import asyncpg

from commands.verify import verify
from ledger.verify import SLICE
from tests.conftest import DatabaseUrls


async def assert_found(urls: DatabaseUrls, damage: tuple[str, set[str]]) -> None:
    """Damage sound books by a statement, and require that exactly these checks fail, by name or prefix.

    The damage is rolled back, so all of a module's are done to the same books.
    """
    statement, broken = damage
    owner = await asyncpg.connect(urls.owner)
    changing = owner.transaction(isolation="repeatable_read")
    await changing.start()
    try:
        await owner.execute("SET LOCAL session_replication_role = replica;" + statement)
        await owner.execute("SET LOCAL session_replication_role = origin; SET LOCAL ROLE bursar_platform")
        for slice_size in (SLICE, 1):
            report = await verify(owner, slice_size=slice_size)
            failed = {check.name for check in report.checks if check.violation_count}
            assert not report.ok
            assert {next((text for text in broken if check.startswith(text)), check) for check in failed} == broken
            assert all(check.violations for check in report.checks if check.violation_count)
    finally:
        await changing.rollback()
        await owner.close()
