"""What the tests of activities have in common."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.database import Database


@pytest.fixture(scope="module")
async def database(database_urls: Any) -> AsyncIterator[Database]:
    made = Database(database_urls.tenant, database_urls.platform)
    yield made
    await made.close()


@pytest.fixture
async def alone(fresh_database_urls: Any) -> AsyncIterator[Database]:
    """A database in which nobody else has rows or locks."""
    made = Database(fresh_database_urls.tenant, fresh_database_urls.platform)
    yield made
    await made.close()
