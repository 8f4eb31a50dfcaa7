import os
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory that the account of PostgreSQL can reach: not this one's when the tests run as root."""
    if os.geteuid() == 0:
        for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            directory.chmod(directory.stat().st_mode | 0o111)
    return tmp_path


@pytest.fixture
def data_dir(home: Path) -> Path:
    """Where a stack of its own may keep its state."""
    return home / "data"
