"""A console on a database of its own.

The platform's pages list what all organizations have. Other tests write rows without what these belong to, and many.
"""

from collections.abc import Iterator

import pytest

from dev.stack.postgres import Postgres
from tests.api.conftest import (  # noqa: F401 - fixtures
    anonymous,
    database,
    deps,
    http,
    issue_key,
    new_tenant,
    operator,
    stranger,
    tenant,
)
from tests.conftest import DatabaseUrls, new_database, next_name
from tests.console.conftest import app, objects, visitors  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def database_urls(cluster: Postgres) -> Iterator[DatabaseUrls]:
    with new_database(cluster, next_name()) as urls:
        yield urls
