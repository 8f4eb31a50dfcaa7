"""Alembic environment: connects as the owner of the schema, to `BURSAR_MIGRATION_DATABASE_URL`.

Each migration is one transaction, so a failed one leaves earlier ones applied. Concurrent runs are serial. A migration
does not wait long for a locked table, because all later queries would wait behind it: it fails and can be repeated. `-x
lock_timeout=30s` sets the limit.
"""

import asyncio
from logging.config import fileConfig

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, pool, text

import models  # noqa: F401 - registers every table on Base.metadata
from models.common.base import Base
from runtime.database import make_engine
from runtime.settings import ended_by_wrong_settings, read_settings

_SCHEMAS = {None, "ledger"}
_LOCK_TIMEOUT = "10s"
#: Number of the migration lock; any unused number.
_MIGRATING = 7_411_001


def _include_name(name: str | None, kind: str, _parents: object) -> bool:
    return name in _SCHEMAS if kind == "schema" else True


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        include_name=_include_name,
        compare_type=True,
        transaction_per_migration=True,
    )
    _wait_for_others(connection)
    _refuse_unknown()
    with context.begin_transaction():
        context.run_migrations()


def _refuse_unknown() -> None:
    """Refuse a database of another schema or a later version, whose revision is unknown."""
    known = {script.revision for script in context.script.walk_revisions()}
    for revision in context.get_context().get_current_heads():
        if revision not in known:
            raise CommandError(
                f"The database is at revision {revision}, which this version does not know and cannot migrate: until "
                "the first release each change of the schema needs a new database; to go back to the release before, "
                "leave the migration out (deploy/rollout.sh --back)."
            )


def _wait_for_others(connection: Connection) -> None:
    """Lock migrations until the connection is closed, and limit the time of waiting for tables."""
    connection.execute(text("SELECT pg_advisory_lock(:name)"), {"name": _MIGRATING})
    timeout = context.get_x_argument(as_dictionary=True).get("lock_timeout", _LOCK_TIMEOUT)
    connection.execute(text("SELECT set_config('lock_timeout', :timeout, false)"), {"timeout": timeout})
    connection.commit()


async def _run() -> None:
    with ended_by_wrong_settings():
        url = read_settings().migration_database_url
    engine = make_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
asyncio.run(_run())
