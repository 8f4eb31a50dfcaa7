"""How Alembic reaches the database: as the owner of the schema, over asyncpg.

The URL is `-x url=…`, else the config attribute `connection_url`, else the setting `BURSAR_MIGRATION_DATABASE_URL`. A
caller that already has a synchronous SQLAlchemy connection gives it as the config attribute `connection`.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from logging.config import fileConfig

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

import models  # noqa: F401 - registers every table on Base.metadata
from models.base import Base
from runtime.database import async_url
from runtime.settings import ended_by_wrong_settings, read_settings

_SCHEMAS = {None, "ledger"}


def _url() -> str:
    given = context.get_x_argument(as_dictionary=True).get("url") or context.config.attributes.get("connection_url")
    if given:
        return str(given)
    with ended_by_wrong_settings():
        return read_settings().migration_database_url


def _include_name(name: str | None, kind: str, _parents: object) -> bool:
    return name in _SCHEMAS if kind == "schema" else True


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        include_name=_include_name,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _migrate_by_url(url: str) -> None:
    engine = create_async_engine(async_url(url), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


def _run() -> None:
    if context.is_offline_mode():
        context.configure(url=_url(), target_metadata=Base.metadata, literal_binds=True, include_schemas=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    given = context.config.attributes.get("connection")
    if given is not None:
        _migrate(given)
        return
    # A thread of its own, because the caller may already be inside a running loop, as tests are.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(lambda: asyncio.run(_migrate_by_url(_url()))).result()


if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
_run()
