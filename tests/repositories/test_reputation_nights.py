"""A night in PostgreSQL equals that of the pure rules, once for each agent and date, also after crashes."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import asyncpg
import pytest

from activities.reputation.reputation import SUDDEN, ReputationActivities
from contracts.reputation.reputation import ChangeRate, ConcludeNight, DecayPages, PlanNight
from domain.reputation.evidence import (
    ONE_E6,
    PROVEN_E6,
    RATE_E4,
    Beta,
    Dimension,
    Evidence,
    Priors,
    add,
    catch_up,
    factor_e12,
    faded,
    newcomer_evidence,
)
from domain.reputation.facts import DimensionShare
from domain.reputation.prior import initial_prior, lowest, priors
from domain.reputation.score import HALF_E6, Score, overall, overall_e6, rank_e6, stars
from domain.reputation.score_changes import is_sudden
from repositories.reputation import reputation_nights as nights
from repositories.reputation.reputation import (
    FactContext,
    ReputationFact,
    agent_reputations,
    record_facts as take_facts,
)
from runtime.database import Database, plain_url
from tests.conftest import DatabaseUrls
from tests.support.looking import again

pytestmark = pytest.mark.db

NIGHT = date(2026, 3, 2)
ONE = timedelta(days=1)
AGENTS = 23
PAGE = 5
PRIORS = {
    NIGHT - 9 * ONE: Priors(450_000, 460_000),
    NIGHT - 3 * ONE: Priors(300_000, 620_000),
    NIGHT: Priors(500_000, 700_000),
}
HALF = Priors(HALF_E6, HALF_E6)
NEWCOMER = overall({each: stars(newcomer_evidence(NIGHT, HALF)) for each in Dimension})


@dataclass
class World:
    """Agents with rows of every kind, and their values after a night by the rules."""

    database: Database
    owner: "asyncpg.Connection"
    rows: dict[str, dict[Dimension, Evidence]]
    before: dict[str, Score | None]

    def work(self, **more: Any) -> ReputationActivities:
        return ReputationActivities(self.database, **more)

    async def night(self, after: str = "", day: date = NIGHT, pages: int = 100) -> Any:
        return await self.work().take(DecayPages(day=day, after=after, limit=PAGE, pages=pages))

    async def kept(self) -> Any:
        """Return everything that nights write, to the bit."""
        tables = ("reputation_scores", "reputation_agents", "reputation_history", "reputation_priors")
        return [await self.owner.fetch(f"SELECT * FROM {each} ORDER BY 1, 2") for each in tables]

    def expected(self, agent_id: str, day: date = NIGHT) -> dict[Dimension, Evidence]:
        found = {}
        for dimension, row in self.rows[agent_id].items():
            held = [each for since, each in PRIORS.items() if row.through < since <= day]
            found[dimension] = catch_up(row, day, lowest(held)) if held else catch_up(row, day, Priors(ONE_E6, ONE_E6))
        return found

    async def equals_the_rules(self, day: date = NIGHT) -> None:
        for agent_id in self.rows:
            expected = self.expected(agent_id, day)
            got = await self.owner.fetch("SELECT * FROM reputation_scores WHERE agent_id = $1", agent_id)
            assert {
                Dimension(row["dimension"]): (row["through"], row["prior_e6"], row["stars_e6"], row["rank_e6"])
                for row in got
            } == {each: (row.through, row.prior_e6, stars(row).mean_e6, rank_e6(row)) for each, row in expected.items()}
            shown = overall({each: stars(row) for each, row in expected.items()})
            rank = overall_e6({each: rank_e6(row) for each, row in expected.items()})
            [agent] = await self.owner.fetch("SELECT * FROM reputation_agents WHERE agent_id = $1", agent_id)
            assert (agent["stars_e6"], agent["rank_e6"], agent["night_on"]) == (shown.mean_e6, rank, day)
            night = (agent["night_stars_e6"], agent["night_low_e6"], agent["night_high_e6"])
            assert night == (shown.mean_e6, shown.low_e6, shown.high_e6)
            [history] = await self.owner.fetch(
                "SELECT * FROM reputation_history WHERE agent_id = $1 AND day = $2", agent_id, day
            )
            before = self.before[agent_id] or NEWCOMER
            assert history["moved_e6"] == shown.mean_e6 - before.mean_e6
            assert history["is_sudden"] == is_sudden(before, shown)
            assert history["dimensions_e6"] == [stars(expected[each]).mean_e6 for each in Dimension]
            assert (history["low_e6"], history["high_e6"], history["rank_e6"]) == (shown.low_e6, shown.high_e6, rank)


def row_of(chance: random.Random) -> Evidence:
    def amount() -> int:
        return chance.choice([0, chance.randrange(10 ** chance.randrange(1, 9))])

    since = NIGHT - chance.choice([1, 2, 30, 600]) * ONE
    through = min(NIGHT - chance.choice([1, 1, 1, 6]) * ONE, NIGHT)
    since = min(since, through)
    beta = Beta(amount(), amount(), since)
    held = max(beta.on(through).bad_e6, chance.choice([0, beta.bad_e6]))
    earned = chance.choice([PROVEN_E6 - 1, PROVEN_E6, amount()])
    return Evidence(beta, held, earned, chance.choice([0, ONE_E6, chance.randrange(ONE_E6)]), through)


@pytest.fixture
async def world(database: Database, fresh_database_urls: DatabaseUrls) -> AsyncIterator[World]:
    chance = random.Random(7)
    owner = await asyncpg.connect(plain_url(fresh_database_urls.owner))
    await owner.execute("INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_a', 'A', 'x', 'a')")
    await owner.execute("INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_b', 'B', 'x', 'b')")
    rows: dict[str, dict[Dimension, Evidence]] = {}
    before: dict[str, Score | None] = {}
    for number in range(AGENTS):
        agent_id = f"agt_{number:03}"
        rows[agent_id] = {each: row_of(chance) for each in Dimension}
        mean = chance.randrange(200_000, 800_000)
        before[agent_id] = chance.choice([None, Score(mean, mean - 20_000, mean + 20_000)])
        await owner.execute(
            "INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)"
            " VALUES ($1, 'org_a', 'Agent', 'public', 'free', 'test', $1)",
            agent_id,
        )
        last = before[agent_id]
        await owner.execute(
            "INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6, night_on,"
            " night_stars_e6, night_low_e6, night_high_e6) VALUES ($1, $2, '{}', 0, 0, $3, $4, $5, $6)",
            agent_id,
            NIGHT - 600 * ONE,
            None if last is None else NIGHT - ONE,
            *((None, None, None) if last is None else astuple(last)),
        )
        for dimension, row in rows[agent_id].items():
            values = (*astuple(row.beta), row.held_e6, row.earned_e6, row.prior_e6, row.through)
            await owner.execute(
                "INSERT INTO reputation_scores (agent_id, dimension, good_e6, bad_e6, since, held_e6, earned_e6,"
                " prior_e6, through, stars_e6, rank_e6) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)",
                agent_id,
                dimension.value,
                *values,
            )
    for day, each in PRIORS.items():
        for dimension in Dimension:
            await owner.execute(
                "INSERT INTO reputation_priors VALUES ($1, $2, $3, $4, 0, 0, 0, 0)",
                dimension.value,
                day,
                each.newcomer_e6,
                each.proven_e6,
            )
    await owner.execute("SELECT open_reputation_months($1, $2)", NIGHT, NIGHT + 60 * ONE)
    yield World(database, owner, rows, before)
    await owner.close()


async def test_a_night_is_that_of_the_rules_and_flags_what_they_call_sudden(world: World) -> None:
    took = await world.night()
    assert (took.agents, took.pages, took.last, took.done) == (AGENTS, 5, f"agt_{AGENTS - 1:03}", True)
    await world.equals_the_rules()
    flagged = await world.owner.fetch("SELECT agent_id FROM reputation_history WHERE is_sudden ORDER BY 1")
    alerts = await world.owner.fetch("SELECT subject, detail FROM alerts WHERE kind = $1 ORDER BY 1", SUDDEN)
    assert [row["agent_id"] for row in flagged] == [row["subject"] for row in alerts]
    assert 0 < len(alerts) < AGENTS
    assert "points between two nights" in alerts[0]["detail"]
    open_ones = "SELECT count(*) FROM alerts WHERE kind = $1 AND resolved_at IS NULL"
    for day, left in ((NIGHT, len(alerts)), (NIGHT + ONE, 0)):
        await world.work().conclude(ConcludeNight(day=day))
        assert await world.owner.fetchval(open_ones, SUDDEN) == left


@pytest.mark.slow
async def test_a_night_that_dies_at_every_page_has_the_result_of_an_uninterrupted_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking, calls, deaths = nights.decay_agents, 0, 0

    async def dies(*arguments: Any, **more: Any) -> Any:
        """Die before each page's commit, and after it: on the way to the next."""
        nonlocal calls, deaths
        calls += 1
        if calls % 3 == 1:
            deaths += 1
            raise ConnectionResetError
        page = await taking(*arguments, **more)
        if calls % 3 == 2:
            deaths += 1
            raise ConnectionResetError
        return page

    monkeypatch.setattr(nights, "decay_agents", dies)
    for _ in range(40):
        try:
            await world.night()
            break
        except ConnectionResetError:
            pass
    assert deaths >= 2 * AGENTS // PAGE
    await world.equals_the_rules()


async def test_repeated_unordered_or_concurrent_pages_change_nothing(world: World) -> None:
    places = ["agt_014", "agt_004", "", "agt_014"]
    for after in places:
        await world.night(after, pages=1)
    await asyncio.gather(*(world.night() for _ in range(3)))
    await world.equals_the_rules()
    before = await world.kept()
    assert (await world.night()).agents == 0
    assert (await world.night(day=NIGHT - ONE)).agents == 0
    assert await world.kept() == before


async def test_a_night_waits_for_changes_of_agents_and_numbers_its_events_behind_theirs(
    world: World, fresh_database_urls: DatabaseUrls
) -> None:
    changing = await asyncpg.connect(plain_url(fresh_database_urls.owner))
    async with changing.transaction():
        await changing.execute("SELECT FROM agents FOR NO KEY UPDATE")
        await changing.execute("SELECT tell('agent.updated', 'org_a', id, NULL, '{}') FROM agents")
        night = asyncio.ensure_future(world.night())
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while not night.done() and not await world.owner.fetchval(waits):
            await again()
    await night
    await changing.close()
    told = await world.owner.fetch(
        "SELECT array_agg(type ORDER BY subject_seq) AS types FROM events WHERE subject LIKE 'agt%' GROUP BY subject"
    )
    assert {tuple(row["types"]) for row in told} == {("agent.updated",), ("agent.updated", "score.changed")}


async def test_missed_nights_are_taken_with_the_next(world: World) -> None:
    later = NIGHT + 12 * ONE
    await world.night(day=later)
    await world.equals_the_rules(later)


async def test_night_counts_seasoned_evidence_so_that_readers_need_not_sum_it(world: World) -> None:
    await world.owner.execute(
        "INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)"
        " VALUES ('agt_idle', 'org_a', 'Agent', 'public', 'free', 'test', 'agt_idle')"
    )
    began = NIGHT - 20 * ONE
    what = FactContext(
        agent_id="agt_idle",
        agent_org_id="org_a",
        counterparty_org_id="org_b",
        source="escrow",
        actor="test",
        at=datetime(began.year, began.month, began.day, tzinfo=UTC),
        value_minor=50_00,
        commission_minor=2_50,
        exempt=["x"],
        seasons_days=5,
    )
    said = (DimensionShare(Dimension.QUALITY, 10_000, 10_000),)
    facts = [
        ReputationFact(id=f"rev_{each}", kind="validated", key=str(each), subject="s", says=said) for each in range(40)
    ]
    await take_facts(world.owner, what, facts)

    async def read() -> tuple[int, tuple[int, ...]]:
        """Count the events that a reader reads, and return what they come to."""
        counted = (
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE relname = 'reputation_events'"
        )
        async with world.owner.transaction():
            await world.owner.execute("SET LOCAL enable_seqscan = off")
            before = await world.owner.fetchval(counted)
            [found] = await world.owner.fetch("SELECT * FROM reputation_seasoned_score('agt_idle', $1)", NIGHT)
            return await world.owner.fetchval(counted) - before, (found["stars_e6"], found["evidence_count"])

    rows, score = await read()
    assert rows >= len(facts)
    # All of one counterparty is three units at most.
    assert score[1] == 2
    await world.night()
    assert await read() == (0, score)


async def test_an_event_that_comes_first_takes_the_night_itself(world: World) -> None:
    agent_id = "agt_007"
    about = FactContext(
        agent_id=agent_id,
        agent_org_id="org_a",
        counterparty_org_id=None,
        source="operator",
        actor="test",
        at=datetime(NIGHT.year, NIGHT.month, NIGHT.day, 0, 5, tzinfo=UTC),
        is_weighed=False,
    )
    says = (DimensionShare(Dimension.QUALITY, 10_000, 10_000),)
    await take_facts(world.owner, about, [ReputationFact(id="rev_1", kind="reported", key="k", subject="s", says=says)])
    await world.night()
    row = world.rows[agent_id][Dimension.QUALITY]
    caught = world.expected(agent_id)[Dimension.QUALITY]
    world.rows[agent_id][Dimension.QUALITY] = add(caught, ONE_E6, 0, day=NIGHT, priors=PRIORS[NIGHT])
    assert row.through < NIGHT
    await world.equals_the_rules()


async def test_the_conclusion_closes_priors_once_and_takes_clients(world: World) -> None:
    await world.owner.execute(
        "INSERT INTO reputation_clients VALUES ('org_b', 5, 5, $1, 5, 500000, $1)", NIGHT - 5 * ONE
    )
    about = FactContext(
        agent_id="agt_001",
        agent_org_id="org_a",
        counterparty_org_id=None,
        source="operator",
        actor="test",
        at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        is_weighed=False,
    )
    says = (DimensionShare(Dimension.QUALITY, 10_000, 10_000),)
    await take_facts(world.owner, about, [ReputationFact(id="rev_1", kind="reported", key="k", subject="s", says=says)])
    await world.night()
    first = await world.work().conclude(ConcludeNight(day=NIGHT))
    again = await world.work().conclude(ConcludeNight(day=NIGHT))
    assert (first.agents, first.changed, first.closed_priors) == (AGENTS, AGENTS, True)
    assert again == first.model_copy(update={"closed_priors": False})
    assert len(first.moves) == 5
    assert abs(first.moves[0].moved_e6) >= abs(first.moves[-1].moved_e6)
    assert await world.owner.fetchval("SELECT through FROM reputation_clients WHERE org_id = 'org_b'") == NIGHT

    said = await world.owner.fetchval("SELECT (says -> 0) FROM reputation_events")
    lesson = json.loads(said)
    past = {proven: Beta(0, 0, NIGHT) for proven in (False, True)}
    which = lesson["is_proven"]
    past[which] = past[which].add(lesson["lesson_good_e6"], lesson["lesson_bad_e6"], NIGHT - ONE)
    hold = priors(past[False], past[True], NIGHT + ONE)
    assert hold != priors(initial_prior(NIGHT), initial_prior(NIGHT), NIGHT + ONE)
    [kept] = await world.owner.fetch(
        "SELECT * FROM reputation_priors WHERE dimension = 'quality' AND day = $1", NIGHT + ONE
    )
    assert (kept["newcomer_e6"], kept["proven_e6"]) == (hold.newcomer_e6, hold.proven_e6)


async def test_another_rate_applies_from_the_next_night_on_and_not_to_the_past(world: World) -> None:
    plan = PlanNight(now=datetime(2026, 3, 2, 0, 20, tzinfo=UTC))
    slow = world.work(rate_e4=9_900)
    assert (await world.work().plan(plan)).changes_rate is False
    planned = await slow.plan(plan)
    assert (planned.day, planned.changes_rate) == (NIGHT, True)
    await world.owner.execute(
        "INSERT INTO reputation_given VALUES ('agt_003', 'quality', 'org_b', 900, 9, $1)", NIGHT - 8 * ONE
    )
    await world.owner.execute(
        "INSERT INTO reputation_seasoned VALUES ('agt_003', $1, 1, '{900,0,0,0,0}', '{9,0,0,0,0}', '{9,0,0,0,0}',"
        " ARRAY[$1::date, '-infinity', '-infinity', '-infinity', '-infinity'])",
        NIGHT - 8 * ONE,
    )
    for _ in range(2):
        await slow.change_rate(ChangeRate(day=NIGHT))
    [held] = await world.owner.fetch("SELECT good_e6[1], bad_e6[1], held_e6[1], since[1] FROM reputation_seasoned")
    assert tuple(held) == (faded(900, 7, RATE_E4), faded(9, 7, RATE_E4), 9, NIGHT - ONE)
    powers = await world.owner.fetch("SELECT factor_e12 FROM reputation_powers ORDER BY nights")
    assert [row[0] for row in powers][:1_000] == [factor_e12(n, 9_900) for n in range(1_000)]
    [given] = await world.owner.fetch("SELECT * FROM reputation_given")
    assert (given["good_e6"], given["bad_e6"], given["since"]) == (faded(900, 7, RATE_E4), 9, NIGHT - ONE)
    await slow.take(DecayPages(day=NIGHT, after="", limit=PAGE, pages=100))
    for agent_id, rows in world.rows.items():
        for dimension, row in rows.items():
            nights_left = (NIGHT - row.through).days
            good = faded(faded(row.beta.good_e6, (row.through - row.beta.since).days, RATE_E4), nights_left, 9_900)
            [got] = await world.owner.fetch(
                "SELECT * FROM reputation_scores WHERE agent_id = $1 AND dimension = $2", agent_id, dimension.value
            )
            assert got["stars_e6"] == (good + ONE_E6) * ONE_E6 // (good + row.held_e6 + 2 * ONE_E6)
        [shown] = (await agent_reputations(cast("Any", world.owner), [(agent_id, None)], NIGHT)).values()
        assert shown is not None
        mean = {each: stars(kept, shown.rate_e4).mean_e6 for each, kept in shown.rows.items()}
        stored = await world.owner.fetch("SELECT * FROM reputation_scores WHERE agent_id = $1", agent_id)
        assert mean == {Dimension(row["dimension"]): row["stars_e6"] for row in stored}
    # Back again, to a rate with fewer powers: none of the longer table is left.
    await world.work().change_rate(ChangeRate(day=NIGHT + ONE))
    powers = await world.owner.fetch("SELECT factor_e12 FROM reputation_powers ORDER BY nights")
    assert [row[0] for row in powers] == [factor_e12(n, RATE_E4) for n in range(len(powers))]


async def test_no_night_is_taken_before_its_time_or_when_it_is_switched_off(world: World) -> None:
    early = PlanNight(now=datetime(2026, 3, 2, 0, 5, tzinfo=UTC))
    assert (await world.work().plan(early)).day == NIGHT - ONE
    asked = early.model_copy(update={"day": NIGHT})
    assert (await world.work().plan(asked)).why == "the night of 2026-03-02 has not come"
    assert "BURSAR_NIGHTLY" in (await world.work(enabled=False).plan(early)).why
