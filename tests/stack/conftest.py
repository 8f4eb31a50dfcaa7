from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import reachable_directory


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the account of PostgreSQL can reach: not this one's when the tests run as root."""
    with reachable_directory("stack") as made:
        yield made


@pytest.fixture
def data_dir(home: Path) -> Path:
    """Where a stack of its own may keep its state."""
    return home / "data"
