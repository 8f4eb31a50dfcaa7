"""What the tests of activities have in common."""

import pytest

from runtime.database import Database


@pytest.fixture(scope="module")
def database(db: Database) -> Database:
    return db
