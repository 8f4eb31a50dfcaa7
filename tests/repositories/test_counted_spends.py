"""Few spends among many, by a filter or as a control's: found in pages that cost the same however many there are."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from dev.stack.postgres import Postgres
from domain.messages.alert.conditions import Condition
from domain.messages.alert.metrics import METRICS, ConditionType
from domain.messages.alert.rules import Rule
from models.credits.spend_control import SpendControl
from repositories.common.listing import ListFilter, Position
from repositories.credits import spend, spend_control, spend_day
from repositories.credits.spend_id_range import SCAN_LIMITS
from repositories.messages import alert_figure
from runtime.database import Database
from tests.conftest import new_database
from tests.support.connections import connected
from tests.support.plans import blocks_read, vacuum

pytestmark = pytest.mark.db

ORG = "org_" + "2" * 26
LIMIT = 50
SMALL, LARGE = 2 * sum(SCAN_LIMITS), 6 * sum(SCAN_LIMITS)
#: The blocks that deeper indexes, fuller last blocks and more days add.
SLACK = 60
Found = tuple[list[int], Position | None]
Page = Callable[..., Awaitable[Found]]
#: A control that counts all but the first spend, one that counts the first alone, one that was opened after all.
ALL, FIRST, LATE = (UUID(int=number) for number in (1, 2, 3))
COUNTERS = {ALL: 1, FIRST: 2}
START = datetime.fromisoformat("2026-01-01T00:00:00Z")

#: What an agent, a run and a status have of the spends: the first alone, and one in this many.
RARE_AGENT, ONE_IN = "agt_" + "1" * 26, 6_000
FILTERS = {
    "agent": ListFilter(org_id=ORG, equal={"agent_id": RARE_AGENT}),
    "run": ListFilter(org_id=ORG, equal={"run_id": "rare", "action": "api_call"}),
    "status": ListFilter(org_id=ORG, statuses=("refunded",)),
    "nobody": ListFilter(org_id=ORG, equal={"agent_id": "agt_" + "2" * 26}),
    "long ago": ListFilter(org_id=ORG, until=START + timedelta(seconds=225)),
}

# One spend in 15 seconds; the id begins with its time, as the books' do.
FILL = f"""
INSERT INTO ledger.spends (org_id, id, idempotency_key, request_hash, status, action, quantity, asset, amount,
    available, captured, counted_in, counted, at, agent_id, run_id, refunded)
SELECT '{ORG}', (lpad(to_hex((extract(epoch FROM t.at) * 1000)::bigint), 12, '0') || '7000' || '8000' ||
    lpad(to_hex(i), 12, '0'))::uuid, 'use:' || i, '',
    CASE WHEN i = 1 THEN 'refunded' ELSE 'charged' END, 'api_call', 1, 'CREDIT', i, 0, i,
    ARRAY[CASE WHEN i = 1 THEN 2 ELSE 1 END, 9], ARRAY[i, i], t.at,
    CASE WHEN i = 1 THEN '{RARE_AGENT}' END, CASE WHEN i % {ONE_IN} = 7 THEN 'rare' END, (i = 1)::int
FROM generate_series($1::int, $2::int) i, LATERAL (SELECT timestamptz '{START}' + i * interval '15 seconds' AS at) t
"""


def control(control_id: UUID, created_at: datetime = START) -> SpendControl:
    return SpendControl(id=control_id, org_id=ORG, created_at=created_at)


@pytest.fixture(scope="module")
async def grown(cluster: Postgres) -> AsyncIterator[tuple[Database, dict[str, tuple[int, int]]]]:
    """The large database, and the blocks that a page of each control read before and after it grew."""
    with new_database(cluster, "bursar_counted") as urls:
        database = Database(urls.tenant, urls.platform)
        async with connected(urls.owner) as owner:
            await owner.execute(
                'INSERT INTO ledger.counters (org_id, control_id, "window", starts_at, ends_at) OVERRIDING SYSTEM VALUE'
                " SELECT $1, c, 'lifetime', '-infinity', 'infinity' FROM unnest($2::uuid[]) c",
                ORG,
                list(COUNTERS),
            )
            costs = []
            for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
                await owner.execute(FILL.replace("$1::int", str(first)).replace("$2::int", str(last)))
                # Both sizes are vacuumed, or the first alone is where autovacuum has had the time.
                await vacuum(owner, "ledger.spends", "ledger.counters", "ledger.credit_days")
                costs.append([await blocks_read(database, ORG, reading) for reading in READINGS.values()])
        yield database, dict(zip(READINGS, zip(*costs, strict=True), strict=True))
        await database.close()


@pytest.fixture(scope="module")
async def added_up(grown: tuple[Database, object]) -> Database:
    """The same database, with its days added up but the last."""
    days = [START.date(), (START + timedelta(seconds=15 * LARGE)).date()]
    async with grown[0].platform() as session:
        assert await spend_day.roll_up(session, since=days[0], until=days[1], limit=100) == (days[1] - days[0]).days
    return grown[0]


async def counted(session: AsyncSession, control_id: UUID, after: Position | None, limit: int = LIMIT) -> Found:
    wanted = ListFilter(after=after, limit=limit)
    rows, following = await spend_control.spends(session, wanted, control=control(control_id))
    assert all(row.amount == amount for row, amount in rows)
    return [row.amount for row, _ in rows], following


async def filtered(session: AsyncSession, name: str, after: Position | None, limit: int = LIMIT) -> Found:
    page = await spend.page(session, replace(FILTERS[name], after=after, limit=limit))
    return [row.amount for row in page.rows], page.following


READINGS: dict[str, Callable[[AsyncSession], Awaitable[Found]]] = {
    "all": lambda session: counted(session, ALL, None),
    "first": lambda session: counted(session, FIRST, None),
    **{name: functools.partial(filtered, name=name, after=None) for name in FILTERS},
}


@pytest.mark.parametrize("name", READINGS)
def test_page_costs_the_same_however_many_there_are(
    name: str, grown: tuple[Database, dict[str, tuple[int, int]]]
) -> None:
    small, large = grown[1][name]
    assert large <= small + SLACK, f"{small} blocks of {SMALL} rows, {large} of {LARGE}"


async def walked(database: Database, page: Page) -> tuple[list[int], int]:
    """Everything that the pages of a list have, and how many pages there are."""
    found: list[int] = []
    after, pages = None, 0
    while pages == 0 or after is not None:
        async with database.tenant(ORG) as session:
            amounts, after = await page(session, after=after)
        found, pages = found + amounts, pages + 1
    return found, pages


@pytest.mark.parametrize(("control_id", "expected"), [(ALL, range(LARGE, 1, -1)), (FIRST, [1]), (LATE, [])])
async def test_pages_have_every_spend_that_counts_and_no_other(
    control_id: UUID, expected: "range | list[int]", grown: tuple[Database, object]
) -> None:
    found, pages = await walked(grown[0], functools.partial(counted, control_id=control_id, limit=5_000))
    assert found == list(expected)
    assert pages <= LARGE // sum(SCAN_LIMITS) + 1


RUN = list(range(LARGE - LARGE % ONE_IN + 7, 0, -ONE_IN))
#: What each list has, and at most how many pages it is once its days are added up.
LISTS: dict[str, tuple[Page, list[int], int]] = {
    "agent": (functools.partial(filtered, name="agent"), [1], 3),
    "long ago": (functools.partial(filtered, name="long ago"), list(range(14, 0, -1)), 2),
    "run": (functools.partial(filtered, name="run"), RUN, 6),
    "nobody": (functools.partial(filtered, name="nobody"), [], 3),
    "first": (functools.partial(counted, control_id=FIRST), [1], 3),
}


@pytest.mark.parametrize("name", LISTS)
async def test_rare_spends_are_found_without_pages_for_the_gaps(name: str, added_up: Database) -> None:
    page, expected, most = LISTS[name]
    found, pages = await walked(added_up, page)
    assert (found, pages <= most) == (expected, True), pages


@pytest.mark.parametrize(("filters", "first"), [({"agent_id": RARE_AGENT}, 1), ({}, LARGE)])
async def test_last_spend_of_an_agent_is_found_without_those_since_then(
    filters: dict[str, str], first: int, added_up: Database
) -> None:
    absent = Condition(type=ConditionType.ABSENT_FOR, period_seconds=3600)
    rule = Rule(
        **{"name": "x", "metric": METRICS["credits.used"], "filters": filters, "condition": absent},
        **{"window": timedelta(days=1), "cool_down": timedelta(hours=1)},
    )
    watched, now = alert_figure.WatchedRule(id="x", org_id=ORG, rule=rule), START + timedelta(seconds=15 * LARGE)
    reading = functools.partial(alert_figure.read_figures, rules=[watched], now=now)
    async with added_up.platform() as session:
        [figure] = (await reading(session))["x"]
    assert figure.reading.last_at == START + timedelta(seconds=15 * first)
    blocks = await blocks_read(added_up, None, reading)
    assert blocks < 500, blocks


async def test_nothing_is_read_before_the_control_existed(grown: tuple[Database, object]) -> None:
    later = datetime.fromisoformat("2027-01-01T00:00:00Z")
    async with grown[0].tenant(ORG) as session:
        assert await spend_control.spends(session, ListFilter(limit=LIMIT), control=control(FIRST, later)) == ([], None)
