"""Departments that were closed while something still spent for them are found again."""

import asyncio

import asyncpg
import pytest

from dev.stack.migrate import alembic

pytestmark = pytest.mark.db

# Each with a key: one that was revoked, one that has expired, and one that has and whose name is taken by now.
FILL = """
    SET session_replication_role = replica;
    INSERT INTO departments (id, org_id, name, parent_id, path, created_by, command_id, closed_at) VALUES
        ('dep_top', 'org', 'Top', NULL, '{dep_top}', 'x', '1', now()),
        ('dep_gone', 'org', 'Gone', NULL, '{dep_gone}', 'x', '2', now()),
        ('dep_used', 'org', 'Used', 'dep_top', '{dep_top,dep_used}', 'x', '3', now()),
        ('dep_old', 'org', 'Taken', NULL, '{dep_old}', 'x', '4', now()),
        ('dep_new', 'org', 'taken', NULL, '{dep_new}', 'x', '5', NULL);
    INSERT INTO api_keys (id, secret_hash, role, principal, org_id, department_id, expires_at, revoked_at, created_by,
        command_id)
    SELECT d, d::bytea, 'member', d, 'org', d, now() - interval '1 day', CASE d WHEN 'dep_gone' THEN now() END, 'x', d
    FROM unnest(ARRAY['dep_gone', 'dep_used', 'dep_old']) d;
"""


async def test_closed_departments_that_are_spent_for_are_open_again(empty_database_url: str) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0152_months_that_end")
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(FILL)
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0154_alerts_of_lifetimes")
    rows = await connection.fetch("SELECT name FROM departments WHERE closed_at IS NULL ORDER BY id")
    await connection.close()
    assert [row["name"] for row in rows] == ["taken", "Taken (dep_old)", "Top", "Used"]
