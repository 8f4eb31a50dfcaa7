"""`ledger/guards.txt` agrees with the migrated schema. `BURSAR_RECORD=1` records it anew; read the difference."""

import os

import pytest

from ledger import guards
from tests.conftest import DatabaseUrls
from tests.support.connections import connected

pytestmark = pytest.mark.db


async def test_recorded_guards_are_those_that_the_migrations_make(fresh_database_urls: DatabaseUrls) -> None:
    async with connected(fresh_database_urls.owner) as owner, owner.transaction():
        await owner.execute(guards.SEARCH_PATH)
        lines = sorted(str(row["line"]) for row in await owner.fetch(guards.QUERY))
    if os.environ.get("BURSAR_RECORD"):
        guards.EXPECTED_FILE.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    assert {line.partition(" ")[0] for line in lines} == set(guards.KINDS)
    assert lines == guards.EXPECTED_FILE.read_text("utf-8").splitlines()


async def test_tables_with_protected_rows_cannot_be_truncated(fresh_database_urls: DatabaseUrls) -> None:
    async with connected(fresh_database_urls.owner) as owner:
        rows = await owner.fetch(
            "SELECT c.oid::regclass::text AS name FROM pg_class c WHERE EXISTS (SELECT FROM pg_trigger g"
            " WHERE g.tgrelid = c.oid AND g.tgparentid = 0 AND g.tgname LIKE 'refuse_%' AND g.tgtype & 8 <> 0)"
            " AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgtype & 32 <> 0)"
        )
    assert [row["name"] for row in rows] == []
