from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import DatabaseUrls
from tests.support.books import Books, open_books


@pytest.fixture(scope="session")
async def books(database_urls: DatabaseUrls) -> AsyncIterator[Books]:
    """Eight clients of the platform role on the worker's shared database."""
    async with open_books(database_urls.platform) as books:
        yield books


@pytest.fixture
async def owner(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the schema's owner, who is a superuser here."""
    connection = await asyncpg.connect(database_urls.owner)
    yield connection
    await connection.close()
