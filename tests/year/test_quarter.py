"""A week of the studio's quarter; `make quarter` plays all of it."""

from pathlib import Path

import pytest

from dev.year.quarter import play
from tests.conftest import DatabaseUrls
from tests.support.seeds import RUN_SEED

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_a_week_of_a_studio_ties_out(tmp_path: Path, fresh_database_urls: DatabaseUrls) -> None:
    urls = (fresh_database_urls.owner, fresh_database_urls.tenant, fresh_database_urls.platform)
    said = await play(tmp_path, urls, RUN_SEED, weeks=1)
    assert any("money of all nights" in line for line in said)
    assert said[-1].endswith("no violation")
