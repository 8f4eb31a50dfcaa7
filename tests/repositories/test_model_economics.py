"""The cost of reading a period's figures does not grow with earlier history."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from repositories.returns import model_economics
from repositories.usage import usage
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.plans import rows_read, vacuum

pytestmark = [pytest.mark.db, pytest.mark.slow]

ORG = "org_" + "2" * 26
SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
#: Days before the period that are filled first and last, with so many runs a day, of three calls each.
SMALL, LARGE, RUNS = 150, 900, 20
#: What another plan may add, such as the first rows of each month.
SLACK = 50

FILL = f"""
    INSERT INTO usage_events (org_id, id, {usage.NAMES})
    SELECT $1, uuidv7(), $2::timestamptz - (n - 1) * interval '1 day' / {RUNS}, uuidv4(), $2, 'tests', n || ':' || call,
        'llm.call', NULL, 'llm.call', NULL, NULL, NULL, 'run-' || n, NULL, NULL, NULL, 'model-' || n % 3, NULL, 'tests',
        NULL, '{{}}', jsonb_build_object('input_tokens', 100, 'output_tokens', 10, 'requests', 1), 'USD', 1000, 0, 1000,
        'model', 'tests', NULL, NULL, '{{}}', NULL, NULL
    FROM generate_series($3::int, $4::int) n, generate_series(1, 3) call
"""
RESULTS = f"""
    INSERT INTO results (id, org_id, run_id, task_kind, score_e6, is_accepted, is_self_reported, source, reference,
        reported_by, recorded_at)
    SELECT 'res-' || n, $1, 'run-' || n, 'a', 500000, n % 2 = 0, false, 'api', n::text, 'tests',
        $2::timestamptz - (n - 1) * interval '1 day' / {RUNS}
    FROM generate_series($3::int, $4::int) n
"""


async def test_rows_read_for_a_period_do_not_grow_with_earlier_history(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)

    async def fill(first_day: int, last_day: int) -> None:
        asked = ORG, UNTIL - timedelta(seconds=1), first_day * RUNS + 1, last_day * RUNS
        await owner.execute(FILL, *asked)
        await owner.execute(RESULTS, *asked)
        await owner.execute("TRUNCATE usage_days")
        await owner.execute(f"INSERT INTO usage_days {usage.DAYS_OF_EVENTS}")
        await vacuum(owner, "usage_events", "usage_days", "results")

    async def read(session: AsyncSession) -> None:
        calls = await model_economics.calls(session, ORG, SINCE, UNTIL)
        runs = await model_economics.runs(session, ORG, SINCE, UNTIL)
        assert sum(cell.sums.calls for cell in calls) == sum(cell.sums.calls for cell in runs) == 31 * RUNS * 3
        assert await model_economics.counts(session, ORG, SINCE, UNTIL) == (True, 0)

    await owner.execute("SET session_replication_role = replica")
    await owner.execute("SELECT open_usage_months($1, $2)", UNTIL - timedelta(days=LARGE), UNTIL)
    costs = []
    for first_day, last_day in ((0, SMALL), (SMALL, LARGE)):
        await fill(first_day, last_day)
        costs.append(await rows_read(database, ORG, read))
    await owner.close()
    assert costs[1] <= costs[0] + SLACK, costs
