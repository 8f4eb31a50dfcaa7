"""Scores, histories, leaderboards and places among peers are right, and read as little of many agents as of few."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from dev.stack.postgres import Postgres
from domain.marketplace.agent import AgentSort
from domain.reputation import boards
from domain.reputation.boards import MINIMUMS, Period
from domain.reputation.evidence import ONE_E6, Dimension
from models.marketplace.agent import Agent
from repositories.common import listing
from repositories.common.listing import ListFilter, ListPage, Position
from repositories.marketplace import agent as agents
from repositories.reputation import reputation as store, reputation_nights as nights
from runtime.database import Database, plain_url
from tests.conftest import new_database
from tests.support.cases import for_each
from tests.support.connections import undone
from tests.support.plans import blocks_read, rows_fetched, rows_read

pytestmark = pytest.mark.db

TODAY = date(2026, 3, 2)
ONE = timedelta(days=1)
SMALL, LARGE = 150, 1500
EVENTS = 120
#: Bands that are not full when there are few agents.
SLACK = 20
AGES = {Period.WEEK: 7, Period.MONTH: 30, Period.QUARTER: 90, Period.ALL: 10**6}
ORGS = """
INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_a', 'A', 'x', 'a'), ('org_b', 'B', 'x', 'b')
"""
AGENTS = """
INSERT INTO agents (id, org_id, name, visibility, category, pricing_model, created_by, command_id)
SELECT id, org, 'Agent', visibility, category, 'free', 'test', id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS made (id, org, visibility, category)
"""
RANKS = """
INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6, night_on, night_stars_e6,
    evidence_count, evidence_e6, latest_on, succeeded)
SELECT id, '2025-01-01', '{}', rank, rank, '2026-03-02', 400000, evidence, evidence * 1000000, latest, jobs
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::date[], $5::bigint[]) AS made (id, rank, evidence, latest, jobs)
"""
SCORES = """
INSERT INTO reputation_scores (agent_id, dimension, good_e6, bad_e6, since, held_e6, earned_e6, prior_e6, through,
    stars_e6, rank_e6, evidence_count, evidence_e6, latest_on)
SELECT agent_id, d, 0, 0, latest_on, 0, 0, 500000, '2026-03-02', stars_e6, rank_e6, evidence_count, evidence_e6,
    latest_on
FROM reputation_agents, unnest($2::text[]) d WHERE agent_id = ANY ($1)
"""
HISTORY = """
INSERT INTO reputation_history SELECT day::date, id, 500000, 1, 2, 3, 50000, 4, false, ARRAY[1, 1, 1, 1, 1]
FROM unnest($1::text[]) id, generate_series(DATE '2026-02-01', DATE '2026-02-20', interval '2 days') day
"""
TAKEN = """
INSERT INTO reputation_events (id, agent_id, agent_org_id, counterparty, kind, source, key, subject, actor, weight_e6,
    rater_e6, excluded, says, score_delta_e6, day, seasoned_on, at)
SELECT 'rev_' || n, 'agt_0', 'org_a', 'operators', 'reported', 'operator', n, 'x', 'x', 0, 0,
    'own', '[]', 0, '2026-03-01', '2026-03-01', now()
FROM generate_series($1::int, $2::int) n
"""


@dataclass
class Market:
    """Agents of every kind, as they were made."""

    owner: "asyncpg.Connection"
    platform: "asyncpg.Connection"
    database: Database
    made: list[dict[str, Any]] = field(default_factory=list)
    events: int = 0

    async def grow(self, until: int) -> None:
        chance = random.Random(until)
        new = [
            {
                "id": f"agt_{number}",
                "org": chance.choice(["org_a", "org_b"]),
                "visibility": chance.choice(["public", "public", "private"]),
                "category": chance.choice([None, "coding", "design"]),
                "rank": chance.choice([chance.randrange(ONE_E6), 500_000]),
                "evidence": chance.choice([0, 1, 4, 5, 19, 20, 99, 100, 1_000]),
                "latest": TODAY - chance.choice([0, 7, 8, 30, 31, 90, 91, 400]) * ONE,
            }
            for number in range(len(self.made), until)
        ]
        for each in new:
            each["jobs"] = min(int(str(each["evidence"])), 30)

        def of(*names: str) -> list[list[Any]]:
            return [[each[name] for each in new] for name in names]

        await self.owner.execute(AGENTS, *of("id", "org", "visibility", "category"))
        await self.owner.execute(RANKS, *of("id", "rank", "evidence", "latest", "jobs"))
        await self.owner.execute(SCORES, *of("id"), [each.value for each in Dimension])
        await self.owner.execute(HISTORY, *of("id"))
        more = EVENTS * len(new) // SMALL
        await self.owner.execute(TAKEN, self.events + 1, self.events + more)
        self.events += more
        self.made += new
        await nights.count_peers(self.owner, TODAY)
        await self.owner.execute("ANALYZE")

    async def read(self, reading: Callable[[Any], Awaitable[Any]]) -> Any:
        return await reading(self.platform)

    async def costs(self) -> dict[str, int]:
        found = {name: await rows_fetched(self.database, self.platform, reading) for name, reading in READINGS.items()}
        found["events"] = await blocks_read(
            self.database,
            None,
            lambda session: store.events_of(session, ListFilter(limit=50), agent_id="agt_0"),
        )
        for sort in SORTED:
            found[sort] = await rows_read(self.database, None, partial(listed, ListFilter(), sort, limit=2))
            with pytest.MonkeyPatch.context() as patch:
                # As many as each band holds when there are few agents.
                patch.setattr(listing, "SCAN_LIMITS", (3, 3))
                one = partial(listed, ListFilter(search="nothing"), sort, limit=2)
                found[f"{sort}, filtered"] = await rows_read(self.database, None, one)
        return found


def leaders(
    dimension: Dimension | None, category: str | None, period: Period, minimum: int, viewer: str | None, limit: int = 10
) -> Callable[[Any], Awaitable[Sequence[Any]]]:
    asked = {"dimension": dimension, "category": category, "period": period, "minimum": minimum}
    return lambda pool: store.leaders(pool, **asked, viewer=viewer, limit=limit)


def listed(
    wanted: ListFilter, sort: AgentSort, session: AsyncSession, *, after: Position | None = None, limit: int
) -> Awaitable[ListPage[Agent]]:
    return agents.page(session, replace(wanted, after=after, limit=limit), viewer="org_a", sort=sort)


#: By what each order ranks agents.
SORTED = {AgentSort.RATING: "rank", AgentSort.JOBS: "jobs"}
READINGS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "score": lambda pool: store.agent_reputations(pool, [("agt_0", None)], TODAY),
    "history": lambda pool: store.history(pool, "agt_0", None, since=TODAY - 30 * ONE, until=TODAY, limit=50),
    "peers": lambda pool: store.peers(pool, "agt_0", None),
    # As many as each band holds when there are few agents.
    "leaders": leaders(None, None, Period.ALL, 1, "org_a", limit=2),
    "leaders of few": leaders(Dimension.QUALITY, "coding", Period.WEEK, 100, "org_a", limit=2),
    "leaders of none": leaders(Dimension.QUALITY, "nothing", Period.ALL, 1, None),
}


@pytest.fixture(scope="module")
async def market(cluster: Postgres) -> AsyncIterator[tuple[Market, dict[str, int], dict[str, int]]]:
    """The market when it is large, and what each reading touched before and after it grew."""
    with new_database(cluster, "bursar_boards") as urls:
        owner, platform = [await asyncpg.connect(plain_url(url)) for url in (urls.owner, urls.platform)]
        database = Database(urls.tenant, urls.platform)
        try:
            await owner.execute(ORGS)
            await owner.execute("SELECT open_reputation_months('2026-02-01', '2026-04-01')")
            market = Market(owner, platform, database)
            costs: list[dict[str, int]] = []
            for size in (SMALL, LARGE):
                await market.grow(size)
                costs.append(await market.costs())
            yield market, costs[0], costs[1]
        finally:
            await database.close()
            await platform.close()
            await owner.close()


Grown = tuple[Market, dict[str, int], dict[str, int]]


@pytest.mark.parametrize("name", [*READINGS, "events", *SORTED, *(f"{sort}, filtered" for sort in SORTED)])
def test_reading_costs_the_same_however_many_there_are(name: str, market: Grown) -> None:
    _, few, many = market
    assert many[name] <= few[name] + SLACK


@for_each("period", Period)
@for_each("minimum", MINIMUMS)
@for_each("viewer", [None, "org_a"])
async def test_leaderboard_is_the_top_of_all_eligible_agents(
    period: Period, minimum: int, viewer: str | None, market: Grown
) -> None:
    for dimension in (None, Dimension.QUALITY):
        for category in (None, "design"):
            rows = await market[0].read(leaders(dimension, category, period, minimum, viewer, 50))
            expected = [
                each
                for each in market[0].made
                if each["evidence"] >= minimum
                and (TODAY - each["latest"]).days <= AGES[period]
                and (each["visibility"] == "public" or each["org"] == viewer)
                and category in {None, each["category"]}
            ]
            expected.sort(key=lambda each: (each["rank"], each["id"]), reverse=True)
            assert [row["id"] for row in rows] == [each["id"] for each in expected[:50]]


@pytest.mark.parametrize("sort", SORTED)
@pytest.mark.parametrize("category", [None, "design"])
@pytest.mark.parametrize("org_id", [None, "org_b"])
async def test_sorted_agents_are_listed_page_by_page_from_the_first(
    sort: AgentSort, category: str | None, org_id: str | None, market: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SCAN_LIMITS", (20, 60))
    by = SORTED[sort]
    expected = [
        each
        for each in market[0].made
        if each["visibility"] == "public"
        and each["evidence"]
        and category in {None, each["category"]}
        and org_id in {None, each["org"]}
    ]
    expected.sort(key=lambda each: (each[by], each["id"]), reverse=True)
    wanted = ListFilter(
        org_id=org_id, equal={"visibility": "public", "retired_at": None} | ({"category": category} if category else {})
    )
    ids, after = list[str](), None
    while True:
        async with market[0].database.platform() as session:
            page = await listed(wanted, sort, session, after=after, limit=50)
        ids += [row.id for row in page.rows]
        after = page.following
        if after is None:
            break
    assert ids == [each["id"] for each in expected]


async def test_bands_are_those_of_the_rules(market: Grown) -> None:
    for table, day in (("reputation_agents", "night_on"), ("reputation_scores", "through")):
        rows = await market[0].owner.fetch(f"SELECT evidence_e6, {day} - latest_on AS age, band FROM {table}")
        assert all(row["band"] == boards.band(row["evidence_e6"], row["age"]) for row in rows)
    band = boards.BAND_SQL.format(day="day")
    at_edges = f"""
        SELECT evidence_e6, day - latest_on AS age, {band} AS band FROM (
            SELECT units * 1000000 - less AS evidence_e6, current_date AS latest_on, current_date + age AS day
            FROM unnest(ARRAY[0, 1, 5, 20, 100]::bigint[]) units, unnest(ARRAY[0, 1]) less,
                unnest(ARRAY[0, 7, 8, 30, 31, 90, 91]) age
            WHERE units >= less
        ) row"""
    rows = await market[0].owner.fetch(at_edges)
    assert [row["band"] for row in rows] == [boards.band(row["evidence_e6"], row["age"]) for row in rows]


async def test_place_among_peers_is_that_of_the_night(market: Grown) -> None:
    counted = [each for each in market[0].made if each["evidence"]]
    for agent in counted[:40]:
        rows = await store.peers(cast("Any", market[0].platform), agent["id"], None) or []
        assert {row["category"] for row in rows} == {"", agent["category"] or ""}
        for row in rows:
            peers = [each for each in counted if row["category"] in {"", each["category"]}]
            steps = [boards.rank_step(each["rank"]) - boards.rank_step(agent["rank"]) for each in peers]
            below, equal = sum(it < 0 for it in steps), steps.count(0)
            assert (row["below"], row["equal"], row["peers"]) == (below, equal, len(peers))


async def test_agents_with_less_than_a_unit_of_evidence_are_nobodys_peers(market: Grown) -> None:
    owner = market[0].owner
    one = next(each for each in market[0].made if each["evidence"] >= 20)
    async with undone(owner):
        for table in ("reputation_agents", "reputation_scores"):
            await owner.execute(f"UPDATE {table} SET evidence_e6 = 999999 WHERE agent_id <> $1", one["id"])
        await nights.count_peers(owner, TODAY)
        rows = await store.peers(owner, one["id"], None) or []
        assert {(row["below"], row["peers"]) for row in rows} == {(0, 1)}


async def test_rank_between_the_steps_that_were_counted_is_above_those_below(market: Grown) -> None:
    owner = market[0].owner
    async with undone(owner):
        await owner.execute("DELETE FROM reputation_peers WHERE step BETWEEN 400 AND 600")
        one = next(each["id"] for each in market[0].made if each["evidence"] and each["rank"] == 500_000)
        lower = await owner.fetchval(
            "SELECT sum(agents) FROM reputation_peers WHERE category = '' AND dimension = 'overall' AND step < 400"
        )
        [row] = [
            each
            for each in await store.peers(owner, one, None) or []
            if (each["category"], each["dimension"]) == ("", "overall")
        ]
        assert (row["below"], row["equal"]) == (lower, 0)


async def test_history_is_of_the_range_and_the_newest_first(market: Grown) -> None:
    def of(since: date, until: date, limit: int = 50, viewer: str | None = None) -> Any:
        return market[0].read(lambda pool: store.history(pool, "agt_3", viewer, since=since, until=until, limit=limit))

    days = [row["day"].day for row in await of(date(2026, 2, 4), date(2026, 2, 12))]
    assert days == [11, 9, 7, 5]
    assert [row["day"].day for row in await of(date(2026, 2, 1), TODAY, limit=2)] == [19, 17]
    assert await of(TODAY, TODAY) == []
    hidden = next(each for each in market[0].made if (each["visibility"], each["org"]) == ("private", "org_b"))
    unseen = await market[0].read(
        lambda pool: store.history(pool, hidden["id"], "org_a", since=TODAY, until=TODAY, limit=1)
    )
    assert unseen is None


async def test_trend_is_from_the_night_a_month_ago_or_the_next_one_after_it(market: Grown) -> None:
    async def before(today: date) -> int:
        asked = ("agt_3", None)
        shown = await market[0].read(lambda pool: store.agent_reputations(pool, [asked], today))
        return int(shown[asked].before_e6)

    # On the night itself; before the first night after it; without any night since, that of the last one.
    days = [date(2026, 2, 3) + 30 * ONE, date(2026, 2, 4) + 30 * ONE, date(2026, 2, 20) + 30 * ONE]
    assert [await before(day) for day in days] == [500_000, 450_000, 400_000]


async def test_category_of_an_agent_moves_its_rows(market: Grown) -> None:
    owner = market[0].owner
    async with undone(owner):
        await owner.execute("UPDATE agents SET category = 'data' WHERE id = 'agt_1'")
        await owner.execute("UPDATE agents SET category = NULL WHERE id = 'agt_2'")
        for table in ("reputation_agents", "reputation_scores"):
            rows = await owner.fetch(
                f"SELECT DISTINCT agent_id, category FROM {table} WHERE agent_id IN ('agt_1', 'agt_2')"
            )
            assert sorted(map(tuple, rows)) == [("agt_1", "data"), ("agt_2", None)]
