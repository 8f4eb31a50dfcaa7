"""Bring a database to the newest revision, by the same command that a deployment uses."""

import os
import subprocess
import sys
from pathlib import Path

from dev.stack.process import StackError

ROOT = Path(__file__).resolve().parents[2]


def migrate(owner_url: str) -> str:
    """Run `alembic upgrade head` as the database's owner and return its output; raises StackError with it on failure.

    Safe to repeat: a migrated database is left as it is, and each revision is one transaction.
    """
    return alembic(owner_url, "upgrade", "head")


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
