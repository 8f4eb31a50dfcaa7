"""The first months of the simulated year, short enough for every run of the tests; `make year` plays all of it."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dev.year import books
from dev.year.market import Market
from dev.year.proof import Proof
from dev.year.story import Story, next_leap_year, settings
from dev.year.world import running
from tests.conftest import DatabaseUrls
from tests.support.seeds import RUN_SEED

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip, pytest.mark.timeout(300)]

#: From the leap day's month on, with a month's end in it and an invoice of usage.
MONTHS, ORGANIZATIONS = 2, 2


async def test_first_months_of_a_year_tie_out_from_usage_to_the_provider(
    tmp_path: Path, fresh_database_urls: DatabaseUrls
) -> None:
    urls, year = fresh_database_urls, next_leap_year()
    start = datetime(year, 1, 1, tzinfo=UTC) - timedelta(days=2)
    database = (urls.owner, urls.tenant, urls.platform)
    async with running(tmp_path, database, start, settings("use"), job_days=16) as world:
        market = Market(world, random.Random(RUN_SEED))
        story = Story(market, year, months=MONTHS, customers=ORGANIZATIONS)
        await story.cast()
        await story.play()
        ties = await Proof(market).prove()
        read = "\n".join(await books.read(world, year, MONTHS))
    assert len(ties) > 10
    for words in ("Trial balance", "Profit and loss by quarter, USD", "Balance sheet", "deferred_subscriptions"):
        assert words in read
