"""Fixtures of the tests of activities."""

import pytest

from runtime.database import Database


@pytest.fixture(scope="module")
def database(db: Database) -> Database:
    return db
