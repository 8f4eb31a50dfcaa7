"""The spends of a control: found among the organization's in pages that cost the same however many there are."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest

from dev.stack.postgres import Postgres
from models.spend_control import SpendControl
from repositories import spend_control
from repositories.spend_control import LOOKS
from runtime.database import Database
from tests.conftest import new_database
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db

ORG = "org_" + "0" * 26
LIMIT = 50
SMALL, LARGE = 3 * sum(LOOKS), 12 * sum(LOOKS)
#: What the deeper index of the larger table and a fuller last block add.
SLACK = 20
#: A control that counts all but the first spend, one that counts the first alone, one that was opened after all.
ALL, FIRST, LATE = (UUID(int=number) for number in (1, 2, 3))
COUNTERS = {ALL: 1, FIRST: 2}
START = datetime.fromisoformat("2026-01-01T00:00:00Z")

# One spend a second; the id begins with its time, as the books' do.
FILL = f"""
INSERT INTO ledger.spends (org_id, id, idempotency_key, request_hash, status, action, quantity, asset, amount,
    available, captured, counted_in, counted, at)
SELECT '{ORG}', (lpad(to_hex((extract(epoch FROM t.at) * 1000)::bigint), 12, '0') || '7000' || '8000' ||
    lpad(to_hex(i), 12, '0'))::uuid, 'use:' || i, '', 'charged', 'api_call', 1, 'CREDIT', i, 0, i,
    ARRAY[CASE WHEN i = 1 THEN 2 ELSE 1 END, 9], ARRAY[i, i], t.at
FROM generate_series($1::int, $2::int) i, LATERAL (SELECT timestamptz '{START}' + i * interval '1 second' AS at) t
"""


def control(control_id: UUID, created_at: datetime = START) -> SpendControl:
    return SpendControl(id=control_id, org_id=ORG, created_at=created_at)


@pytest.fixture(scope="module")
async def grown(cluster: Postgres) -> AsyncIterator[tuple[Database, dict[str, tuple[int, int]]]]:
    """The database when it is large, and what a page of each control read before and after it grew."""
    with new_database(cluster, "bursar_counted") as urls:
        owner = await asyncpg.connect(urls.owner)
        database = Database(urls.tenant, urls.platform)
        try:
            await owner.execute(
                'INSERT INTO ledger.counters (org_id, control_id, "window", starts_at, ends_at) OVERRIDING SYSTEM VALUE'
                " SELECT $1, c, 'lifetime', '-infinity', 'infinity' FROM unnest($2::uuid[]) c",
                ORG,
                list(COUNTERS),
            )
            costs = []
            for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
                await owner.execute(FILL.replace("$1::int", str(first)).replace("$2::int", str(last)))
                await owner.execute("ANALYZE ledger.spends, ledger.counters")
                costs.append([await cost(database, one) for one in (ALL, FIRST)])
        finally:
            await owner.close()
        yield database, dict(zip(("all", "first"), zip(*costs, strict=True), strict=True))
        await database.close()


async def cost(database: Database, control_id: UUID) -> int:
    return await blocks_read(
        database,
        ORG,
        lambda session: spend_control.spends(session, control(control_id), before=None, limit=LIMIT),
    )


@pytest.mark.parametrize("name", ["all", "first"])
def test_page_costs_the_same_however_many_there_are(
    name: str, grown: tuple[Database, dict[str, tuple[int, int]]]
) -> None:
    small, large = grown[1][name]
    assert large <= small + SLACK, f"{small} blocks of {SMALL} rows, {large} of {LARGE}"


@pytest.mark.parametrize(("control_id", "expected"), [(ALL, range(LARGE, 1, -1)), (FIRST, [1]), (LATE, [])])
async def test_pages_have_every_spend_that_counts_and_no_other(
    control_id: UUID, expected: "range | list[int]", grown: tuple[Database, object]
) -> None:
    found: list[int] = []
    before, pages = None, 0
    while pages == 0 or before is not None:
        async with grown[0].tenant(ORG) as session:
            rows, before = await spend_control.spends(session, control(control_id), before=before, limit=5_000)
        assert all(row.amount == counted for row, counted in rows)
        found += [row.amount for row, _ in rows]
        pages += 1
    assert found == list(expected)
    assert pages <= LARGE // sum(LOOKS) + 1


async def test_nothing_is_looked_for_before_the_control_was_there(grown: tuple[Database, object]) -> None:
    later = datetime.fromisoformat("2027-01-01T00:00:00Z")
    async with grown[0].tenant(ORG) as session:
        assert await spend_control.spends(session, control(FIRST, later), before=None, limit=LIMIT) == ([], None)
