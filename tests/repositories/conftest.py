import pytest

from runtime.database import Database


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database
