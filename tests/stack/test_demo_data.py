"""`make demo-data`: a history that was played on the simulated calendar becomes the data of a stack."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dev.stack.claim import Ports
from dev.stack.supervisor import DATABASE, Stack
from dev.year.demo_data import begin_runs, fill
from tests.support.connections import connected
from tests.support.seeds import RUN_SEED

pytestmark = pytest.mark.e2e

DAYS = 14
ENTRIES = "SELECT count(DISTINCT recorded_at::date) AS days, min(recorded_at), max(recorded_at) FROM ledger.transfers"


async def test_history_ends_now_its_books_balance_and_its_runs_go_on(data_dir: Path) -> None:
    began = datetime.now(UTC)
    await fill(data_dir, RUN_SEED, DAYS)
    # Raises when a run of what is open cannot be begun from the books, or when they do not balance.
    await begin_runs(data_dir, Ports.free())
    stack = Stack(data_dir, parts=("postgres",))
    await stack.start()
    try:
        async with connected(stack.postgres.url(database=DATABASE)) as connection:
            entries = await connection.fetchrow(ENTRIES)
            now = await connection.fetchval("SELECT now()")
            reported = await connection.fetchval("SELECT count(*) FROM report_runs WHERE told @> '{procurement}'")
            open_now = {row[0] for row in await connection.fetch("SELECT DISTINCT status FROM escrows")}
    finally:
        await stack.stop()
    assert entries is not None
    assert entries["days"] >= DAYS - 1
    assert entries["min"] < began - timedelta(days=DAYS - 1)
    assert entries["max"] <= now
    assert began <= now <= datetime.now(UTC)
    assert reported >= 1
    assert {"funded", "delivered", "disputed"} <= open_now
