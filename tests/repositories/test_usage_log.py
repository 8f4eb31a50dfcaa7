"""Pages of the usage log have constant cost and together contain all events."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from repositories.common.listing import SCAN_LIMITS, ListFilter
from repositories.usage import usage_report
from runtime.database import Database
from tests.conftest import new_database
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db

ORG = "org_" + "3" * 26
SMALL, LARGE = 2 * SCAN_LIMITS[-1], 4 * SCAN_LIMITS[-1]
#: What a deeper index, fuller last blocks and a plan's own way add.
SLACK = 60
START = datetime(2026, 1, 1, tzinfo=UTC)
FILL = f"""
INSERT INTO usage_events (org_id, occurred_at, id, digest, received_at, source, event_id, type, action, model, sent_by,
    data, meters)
SELECT '{ORG}', timestamptz '{START}' + i * interval '1 minute', uuidv7(), gen_random_uuid(), now(), 's',
    i::text, 't', 'a', CASE WHEN i = 1 THEN 'rare' ELSE 'common' END, 'x', '{{}}', '{{}}'
FROM generate_series($1::int, $2::int) i
"""
WANTED = {
    "all": ListFilter(org_id=ORG, equal={}),
    "common": ListFilter(org_id=ORG, equal={"model": "common"}),
    "rare": ListFilter(org_id=ORG, equal={"model": "rare"}),
    "no run": ListFilter(org_id=ORG, equal={"run_id": "none"}),
}


@pytest.fixture(scope="module")
async def grown(cluster: Postgres) -> AsyncIterator[tuple[Database, dict[str, list[int]]]]:
    """A large database, with the rows read per page of each list before and after it grew."""
    with new_database(cluster, "bursar_usage_log") as urls:
        owner, database = await asyncpg.connect(urls.owner), Database(urls.tenant, urls.platform)
        costs: dict[str, list[int]] = {name: [] for name in WANTED}
        try:
            await owner.fetchval("SELECT open_usage_months($1, $2)", START, START + timedelta(days=40))
            for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
                await owner.execute(FILL.replace("$1::int", str(first)).replace("$2::int", str(last)))
                await owner.execute("ANALYZE usage_events")
                for name, wanted in WANTED.items():
                    costs[name].append(
                        await blocks_read(
                            database, ORG, lambda session: usage_report.log(session, wanted)  # noqa: B023
                        )
                    )  # fmt: skip
        finally:
            await owner.close()
        yield database, costs
        await database.close()


@pytest.mark.parametrize("name", WANTED)
def test_log_page_cost_does_not_grow_with_events(name: str, grown: tuple[Database, dict[str, list[int]]]) -> None:
    small, large = grown[1][name]
    assert large <= small + SLACK, f"{small} blocks of {SMALL} rows, {large} of {LARGE}"


@pytest.mark.parametrize(("name", "expected"), [("rare", ["1"]), ("no run", [])])
async def test_pages_that_are_short_go_on_to_the_last_event(
    name: str, expected: list[str], grown: tuple[Database, object]
) -> None:
    found: list[str] = []
    after, pages = None, 0
    while pages == 0 or after is not None:
        async with grown[0].tenant(ORG) as session:
            page = await usage_report.log(session, replace(WANTED[name], after=after))
        found, after, pages = found + [row.event_id for row in page.rows], page.following, pages + 1
    assert found == expected
    assert pages <= LARGE // SCAN_LIMITS[-1] + 1
