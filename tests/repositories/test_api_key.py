"""The cost of issuing a key depends on the keys of its principal, not on those of the organization."""

from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from repositories.tenants import api_key
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.connections import undone

pytestmark = pytest.mark.db

SMALL, LARGE = 200, 4_000
#: Half of the keys of an organization and of the platform are revoked, and no two are of one principal.
FILL = """
INSERT INTO api_keys (id, secret_hash, role, principal, org_id, revoked_at, created_by, command_id)
SELECT o.name || i, '', o.role, 'p' || i, o.id, CASE WHEN i % 2 = 0 THEN now() END, 'x', o.name || i
FROM generate_series($1::integer, $2) i,
    (VALUES ('org', 'org', 'member'), ('platform', NULL, 'operator')) AS o (name, id, role)
"""
ISSUE = "INSERT INTO api_keys (id, secret_hash, role, principal, org_id, created_by, command_id)"
READ = """
SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'api_keys'::regclass
"""


async def rows_read(url: str, org_id: str | None, principal: str, plan: str) -> int:
    """Return how many keys are read when one is issued, in a separate session, and roll the new key back."""
    session = await asyncpg.connect(url, server_settings={"plan_cache_mode": plan})
    async with undone(session):
        role = "member" if org_id else "operator"
        await session.execute(f"{ISSUE} VALUES ('new', '', $1, $2, $3, 'x', 'new')", role, principal, org_id)
        read = int(await session.fetchval(READ))
    await session.close()
    return read


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
async def test_a_new_key_reads_the_keys_of_its_principal_alone(fresh_database_urls: DatabaseUrls, plan: str) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute(
        "INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org', 'org', 'test', 'org')"
    )
    asked = [(org_id, principal) for org_id in ("org", None) for principal in ("somebody", "P2")]
    costs = []
    for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
        await owner.execute(FILL, first, last)
        await owner.execute("VACUUM ANALYZE api_keys")
        costs.append([await rows_read(fresh_database_urls.owner, *each, plan) for each in asked])
    await owner.close()
    small, large = costs
    assert [after <= before for before, after in zip(small, large, strict=True)] == [True] * len(asked), costs


ROTATE = """
INSERT INTO api_keys (id, secret_hash, role, principal, org_id, place, created_by, command_id, created_at, revoked_at)
SELECT 'k' || i, '', 'owner', 'Ada', 'org', 1 + i % 2, CASE i WHEN 1 THEN 'kim' ELSE 'org/ada' END, 'k' || i,
    now() + make_interval(hours => 2 * i),
    now() + make_interval(hours => 2 * i + 3)
FROM generate_series($1::integer, $2) i
"""


async def test_reading_the_line_of_a_rotated_key_costs_as_much_as_its_keys(
    database: Database, fresh_database_urls: DatabaseUrls
):
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute(
        "INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org', 'org', 'test', 'org')"
    )
    costs = []
    for first, last in ((1, 50), (51, 200)):
        await owner.execute(ROTATE, first, last)
        await owner.execute("VACUUM ANALYZE api_keys")
        async with database.platform() as session:
            asked = {"key_id": f"k{last}", "own": True, "people": False}
            [plan] = await session.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {api_key.LINE}"), asked)
            costs.append(rows_in(plan["Plan"]))
            found = await api_key.key_origin(session, f"k{last}")
        assert found is not None
        assert found.line == {"org/ada", "kim"}
    await owner.close()
    few, many = costs
    assert many <= 5 * few, costs


def rows_in(node: dict[str, Any]) -> float:
    """Return how many rows the parts of a plan have made and left out."""
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    return float(rows * node["Actual Loops"] + sum(map(rows_in, node.get("Plans", []))))
