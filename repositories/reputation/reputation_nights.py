"""Statements of the nightly run: decay of agents page by page, closing of priors, and change of the rate.

All need the platform's role. They lock the agents' rows first, as events do, so that an event comes either before or
after an agent's night.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import asyncpg

from domain.reputation import boards
from domain.reputation.evidence import Beta, Dimension, Priors, factor_e12, newcomer_evidence
from domain.reputation.prior import initial_prior, priors
from domain.reputation.score import HALF_E6, Score, overall, stars

#: Score of a newcomer, the comparison of an agent's first night.
NEWCOMER: Score = overall(
    {each: stars(newcomer_evidence(date.min, Priors(HALF_E6, HALF_E6)), rate_e4=10_000) for each in Dimension}
)
_DIMENSIONS = [dimension.value for dimension in Dimension]


@dataclass(frozen=True, slots=True)
class SuddenChange:
    """Agent with a sudden change: the overall scores after the previous and after this night."""

    agent_id: str
    before_e6: int
    now_e6: int


@dataclass(frozen=True, slots=True)
class NightPage:
    """Page of a night: the number of agents, the last id (empty without agents), and sudden changes."""

    agents: int
    last: str
    sudden: Sequence[SuddenChange] = ()


_LOCK = """
SELECT coalesce(max(agent_id), '') AS last, count(*) AS agents FROM (
    SELECT agent_id FROM reputation_agents
    WHERE agent_id > $1 AND (night_on IS NULL OR night_on < $3) ORDER BY agent_id LIMIT $2 FOR UPDATE
) page
"""
# Computed in place from the row's own columns. For rows of the night before, the priors are parameters; rows that
# missed nights look up the lowest priors of these.
_SCORES = """
UPDATE reputation_scores s SET (through, prior_e6, stars_e6, rank_e6) = (
    SELECT $2::date, prior, (good + 1000000) * 1000000 / (good + s.held_e6 + 2000000),
        greatest(0, expected - floor(sqrt(
            (expected * (1000000 - expected) * 1000000 / (good + s.held_e6 + 3000000))::float8))::bigint)
    FROM (SELECT coalesce(($1::bigint[])[$2::date - s.since + 1], 0) AS factor) power,
        LATERAL (SELECT (s.good_e6 / 1000000 * factor + s.good_e6 % 1000000 * factor / 1000000) / 1000000 AS good) now,
        LATERAL (SELECT least(s.prior_e6, CASE WHEN s.through = $2::date - 1 THEN
            (CASE WHEN s.earned_e6 < 3000000 THEN $6::bigint[] ELSE $7::bigint[] END)
            [array_position($5::text[], s.dimension)]
            ELSE reputation_lowest(s.dimension, s.through, $2::date, s.earned_e6) END) AS prior) lowest,
        LATERAL (SELECT (good + 2 * prior) * 1000000 / (good + s.held_e6 + 2000000) AS expected) posterior
)
WHERE s.agent_id > $3 AND s.agent_id <= $4 AND s.through < $2::date
"""
# The interval as `score.overall` has it. What passes 53 bits is the sum under the last root, which is cut to its
# ten-thousandth.
_AGENTS = """
WITH known AS (
    SELECT agent_id, dimension, reputation_share(dimension) AS share, stars_e6, rank_e6, held_e6, since,
        (good_e6 / 1000000 * factor + good_e6 % 1000000 * factor / 1000000) / 1000000 AS good
    FROM reputation_scores, LATERAL (SELECT coalesce(($1::bigint[])[through - since + 1], 0) AS factor) power
    WHERE agent_id > $3 AND agent_id <= $4
), spread AS (
    SELECT agent_id, dimension, share, stars_e6, rank_e6, since,
        stars_e6 - greatest(0, stars_e6 - floor(sqrt(
            (26896 * stars_e6 * (1000000 - stars_e6) * 100 / (good + held_e6 + 3000000))::float8))::bigint) AS below,
        1000000 - stars_e6 - greatest(0, poor - floor(sqrt(
            (26896 * poor * (1000000 - poor) * 100 / (good + held_e6 + 3000000))::float8))::bigint) AS over
    FROM known, LATERAL (SELECT (held_e6 + 1000000) * 1000000 / (good + held_e6 + 2000000) AS poor) other
), found AS (
    SELECT agent_id, sum(share * stars_e6)::bigint / 10000 AS stars, sum(share * rank_e6)::bigint / 10000 AS rank,
        floor(sqrt(sum((share * below)::float8 ^ 2)))::bigint / 10000 AS below,
        floor(sqrt(sum((share * over)::float8 ^ 2)))::bigint / 10000 AS over, max(since) AS since,
        array_agg(stars_e6 ORDER BY array_position($8::text[], dimension)) AS dimensions
    FROM spread GROUP BY agent_id
), taken AS (
    UPDATE reputation_agents a
    SET stars_e6 = stars, rank_e6 = rank, night_on = $2, night_stars_e6 = stars,
        night_low_e6 = greatest(0, stars - below), night_high_e6 = least(1000000, stars + over),
        delivery_seconds = CASE WHEN a.latest_on >= $2::date - 90 THEN (
            SELECT CASE WHEN count(*) >= 3 THEN percentile_disc(0.5) WITHIN GROUP (ORDER BY e.delivery_seconds) END
            FROM (SELECT * FROM reputation_events
                WHERE agent_id = a.agent_id AND delivery_seconds IS NOT NULL AND voided_at IS NULL
                ORDER BY seq DESC LIMIT 100) e WHERE e.day >= $2::date - 90) END
    FROM found f
    WHERE a.agent_id = f.agent_id AND (a.night_on IS NULL OR a.night_on < $2)
    RETURNING a.agent_id, new.stars_e6, new.night_low_e6, new.night_high_e6, new.rank_e6, new.evidence_count,
        f.dimensions, coalesce(old.night_stars_e6, $5) AS before,
        old.night_on IS NULL OR f.since >= old.night_on
            OR (old.stars_e6, old.rank_e6) IS DISTINCT FROM (new.stars_e6, new.rank_e6) AS is_changed,
        abs(stars - coalesce(old.night_stars_e6, $5)) >= 100000
            AND stars NOT BETWEEN coalesce(old.night_low_e6, $6) AND coalesce(old.night_high_e6, $7) AS is_sudden
), kept AS (
    INSERT INTO reputation_history
        (day, agent_id, stars_e6, low_e6, high_e6, rank_e6, moved_e6, evidence_count, is_sudden, dimensions_e6)
    SELECT $2, agent_id, stars_e6, night_low_e6, night_high_e6, rank_e6, stars_e6 - before, evidence_count, is_sudden,
        dimensions
    FROM taken WHERE is_changed
)
SELECT agent_id, before, stars_e6 FROM taken WHERE is_sudden ORDER BY agent_id
"""

# For agents with new events, the events do this. Otherwise prices, levels and payouts of other agents would have to sum
# all evidence that has come to count since.
_SEASONED = """
SELECT count(reputation_season(a.agent_id, $1::date - 1)) FROM reputation_agents a CROSS JOIN LATERAL (
    SELECT FROM reputation_events e WHERE e.agent_id = a.agent_id AND e.seasoned_on < $1 AND e.seasoned_on > coalesce(
        (SELECT through FROM reputation_seasoned s WHERE s.agent_id = a.agent_id), '-infinity') LIMIT 1
) due
WHERE a.agent_id > $2 AND a.agent_id <= $3 AND a.night_on = $1
"""


async def decay_agents(connection: asyncpg.Connection, day: date, *, after: str, limit: int) -> NightPage:
    """Run the night of a day for the next agents by id, each once, including missed nights.

    Effect: rows as of the day, rows for terms as of the day before, and a row of history for each changed agent;
        nothing for agents that had their night.
    """
    [page] = await connection.fetch(_LOCK, after, limit, day)
    if not page["agents"]:
        return NightPage(0, "")
    powers = await _powers(connection)
    known = await connection.fetch(
        "SELECT dimension, newcomer_e6, proven_e6 FROM reputation_priors WHERE day = $1", day
    )
    newcomers = {row["dimension"]: row["newcomer_e6"] for row in known}
    proven = {row["dimension"]: row["proven_e6"] for row in known}
    low: list[list[int | None]] = [[of.get(each) for each in _DIMENSIONS] for of in (newcomers, proven)]
    await connection.execute(_SCORES, powers, day, after, page["last"], _DIMENSIONS, *low)
    newcomer = (NEWCOMER.mean_e6, NEWCOMER.low_e6, NEWCOMER.high_e6)
    sudden = await connection.fetch(_AGENTS, powers, day, after, page["last"], *newcomer, _DIMENSIONS)
    await connection.execute(_SEASONED, day, after, page["last"])
    return NightPage(page["agents"], page["last"], [SuddenChange(*row) for row in sudden])


_CLIENTS = """
WITH page AS (
    SELECT org_id FROM reputation_clients WHERE org_id > $1 AND through < $3 ORDER BY org_id LIMIT $2 FOR UPDATE
), taken AS (
    UPDATE reputation_clients c SET through = $3 FROM page WHERE c.org_id = page.org_id
)
SELECT max(org_id), count(reputation_season_client(org_id, $3 - 1)) FROM page
"""


async def decay_clients(connection: asyncpg.Connection, day: date, *, after: str, limit: int) -> str | None:
    """Run the night of a day for the next clients by id, and return the last one; None at the end."""
    last: str | None = await connection.fetchval(_CLIENTS, after, limit, day)
    return last


_LESSONS = """
SELECT said ->> 'dimension' AS dimension, (said ->> 'is_proven')::boolean AS is_proven, day,
    sum((said ->> 'lesson_good_e6')::bigint)::bigint AS good, sum((said ->> 'lesson_bad_e6')::bigint)::bigint AS bad
FROM reputation_events, LATERAL jsonb_array_elements(says) said
WHERE day >= $1 AND day < $2 AND voided_at IS NULL AND excluded IS NULL
GROUP BY 1, 2, 3 ORDER BY day
"""
_LATEST = "SELECT DISTINCT ON (dimension) * FROM reputation_priors ORDER BY dimension, day DESC"
_CLOSE = """
INSERT INTO reputation_priors (dimension, day, newcomer_e6, proven_e6, newcomer_good_e6, newcomer_bad_e6,
    proven_good_e6, proven_bad_e6)
SELECT * FROM unnest($1::text[], $2::date[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[])
ON CONFLICT DO NOTHING
"""


async def close_priors(connection: asyncpg.Connection, day: date) -> bool:
    """Close the priors of the day after `day` from events before `day`, once; False if they were closed before.

    They apply from a future day, so that priors never change during a day, and recomputed rows use the same ones.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('close_reputation_priors', 0))")
    latest = {row["dimension"]: row for row in await connection.fetch(_LATEST)}
    until = day + timedelta(days=1)
    if latest and max(row["day"] for row in latest.values()) >= until:
        return False
    rate_e4 = await rate(connection)
    # Events of the day before a closing are not included yet.
    since = min(row["day"] for row in latest.values()) - timedelta(days=1) if latest else date(1970, 1, 1)
    lessons = await connection.fetch(_LESSONS, since, day)
    made = []
    for each in _DIMENSIONS:
        kept = latest.get(each)
        rows = {
            is_proven: Beta(kept[f"{name}_good_e6"], kept[f"{name}_bad_e6"], kept["day"])
            if kept
            else initial_prior(lessons[0]["day"] if lessons else day)
            for is_proven, name in ((False, "newcomer"), (True, "proven"))
        }
        for lesson in lessons:
            if lesson["dimension"] == each:
                row = rows[lesson["is_proven"]]
                rows[lesson["is_proven"]] = row.add(lesson["good"], lesson["bad"], lesson["day"], rate_e4)
        hold = priors(rows[False], rows[True], until, rate_e4)
        first, second = (rows[is_proven].on(until, rate_e4) for is_proven in (False, True))
        betas = (first.good_e6, first.bad_e6, second.good_e6, second.bad_e6)
        made.append((each, until, hold.newcomer_e6, hold.proven_e6, *betas))
    await connection.execute(_CLOSE, *(list(column) for column in zip(*made, strict=True)))
    return True


_PEERS = """
INSERT INTO reputation_peers (category, dimension, step, agents, below, day)
SELECT category, dimension, step, agents,
    sum(agents) OVER (PARTITION BY category, dimension ORDER BY step) - agents, $1
FROM (
    SELECT coalesce(category, '') AS category, dimension, step, count(*) AS agents
    FROM (
        SELECT category, 'overall' AS dimension, rank_e6 * $2::bigint / 1000000 AS step
        FROM reputation_agents WHERE evidence_e6 >= 1000000
        UNION ALL
        SELECT category, dimension, rank_e6 * $2::bigint / 1000000 FROM reputation_scores WHERE evidence_e6 >= 1000000
    ) ranked
    GROUP BY GROUPING SETS ((dimension, step), (category, dimension, step))
    -- Who has no category is among all, and nowhere else.
    HAVING GROUPING(category) = 1 OR category IS NOT NULL
) counted
"""


async def count_peers(connection: asyncpg.Connection, day: date) -> None:
    """Recount the agents on each rank step, in each dimension and category."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('count_reputation_peers', 0))")
    await connection.execute("DELETE FROM reputation_peers")
    await connection.execute(_PEERS, day, boards.STEPS)


@dataclass(frozen=True, slots=True)
class NightSummary:
    """Summary of a night: agents, changes, sudden changes, and the largest changes."""

    agents: int
    changed: int
    sudden: int
    moves: Sequence[tuple[str, int, int]]


_COUNTS = "SELECT count(*), count(*) FILTER (WHERE is_sudden) FROM reputation_history WHERE day = $1"


async def night_summary(connection: asyncpg.Connection, day: date, *, moves: int = 5) -> NightSummary:
    """Return the summary of the night of a day from the history; `moves` has agent, change and score."""
    agents = await connection.fetchval("SELECT count(*) FROM reputation_agents WHERE night_on >= $1", day)
    [(changed, sudden)] = await connection.fetch(_COUNTS, day)
    most = await connection.fetch(
        "SELECT agent_id, moved_e6, stars_e6 FROM reputation_history WHERE day = $1 AND moved_e6 <> 0"
        " ORDER BY abs(moved_e6) DESC, agent_id LIMIT $2",
        day,
        moves,
    )
    return NightSummary(agents, changed, sudden, [(each[0], each[1], each[2]) for each in most])


async def open_months(connection: asyncpg.Connection, since: date, until: date) -> None:
    """Create the partition of the history for every month between two dates."""
    await connection.execute("SELECT open_reputation_months($1, $2)", since, until)


async def _powers(connection: asyncpg.Connection) -> list[int]:
    powers: list[int] = await connection.fetchval("SELECT array_agg(factor_e12 ORDER BY nights) FROM reputation_powers")
    return powers


async def rate(connection: asyncpg.Connection) -> int:
    """Return the rate: the share of evidence left after a night, in ten-thousandths."""
    left: int = await connection.fetchval("SELECT factor_e12 FROM reputation_powers WHERE nights = 1")
    return left // 10**8


# Rows are rewritten as of `through` (given evidence: as of the day before the night), by the previous rate.
_ANEW: Mapping[str, str] = {
    "reputation_scores": """
        UPDATE reputation_scores SET since = through, good_e6 = reputation_faded(good_e6, through - since),
            bad_e6 = reputation_faded(bad_e6, through - since)
        WHERE agent_id > $1 AND agent_id <= $2 AND since < through
    """,
    "reputation_given": """
        UPDATE reputation_given SET since = $3::date - 1, good_e6 = reputation_faded(good_e6, $3::date - 1 - since),
            bad_e6 = CASE WHEN counterparty = 'operators' THEN reputation_faded(bad_e6, $3::date - 1 - since)
                          ELSE bad_e6 END
        WHERE agent_id > $1 AND agent_id <= $2 AND since < $3::date - 1
    """,
}
_SEASONED_ANEW = """
UPDATE reputation_seasoned r SET (good_e6, bad_e6, since) = (
    SELECT array_agg(reputation_faded_between(good, day, until) ORDER BY place),
        array_agg(reputation_faded_between(bad, day, until) ORDER BY place), array_agg(until ORDER BY place)
    FROM unnest(r.good_e6, r.bad_e6, r.since) WITH ORDINALITY kept (good, bad, day, place),
        LATERAL (SELECT CASE WHEN day = '-infinity' THEN day ELSE greatest(day, $1::date - 1) END AS until) past)
"""
_CLIENTS_ANEW = """
UPDATE reputation_clients SET since = through, good_e6 = reputation_faded(good_e6, through - since),
    bad_e6 = reputation_faded(bad_e6, through - since)
WHERE since < through
"""
_SEASONED_CLIENTS_ANEW = """
UPDATE reputation_seasoned_clients SET since = $1::date - 1,
    good_e6 = reputation_faded_between(good_e6, since, $1::date - 1),
    bad_e6 = reputation_faded_between(bad_e6, since, $1::date - 1)
WHERE since <> '-infinity' AND since < $1::date - 1
"""
_NEXT = """
SELECT max(agent_id) FROM (
    SELECT agent_id FROM reputation_agents WHERE agent_id > $1 ORDER BY agent_id LIMIT $2 FOR UPDATE
) page
"""


async def rewrite_rows(connection: asyncpg.Connection, day: date, *, after: str, limit: int) -> str | None:
    """Rewrite the rows of the next agents as of their last night, and return the last agent; None at the end."""
    last: str | None = await connection.fetchval(_NEXT, after, limit)
    if last is not None:
        for statement in _ANEW.values():
            arguments = (after, last, day) if "$3" in statement else (after, last)
            await connection.execute(statement, *arguments)
    return last


async def change_rate(connection: asyncpg.Connection, day: date, rate_e4: int) -> None:
    """Change the rate in one transaction, after `rewrite_rows` has handled all agents.

    It also rewrites clients, and rows of agents with events since.
    """
    for statement in _ANEW.values():
        everyone = statement.replace("agent_id > $1 AND agent_id <= $2 AND ", "").replace("$3", "$1")
        await connection.execute(everyone, *((day,) if "$1" in everyone else ()))
    await connection.execute(_CLIENTS_ANEW)
    # Clients and seasoned rows are read on the day itself, so they are rewritten as of the day before.
    for seasoned in (_SEASONED_ANEW, _SEASONED_CLIENTS_ANEW):
        await connection.execute(seasoned, day)
    # Rows that are computed again later need the old rate, by which events before this day faded.
    await connection.execute(
        "INSERT INTO reputation_rates (until, factors_e12)"
        " SELECT $1::date - 1, array_agg(factor_e12 ORDER BY nights) FROM reputation_powers ON CONFLICT DO NOTHING",
        day,
    )
    factors: list[int] = []
    while not factors or factors[-1]:
        factors.append(factor_e12(len(factors), rate_e4))
    await connection.execute(
        "INSERT INTO reputation_powers (nights, factor_e12)"
        " SELECT place - 1, factor FROM unnest($1::bigint[]) WITH ORDINALITY given (factor, place)"
        " ON CONFLICT (nights) DO UPDATE SET factor_e12 = EXCLUDED.factor_e12",
        factors,
    )
    await connection.execute("UPDATE reputation_powers SET factor_e12 = 0 WHERE nights >= $1", len(factors))
