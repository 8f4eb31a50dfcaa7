"""Give a database of the stack its schema: the SQL that Alembic runs elsewhere, without its process."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from dev.stack.process import StackError
from migrations import baseline

ROOT = Path(__file__).resolve().parents[2]


def migrate(owner_url: str) -> None:
    """Make the schema in an empty database, as its owner; one that has it is left as it is.

    Raises:
        StackError: the database has another schema, and nothing was changed.
    """
    asyncio.run(_migrate(owner_url))


async def _migrate(owner_url: str) -> None:
    head = baseline.revision()
    connection = await asyncpg.connect(owner_url)
    try:
        if not await connection.fetchval("SELECT to_regclass('alembic_version')"):
            stamp = (
                "CREATE TABLE alembic_version (version_num varchar(32) CONSTRAINT alembic_version_pkc PRIMARY KEY);"
                f"INSERT INTO alembic_version VALUES ('{head}');"
            )
            async with connection.transaction():
                await connection.execute(baseline.sql() + stamp)
        elif (found := await connection.fetchval("SELECT version_num FROM alembic_version")) != head:
            raise StackError(
                f"The data is of another schema ({found}) than this version ({head}), and nothing was changed: "
                "`make run ARGS=--new` deletes it and begins anew."
            )
    finally:
        await connection.close()


def alembic(owner_url: str, *arguments: str) -> str:
    """Run an alembic command against a database and return its output; raises StackError with it on failure."""
    result = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**os.environ, "BURSAR_MIGRATION_DATABASE_URL": owner_url},
        capture_output=True,
        text=True,
        check=False,
    )
    output = (result.stdout + result.stderr).strip()
    if result.returncode != 0:
        _, refused, why = result.stdout.rpartition("FAILED: ")  # alembic's own refusal is one sentence beside its log
        raise StackError(why.strip() if refused else f"alembic {' '.join(arguments)} failed:\n{output}")
    return output
