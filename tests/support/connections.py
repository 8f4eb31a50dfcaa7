"""Connections of asyncpg's own, mostly as the owner of a database, who may write what no role of the product may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.conftest import DatabaseUrls


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def as_owner(urls: DatabaseUrls, statement: str, *values: object) -> None:
    """Write what no role of the product may write by hand."""
    async with connected(urls.owner) as connection:
        await connection.execute(statement, *values)


@asynccontextmanager
async def undone(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """Begin a transaction that is rolled back in the end."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()
