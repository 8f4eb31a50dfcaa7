"""The rows in PostgreSQL equal the results of the pure rules, for any sequence of facts and concurrent writers."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from dev.stack.postgres import Postgres
from domain.reputation.clients import ClientFact, client_increment, feedback_weight_e6
from domain.reputation.conduct import ClientAct
from domain.reputation.evidence import (
    ONE_E6,
    RATE_E4,
    Beta,
    Dimension,
    Evidence,
    Priors,
    add,
    catch_up,
    factor_e12,
    newcomer_evidence,
)
from domain.reputation.facts import DimensionShare, increments
from domain.reputation.policy import EvidencePolicy, delay_days
from domain.reputation.prior import learned_e6, lowest
from domain.reputation.score import overall_e6, rank_e6, stars
from domain.reputation.timing import BOUNDS_MS, Timing, add_response, bucket_of
from domain.reputation.weights import COUNTERPARTY_E6, GivenEvidence, Stakes, saturated, saturated_reports, weight_e6
from repositories.reputation.reputation import FactContext, ReputationFact, record_facts, void
from repositories.reputation.reputation_client import record_act as take_client
from runtime.database import plain_url
from tests.conftest import new_database
from tests.lanes import examples
from tests.support.seasoned import Seasoned, seasoned

pytestmark = pytest.mark.db

DAY = date(2026, 1, 5)
NUMBERS = itertools.count(1)
HALF = Priors(ONE_E6 // 2, ONE_E6 // 2)
#: From these days on, other priors hold, in every dimension.
PRIORS = {DAY + timedelta(days=2): Priors(700_000, 900_000), DAY + timedelta(days=9): Priors(300_000, 300_000)}
STAKES = Stakes(typical_minor=50_00, unit_commission_minor=2_50)
POLICY = EvidencePolicy(registrars=("registrar",))
ORGS = ("org_studio", "org_a", "org_b", "org_ring1", "org_ring2")
FILL = """
INSERT INTO organizations (id, name, created_by, command_id)
SELECT o, o, CASE WHEN o LIKE 'org_ring%' THEN 'ringmaster' ELSE 'registrar' END, o FROM unnest($1::text[]) o
"""
AGENT = """
INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id)
VALUES ($1, $2, 'Agent', 'public', 'free', 'test', $1)
"""


@pytest.fixture(scope="module")
def urls(cluster: Postgres):
    with new_database(cluster, "bursar_reputation") as made:
        yield made


@pytest.fixture(scope="module")
async def books(urls) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    owner = await asyncpg.connect(plain_url(urls.owner))
    await owner.execute(FILL, list(ORGS))
    rows = [
        (dimension.value, day, each.newcomer_e6, each.proven_e6)
        for day, each in PRIORS.items()
        for dimension in Dimension
    ]
    await owner.executemany("INSERT INTO reputation_priors VALUES ($1, $2, $3, $4, 0, 0, 0, 0)", rows)
    await owner.close()
    async with asyncpg.create_pool(plain_url(urls.platform), min_size=0, max_size=16) as pool:
        yield pool


async def new_agent(pool: Any, org_id: str = "org_studio") -> str:
    agent_id = f"agt_{next(NUMBERS)}"
    await pool.execute(AGENT, agent_id, org_id)
    return agent_id


def priors_on(day: date) -> Priors:
    return next((each for since, each in sorted(PRIORS.items(), reverse=True) if since <= day), HALF)


def nights_to(row: Evidence, day: date) -> Evidence:
    taken = [each for since, each in PRIORS.items() if row.through < since <= day]
    return catch_up(row, day, lowest([*taken, priors_on(day)]))


def about(agent_id: str, client: str | None = "org_a", *, day: date = DAY, **more: Any) -> FactContext:
    fields: dict[str, Any] = {
        "value_minor": 50_00,
        "commission_minor": 2_50,
        "stakes": STAKES,
        "exempt": ["registrar"],
        "seasons_days": 5,
    }
    return FactContext(
        agent_id=agent_id,
        agent_org_id="org_studio",
        counterparty_org_id=client,
        source="escrow",
        actor="test",
        at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
        **fields | more,
    )


def fact(kind: str = "released", *, good_e4: int = 10_000, **more: Any) -> ReputationFact:
    number = next(NUMBERS)
    said = more.pop("says", (DimensionShare(Dimension.TASK_SUCCESS, 10_000, good_e4),))
    return ReputationFact(id=f"rev_{number}", kind=kind, key=f"k{number}", subject=f"esc_{number}", says=said, **more)


@dataclass
class Model:
    """An independent fold of facts by the pure rules."""

    rows: dict[Dimension, Evidence] = field(default_factory=dict)
    given: dict[tuple[Dimension, str], GivenEvidence] = field(default_factory=dict)
    clients: dict[str, Evidence] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    lessons: list[tuple[int, int]] = field(default_factory=list)
    started: date | None = None
    seasons: list[tuple[date, int, list[tuple[Dimension, int, int]], bool]] = field(default_factory=list)

    def take(self, what: FactContext, one: ReputationFact, standing: int | None = None) -> int:
        """Take a fact; with `standing` the one that was recorded. Returns the standing."""
        day, client = what.at.date(), what.counterparty_org_id or ""
        if self.started is None:
            self.started = day
            self.rows = {each: newcomer_evidence(day, priors_on(day)) for each in Dimension}
        trusted = self.clients.get(client, newcomer_evidence(day, HALF))
        rater = standing if standing is not None else feedback_weight_e6(trusted) if one.is_rated else ONE_E6
        full = what.commission_minor if what.bad_commission_minor is None else what.bad_commission_minor
        weight = weight_e6(what.value_minor, what.commission_minor, rater, what.stakes)
        bad_weight = weight_e6(what.value_minor, full, rater, what.stakes)
        counted = []
        for each in increments(one.says, weight, bad_weight):
            row = nights_to(self.rows[each.dimension], day)
            before = self.given.get((each.dimension, client), GivenEvidence(0, 0, day))
            good, bad, after = saturated(before, each.good_e6, each.bad_e6, day, rater)
            self.given[each.dimension, client] = after
            self.lessons.append((learned_e6(row, good), learned_e6(row, bad)))
            self.rows[each.dimension] = add(row, good, bad, day=day, priors=priors_on(day))
            counted.append((each.dimension, good, bad))
        said = increments(one.says, weight, bad_weight)
        up, down = sum(each.good_e6 for each in said), sum(each.bad_e6 for each in said)
        after_days = delay_days(up, down, 5)
        self.seasons.append((day + timedelta(days=after_days), len(self.seasons), counted, up >= down))
        whole = weight_e6(what.value_minor, what.commission_minor, ONE_E6, what.stakes)
        worst = weight_e6(what.value_minor, full, ONE_E6, what.stakes)
        up, down = whole * one.client_good_e4 // 10_000, worst * one.client_bad_e4 // 10_000
        if up + down:
            self.clients[client] = add(trusted, up, down, day=day, priors=HALF)
        if one.response_ms is not None:
            self.timing = add_response(self.timing, one.response_ms)
        return rater

    def seasoned(self, day: date) -> Seasoned:
        """Fold what counts for terms on a day."""
        rows = {each: Evidence(Beta(0, 0, DAY), 0, 0, 0, DAY) for each in Dimension}
        come = [each for each in sorted(self.seasons, key=lambda event: event[:2]) if each[0] <= day]
        for on, _, counted, is_good in come:
            for dimension, good, bad in counted:
                # Mostly bad evidence counts at once, and nothing of it as good.
                rows[dimension] = add(rows[dimension], good if is_good else 0, bad, day=on, priors=HALF)
        rows = {each: replace(catch_up(row, day, HALF), prior_e6=ONE_E6 // 2) for each, row in rows.items()}
        means = overall_e6({each: stars(row).mean_e6 for each, row in rows.items()})
        ranks = overall_e6({each: rank_e6(row) for each, row in rows.items()})
        heaviest = (max((good + bad for _, good, bad in counted), default=0) for _, _, counted, _ in come)
        return Seasoned(means, ranks, sum(min(ONE_E6, each) for each in heaviest) // ONE_E6)


async def rows_of(pool: Any, agent_id: str) -> dict[Dimension, tuple[int, ...]]:
    found = await pool.fetch("SELECT * FROM reputation_scores WHERE agent_id = $1", agent_id)
    names = ("good_e6", "bad_e6", "since", "held_e6", "earned_e6", "prior_e6", "through", "stars_e6", "rank_e6")
    return {Dimension(row["dimension"]): tuple(row[name] for name in names) for row in found}


def shown(row: Evidence) -> tuple[Any, ...]:
    beta = row.beta
    kept = (beta.good_e6, beta.bad_e6, beta.since, row.held_e6, row.earned_e6, row.prior_e6, row.through)
    return (*kept, stars(row).mean_e6, rank_e6(row))


FACTS = st.lists(
    st.tuples(
        st.integers(0, 12),  # days since the last one
        st.sampled_from(["org_a", "org_b"]),
        st.lists(
            st.tuples(st.sampled_from(list(Dimension)), st.sampled_from([10_000, 5_000, 1]), st.integers(0, 10_000)),
            min_size=1,
            max_size=3,
            unique_by=lambda said: said[0],
        ),
        st.integers(0, 10**7),  # value
        st.integers(1, 10**5),  # commission
        st.none() | st.integers(0, 10**5),  # by how much more it would have been without a discount
        st.booleans(),
        st.sampled_from([(0, 0), (10_000, 0), (0, 2_500), (5_000, 10_000)]),
        st.none() | st.integers(0, 2**31),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=FACTS, out=st.integers(0, 9))
async def test_rows_equal_the_pure_rules_and_are_made_again_without_what_was_voided(books, facts, out):
    agent_id, day, taken = await new_agent(books), DAY, []
    clients = {f"org_{next(NUMBERS)}": name for name in ("org_a", "org_b")}
    await books.execute(FILL, list(clients))
    names = {name: made for made, name in clients.items()}
    model = Model()
    for gap, client, said, value, commission, more, is_rated, (up, down), response in facts:
        day += timedelta(days=gap)
        full = None if more is None else commission + more
        bounds = {"value_minor": value, "commission_minor": commission, "bad_commission_minor": full}
        what = about(agent_id, names[client], day=day, **bounds)
        one = fact(
            says=tuple(DimensionShare(*each) for each in said),
            is_rated=is_rated,
            client_good_e4=up,
            client_bad_e4=down,
            response_ms=response,
        )
        async with books.acquire() as connection:
            assert await record_facts(connection, what, [one]) == 1
            assert await record_facts(connection, what, [one]) == 0  # the same key says it once
        if weight_e6(value, full or commission, ONE_E6, STAKES):
            taken.append((what, one, model.take(what, one)))
    if not taken:
        assert await rows_of(books, agent_id) == {}
        return

    async def compare(expected: Model) -> None:
        assert await rows_of(books, agent_id) == {each: shown(row) for each, row in expected.rows.items()}
        figures = await books.fetchrow("SELECT * FROM reputation_agents WHERE agent_id = $1", agent_id)
        assert tuple(figures["response_buckets"]) == expected.timing.buckets
        assert (figures["response_count"], figures["response_total_ms"]) == (
            expected.timing.count,
            expected.timing.total_ms,
        )
        assert figures["rank_e6"] == overall_e6({each: rank_e6(row) for each, row in expected.rows.items()})
        assert figures["stars_e6"] == overall_e6({each: stars(row).mean_e6 for each, row in expected.rows.items()})
        for client, row in expected.clients.items():
            kept = await books.fetchrow("SELECT * FROM reputation_clients WHERE org_id = $1", client)
            assert (kept["good_e6"], kept["bad_e6"], kept["held_e6"]) == (
                row.beta.good_e6,
                row.beta.bad_e6,
                row.held_e6,
            )
        for on in (day, day + timedelta(days=3), day + timedelta(days=20)):
            assert await seasoned(books, agent_id, on) == expected.seasoned(on)

    await compare(model)
    events = await books.fetch("SELECT says FROM reputation_events WHERE agent_id = $1 ORDER BY seq", agent_id)
    lessons = [(s["lesson_good_e6"], s["lesson_bad_e6"]) for event in events for s in json.loads(event["says"])]
    assert lessons == model.lessons

    voided = taken[out % len(taken)][1]
    async with books.acquire() as connection:
        at = datetime(2026, 3, 1, tzinfo=UTC)
        assert await void(connection, voided.id, by="operator", reason="charged back", at=at)
        assert not await void(connection, voided.id, by="operator", reason="again", at=at)
    again = Model()
    again.started = taken[0][0].at.date()
    again.rows = {each: newcomer_evidence(again.started, priors_on(again.started)) for each in Dimension}
    for what, one, standing in taken:
        if one is not voided:
            again.take(what, one, standing)
    # Seasoned evidence counts by the amount that it added when it was recorded.
    again.seasons = [kept for kept, (_, one, _) in zip(model.seasons, taken, strict=True) if one is not voided]
    again.rows = {each: nights_to(row, model.rows[each].through) for each, row in again.rows.items()}
    latest = max(row.through for row in model.rows.values())
    again.rows = {each: nights_to(row, latest) for each, row in again.rows.items()}
    again.clients = {}
    await compare(again)


DEEDS = st.lists(
    st.tuples(
        st.integers(0, 12),  # days since the last one
        st.sampled_from([None, ClientFact.PAYMENT_FAILED, ClientFact.CHARGED_BACK, ClientFact.CANCELLED]),
        st.integers(0, 10**7),  # value
        st.none() | st.integers(1, 10**5),  # commission
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=DEEDS, out=st.integers(0, 9))
async def test_trust_in_a_client_is_made_again_from_escrows_and_payments_together(books, deeds, out):
    agent_id, client, day = await new_agent(books), f"org_{next(NUMBERS)}", DAY
    await books.execute(FILL, [client])
    known: list[tuple[date, ClientFact, tuple[int, int], str | None]] = []
    for gap, kind, value, commission in deeds:
        day += timedelta(days=gap)
        async with books.acquire() as connection:
            if kind is None:
                one = fact(client_good_e4=10_000)
                paid = {"value_minor": value, "commission_minor": commission or 0}
                await record_facts(connection, about(agent_id, client, day=day, **paid), [one])
                said = (weight_e6(value, commission or 0, ONE_E6, STAKES), 0)
                event = one.id
            else:
                number = next(NUMBERS)
                did = ClientAct(
                    fact=kind,
                    key=f"c{number}",
                    subject="pay_1",
                    org_id=client,
                    value_minor=value,
                    currency="USD",
                    commission_minor=commission,
                )
                said, event = client_increment(kind, weight_e6(value, commission, ONE_E6, STAKES)), None
                at = datetime(day.year, day.month, day.day, tzinfo=UTC)
                assert await take_client(connection, f"rev_c{number}", did, at=at) is (sum(said) > 0)
                assert not await take_client(connection, f"rev_d{number}", did, at=at)
        if sum(said):
            known.append((day, kind or ClientFact.PAID, said, event))
    if not known:
        return

    async def compare(events) -> None:
        row = newcomer_evidence(known[0][0], HALF)
        for on, _, (good, bad), _ in events:
            row = add(row, good, bad, day=on, priors=HALF)
        kept = await books.fetchrow("SELECT * FROM reputation_clients WHERE org_id = $1", client)
        assert (kept["good_e6"], kept["bad_e6"], kept["held_e6"]) == (row.beta.good_e6, row.beta.bad_e6, row.held_e6)
        assert json.loads(kept["counts"]) == Counter(kind.value for _, kind, _, _ in events)

    await compare(known)
    await books.execute("SELECT reputation_remake_client($1)", client)
    await compare(known)
    voidable = [event for *_, event in known if event is not None]
    if voidable:
        gone = voidable[out % len(voidable)]
        async with books.acquire() as connection:
            assert await void(connection, gone, by="operator", reason="x", at=datetime(2026, 3, 1, tzinfo=UTC))
        await compare([each for each in known if each[3] != gone])


async def test_action_of_a_client_is_recorded_once_by_concurrent_writers_and_never_changed(books, urls):
    client = f"org_{next(NUMBERS)}"
    await books.execute(FILL, [client])
    did = ClientAct(
        fact=ClientFact.PAYMENT_FAILED, key=client, subject="pay_1", org_id=client, value_minor=50_00, currency="USD"
    )

    async def write(number: int, told: ClientAct) -> bool:
        async with books.acquire() as connection:
            at = datetime(2026, 1, 5, tzinfo=UTC)
            return await take_client(connection, f"rev_{client}_{number}", told, at=at, policy=POLICY)

    assert sum(await asyncio.gather(*(write(number, did) for number in range(8)))) == 1
    assert await books.fetchval("SELECT counts FROM reputation_clients WHERE org_id = $1", client) == (
        '{"payment_failed": 1}'
    )
    # Nothing counts in a currency of unknown worth, and between relatives.
    assert not await write(8, replace(did, key="other", currency="IRR"))
    of_ring = replace(did, key="ring", org_id="org_ring1", counterparty_org_id="org_ring2")
    assert not await write(9, of_ring)
    assert await write(10, replace(of_ring, counterparty_org_id="org_studio"))
    owner = await asyncpg.connect(plain_url(urls.owner))
    for statement in ("UPDATE reputation_client_events SET bad_e6 = 0", "DELETE FROM reputation_client_events"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(statement)
    await owner.close()


async def test_powers_and_buckets_are_those_of_the_rules(books):
    powers = await books.fetch("SELECT nights, factor_e12 FROM reputation_powers ORDER BY nights")
    assert [(row["nights"], int(row["factor_e12"])) for row in powers] == [
        (night, factor_e12(night, RATE_E4)) for night in range(len(powers))
    ]
    assert factor_e12(len(powers), RATE_E4) == 0
    times = [0, 1, *(bound + more for bound in BOUNDS_MS for more in (0, 1)), 2**40]
    for time in times:
        assert await books.fetchval("SELECT reputation_bucket($1)", time) == bucket_of(time) + 1


async def test_sixteen_concurrent_writers_give_the_result_of_sequential_ones(books):
    agent_id = await new_agent(books)
    facts = [fact(good_e4=(number % 11) * 1_000, response_ms=number) for number in range(64)]

    async def write(one: ReputationFact) -> None:
        async with books.acquire() as connection:
            await record_facts(connection, about(agent_id, ("org_a", "org_b")[(one.response_ms or 0) % 2]), [one])

    await asyncio.gather(*(write(one) for one in facts))
    order = await books.fetch("SELECT id FROM reputation_events WHERE agent_id = $1 ORDER BY seq", agent_id)
    model, by_id = Model(), {one.id: one for one in facts}
    for row in order:
        one = by_id[row["id"]]
        model.take(about(agent_id, ("org_a", "org_b")[(one.response_ms or 0) % 2]), one)
    assert len(order) == len(facts)
    assert (await rows_of(books, agent_id)) == {each: shown(row) for each, row in model.rows.items()}
    count = await books.fetchval("SELECT evidence_count FROM reputation_agents WHERE agent_id = $1", agent_id)
    assert count == len(facts)


async def test_many_events_that_weigh_nothing_are_little_evidence(books):
    small, typical = await new_agent(books), await new_agent(books)
    async with books.acquire() as connection:
        for number in range(40):
            client = ("org_a", "org_b")[number % 2]
            await record_facts(connection, about(small, client, value_minor=20, commission_minor=1), [fact(), fact()])
        for client in ("org_a", "org_b"):
            says = (
                DimensionShare(Dimension.TASK_SUCCESS, 10_000, 10_000),
                DimensionShare(Dimension.RELIABILITY, 10_000, 10_000),
            )
            await record_facts(connection, about(typical, client), [fact(says=says)])
        found = {agent: await seasoned(connection, agent, DAY + timedelta(days=5)) for agent in (small, typical)}
        bands = dict(
            await connection.fetch(
                "SELECT agent_id, band FROM reputation_agents WHERE agent_id = ANY ($1)", [small, typical]
            )
        )
        shown = await connection.fetchval("SELECT evidence_count FROM reputation_agents WHERE agent_id = $1", small)
    assert (found[small].evidence_count, found[typical].evidence_count) == (0, 2)
    assert (shown, bands[small], bands[typical]) == (80, 0, 0)


async def test_evidence_that_can_still_be_charged_back_improves_no_terms(books):
    later = DAY + timedelta(days=8)
    known, poor = [await new_agent(books) for _ in range(2)]
    async with books.acquire() as connection:
        await record_facts(connection, about(known), [fact()])
        await record_facts(connection, about(poor), [fact(good_e4=0) for _ in range(3)])
        before = {agent: await seasoned(connection, agent, later) for agent in (known, poor)}
        # The marketplace expects more of everybody by now, and most of whom it knows better.
        for client in ("org_a", "org_b", "org_ring1"):
            await record_facts(connection, about(known, client, day=later), [fact() for _ in range(3)])
        # A split that is more bad than good is better than what is known of the other.
        await record_facts(connection, about(poor, "org_b", day=later), [fact("split", good_e4=4_900)])
        after = {agent: await seasoned(connection, agent, later) for agent in (known, poor)}
    assert (before[known].evidence_count, after[known]) == (1, before[known])
    assert after[poor].rank_e6 <= before[poor].rank_e6
    assert after[poor].stars_e6 <= before[poor].stars_e6


@pytest.mark.parametrize(
    ("of", "by", "why"),
    [("org_studio", "org_studio", "own"), ("org_ring1", "org_ring2", "related"), ("org_studio", "org_ring1", None)],
)
async def test_related_organizations_and_unpaid_work_count_for_nothing(books, of, by, why):
    agent_id = await new_agent(books, of)
    what = about(agent_id, by, value_minor=500_00, commission_minor=25_00)
    object.__setattr__(what, "agent_org_id", of)
    one = fact(client_good_e4=10_000, is_end=True, is_success=True)
    async with books.acquire() as connection:
        assert await record_facts(connection, what, [one]) == 1
    event = await books.fetchrow("SELECT * FROM reputation_events WHERE id = $1", one.id)
    assert event["excluded"] == why
    assert bool(event["weight_e6"]) == (why is None)
    assert bool(await rows_of(books, agent_id)) == (why is None)


async def test_work_without_commission_because_of_a_discount_still_gives_bad_evidence(books):
    agent_id = await new_agent(books)
    free = about(agent_id, commission_minor=0, bad_commission_minor=2_50)
    praised, failed = (
        fact(client_good_e4=10_000, is_end=True, is_success=True),
        fact("refunded", good_e4=0, is_end=True),
    )
    won = fact(client_bad_e4=10_000)
    async with books.acquire() as connection:
        assert await record_facts(connection, free, [praised, failed, won]) == 3
    events = {
        one: await books.fetchrow("SELECT * FROM reputation_events WHERE id = $1", one.id)
        for one in (praised, failed, won)
    }
    assert [(event["excluded"], event["weight_e6"]) for event in events.values()] == [
        ("unpaid", 0),
        (None, ONE_E6),
        (None, ONE_E6),
    ]
    assert (events[won]["client_bad_e6"], json.loads(events[won]["says"])) == (ONE_E6, [])
    good, bad, *_ = (await rows_of(books, agent_id))[Dimension.TASK_SUCCESS]
    assert (good, bad) == (0, ONE_E6)
    # Contracts without a commission are not in the success rate, whether they ended well or not.
    ended = "SELECT ended, succeeded FROM reputation_agents WHERE agent_id = $1"
    assert tuple(await books.fetchrow(ended, agent_id)) == (0, 0)
    async with books.acquire() as connection:
        await record_facts(connection, about(agent_id), [fact(is_end=True, is_success=True)])
        assert await void(connection, failed.id, by="operator", reason="A test.", at=free.at)
    assert tuple(await books.fetchrow(ended, agent_id)) == (1, 1)


async def test_ring_of_one_operator_is_one_counterparty(books):
    apart, together = await new_agent(books), await new_agent(books)
    async with books.acquire() as connection:
        for number in range(20):
            await record_facts(connection, about(apart, ("org_a", "org_b")[number % 2]), [fact()])
            await record_facts(connection, about(together, ("org_ring1", "org_ring2")[number % 2]), [fact()])
    earned = {agent: (await rows_of(books, agent))[Dimension.TASK_SUCCESS][0] for agent in (apart, together)}
    assert earned[together] <= 3 * ONE_E6 < earned[apart] <= 6 * ONE_E6


async def test_events_are_never_changed_and_voided_once(books, urls):
    agent_id = await new_agent(books)
    one = fact()
    async with books.acquire() as connection:
        await record_facts(connection, about(agent_id), [one])
    owner = await asyncpg.connect(plain_url(urls.owner))
    change = "UPDATE reputation_events SET {} WHERE id = $1"
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await owner.execute(change.format("weight_e6 = 1"), one.id)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await owner.execute(
            change.format("voided_at = now(), voided_by = 'x', void_reason = 'y', weight_e6 = 1"), one.id
        )
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await owner.execute("DELETE FROM reputation_events WHERE id = $1", one.id)
    await owner.execute(change.format("voided_at = now(), voided_by = 'x', void_reason = 'y'"), one.id)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await owner.execute(change.format("voided_at = NULL, voided_by = NULL, void_reason = NULL"), one.id)
    await owner.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await books.execute(change.format("weight_e6 = 1"), one.id)


REPORTS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["one", "other"]),
        st.sampled_from(list(Dimension)[:2]),
        st.integers(0, 10_000),
        st.integers(0, 10_000),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reports=REPORTS, out=st.integers(0, 11))
async def test_reports_of_operators_are_bounded_together_as_the_rules_say(books, reports, out):
    agent_id, day, told = await new_agent(books), DAY, []
    for gap, actor, dimension, share, good in reports:
        day += timedelta(days=gap)
        what = replace(about(agent_id, None, day=day, is_weighed=False), source="operator", actor=actor)
        one = fact("reported", says=(DimensionShare(dimension, share, good),))
        async with books.acquire() as connection:
            await record_facts(connection, what, [one])
        told.append((day, actor, one))

    async def compare(expected: list[tuple[date, str, ReputationFact]]) -> None:
        rows = {each: newcomer_evidence(told[0][0], priors_on(told[0][0])) for each in Dimension}
        given: dict[tuple[Dimension, str], GivenEvidence] = {}
        for on, by, one in expected:
            for each in increments(one.says, ONE_E6):
                names = (each.dimension, "operators"), (each.dimension, f"reporter:{by}")
                before, praised = (given.get(name, GivenEvidence(0, 0, on)) for name in names)
                good, bad, *after = saturated_reports(before, praised, each.good_e6, each.bad_e6, on)
                assert all(max(total.good_e6, total.bad_e6) <= COUNTERPARTY_E6 for total in after)
                given |= dict(zip(names, after, strict=True))
                row = nights_to(rows[each.dimension], on)
                rows[each.dimension] = add(row, good, bad, day=on, priors=priors_on(on))
        kept = await rows_of(books, agent_id)
        assert {each: row[:5] for each, row in kept.items()} == {each: shown(row)[:5] for each, row in rows.items()}
        totals = await books.fetch("SELECT * FROM reputation_given WHERE agent_id = $1", agent_id)
        written = {(Dimension(row["dimension"]), row["counterparty"]): GivenEvidence(*list(row)[3:]) for row in totals}
        assert {name: written.pop(name) for name in given} == given
        assert not any(total.good_e6 + total.bad_e6 for total in written.values())  # of what was voided

    await compare(told)
    gone = told[out % len(told)]
    if gone[2].says[0].share_e4:
        async with books.acquire() as connection:
            assert await void(connection, gone[2].id, by="operator", reason="x", at=datetime(2027, 3, 1, tzinfo=UTC))
        await compare([each for each in told if each is not gone])
