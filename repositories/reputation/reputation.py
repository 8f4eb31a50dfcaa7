"""Statements about reputation: recording and voiding facts, and reading scores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.reputation import boards
from domain.reputation.boards import Period
from domain.reputation.evidence import ONE_E6, RATE_E4, Beta, Dimension, Evidence
from domain.reputation.facts import DimensionShare
from domain.reputation.score import HALF_E6
from domain.reputation.score_changes import TREND_DAYS
from domain.reputation.timing import Timing
from domain.reputation.weights import Stakes
from models.reputation.reputation import ReputationEventRow, ReputationFeedbackRow
from repositories.common.listing import ListFilter, Listing, ListPage
from repositories.common.required import get_required

STAKES = Stakes()


# Agents whose events were voided are stale until their scores are computed again.
_VOIDED = """
    SELECT e.counterparty_org_id AS client, e.agent_org_id AS creator, array_agg(DISTINCT one.kind) AS kinds
    FROM reputation_agents a
    JOIN reputation_events e ON e.agent_id = a.agent_id AND e.voided_by = 'bursar' AND e.voided_at >= now()
    JOIN organization_traits one ON one.org_id = e.counterparty_org_id AND one.kind <> 'probe' AND one.ended_at IS NULL
    JOIN organization_traits other ON other.org_id = e.agent_org_id AND other.ended_at IS NULL
        AND (other.kind, other.digest) = (one.kind, one.digest)
    WHERE a.stale_at IS NOT NULL
    GROUP BY 1, 2 ORDER BY 1, 2
"""
# A stated tax id voids nothing; operators get an alert.
_STATED = """
    SELECT DISTINCT e.counterparty_org_id AS client, e.agent_org_id AS creator
    FROM (SELECT * FROM organization_traits WHERE judged_at IS NULL ORDER BY org_id, kind, digest LIMIT $1) t
    JOIN organization_traits o
        ON (o.kind, o.digest) = (t.kind, t.digest) AND o.org_id <> t.org_id AND o.ended_at IS NULL
    CROSS JOIN LATERAL (
        SELECT counterparty_org_id, agent_org_id FROM reputation_events
        WHERE counterparty_org_id = t.org_id AND agent_org_id = o.org_id AND excluded IS NULL
        UNION ALL
        SELECT counterparty_org_id, agent_org_id FROM reputation_events
        WHERE counterparty_org_id = o.org_id AND agent_org_id = t.org_id AND excluded IS NULL
    ) e
    WHERE t.kind = 'tax_id' AND t.ended_at IS NULL ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactContext:
    """Context of facts: agent, counterparty, actor, and the value at stake.

    Attributes:
        agent_org_id: the agent's organization.
        counterparty_org_id: the client; None for operators' reports.
        source: `escrow`, `feedback` or `operator`: the scope of the facts' keys.
        actor: the actor with the organization.
        value_minor: the amount at stake.
        commission_minor: the commission that was or would have been paid on it.
        bad_commission_minor: the commission before a discount, which bounds bad evidence; None for no discount.
        escrow_id: value and commission are reduced to the paid part of this escrow's credits.
        list_price: the list price of credits if the commission bears their discount; see `Sharing`.
        is_weighed: whether the weight depends on the amount; otherwise it is one unit.
        exempt: registrars, who create unrelated organizations; `*` for all.
        seasons_days: delay in days before good evidence counts for terms.
        settles: the escrow whose loss of funding voids the evidence.
    """

    agent_id: str
    agent_org_id: str
    counterparty_org_id: str | None
    source: str
    actor: str
    at: datetime
    value_minor: int = 0
    commission_minor: int = 0
    bad_commission_minor: int | None = None
    stakes: Stakes = STAKES
    escrow_id: str | None = None
    list_price: Mapping[str, object] | None = None
    is_weighed: bool = True
    exempt: Sequence[str] = ()
    seasons_days: int = 0
    settles: str | None = None

    def document(self) -> str:
        """Return the JSON parameter of `reputation_take`."""
        named = asdict(self)
        stakes, is_weighed = named.pop("stakes"), named.pop("is_weighed")
        named |= {"at": self.at.isoformat(), "exempt": list(self.exempt), "weight_e6": None if is_weighed else ONE_E6}
        return json.dumps(named | stakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReputationFact:
    """Fact, as a JSON parameter of `reputation_take`.

    Attributes:
        kind: a `FactKind`.
        key: the caller's key, unique within the source.
        is_rated: whether its weight depends on the trust in the counterparty.
        client_good_e4, client_bad_e4: evidence about the counterparty as a client, as shares of the weight.
        is_end: whether it ended a contract; `is_success` is whether successfully.
    """

    id: str
    kind: str
    key: str
    subject: str
    says: tuple[DimensionShare, ...] = ()
    note: str | None = None
    is_rated: bool = False
    client_good_e4: int = 0
    client_bad_e4: int = 0
    is_end: bool = False
    is_success: bool = False
    response_ms: int | None = None


async def record_facts(connection: asyncpg.Connection, about: FactContext, facts: Sequence[ReputationFact]) -> int:
    """Record facts about an agent in one statement, each once for its source and key; return the number of new ones.

    Call it last in the transaction, because of the order of locks. Needs the platform's role.
    """
    taken: int = await connection.fetchval(
        "SELECT reputation_take($1, $2)", about.document(), json.dumps([asdict(fact) for fact in facts])
    )
    return taken


async def void(connection: asyncpg.Connection, event_id: str, *, by: str, reason: str, at: datetime) -> bool:
    """Void an event and recompute the affected rows; False if it was void. The event must exist."""
    voided: bool = await connection.fetchval("SELECT reputation_void($1, $2, $3, $4)", event_id, by, reason, at)
    return voided


async def void_between_related(connection: asyncpg.Connection, limit: int) -> int:
    """Void evidence between newly related organizations, for up to `limit` changed traits; return their number."""
    return int(await connection.fetchval("SELECT reputation_judge_traits($1)", limit))


async def voided_of_related(connection: asyncpg.Connection) -> list[tuple[str, str, list[str]]]:
    """Return the parties of the events voided in this transaction: client, agent's organization, shared traits."""
    rows = await connection.fetch(_VOIDED)
    return [(row["client"], row["creator"], row["kinds"]) for row in rows]


async def related_by_tax_id(connection: asyncpg.Connection, limit: int) -> list[tuple[str, str]]:
    """Return the pairs with business and the same stated tax id, for the next traits to check.

    Each pair is the client and the agent's organization.
    """
    return [(row["client"], row["creator"]) for row in await connection.fetch(_STATED, limit)]


async def are_related(
    connection: asyncpg.Connection,
    one: str,
    other: str,
    exempt: Sequence[str],
    *,
    is_bad: bool = False,
    agreed_at: datetime | None = None,
) -> bool:
    """Return whether evidence between two organizations is excluded, because they are related or one is a probe.

    Args:
        connection: with the platform's role.
        one: an organization's id.
        other: the other's.
        exempt: registrars, whose organizations are not related by their creator; `*` for all.
        is_bad: bad evidence counts even if the same stated tax id relates them: anybody can state one.
        agreed_at: the time of their agreement; a tax id stated later does not relate them.
    """
    related: bool = await connection.fetchval(
        "SELECT reputation_excluded($1, $2, $3) IS NOT NULL AND NOT (reputation_declared($1, $2, $3)"
        " AND ($4 OR coalesce(reputation_stated_later($1, $2, $5), false)))",
        one,
        other,
        list(exempt),
        is_bad,
        agreed_at,
    )
    return related


_VISIBLE = "({viewer} IS NULL OR a.org_id = {viewer} OR a.visibility = 'public')"
# Nights are read by the primary key. An index by agent would cost a write for every agent each night.
_NIGHTS = """generate_series($3::date, $4::date, interval '1 day') AS night
    CROSS JOIN LATERAL (SELECT * FROM reputation_history WHERE day = night::date AND agent_id = a.id LIMIT 1) h"""
_SCORES = f"""
SELECT asked.place, coalesce(r.evidence_count, 0) AS evidence_count, coalesce(r.ended, 0) AS ended,
    coalesce(r.succeeded, 0) AS succeeded, coalesce(r.response_count, 0) AS response_count,
    coalesce(r.response_total_ms, 0) AS response_total_ms, r.response_buckets,
    (SELECT factor_e12 / 100000000 FROM reputation_powers WHERE nights = 1) AS rate_e4,
    coalesce(
        (SELECT h.stars_e6 FROM reputation_history h WHERE h.day = $3 AND h.agent_id = a.id),
        (SELECT h.stars_e6 - h.moved_e6 FROM {_NIGHTS} ORDER BY h.day LIMIT 1),
        r.night_stars_e6) AS before_e6,
    (SELECT json_agg(s) FROM (
        SELECT dimension, good_e6, bad_e6, since, held_e6, earned_e6, prior_e6, through, evidence_count
        FROM reputation_scores WHERE agent_id = a.id
    ) s) AS rows,
    (SELECT json_agg(m) FROM (
        SELECT id, kind, at, day, score_delta_e6 FROM (
            SELECT * FROM reputation_events WHERE agent_id = a.id ORDER BY seq DESC LIMIT 100
        ) e WHERE e.voided_at IS NULL AND e.excluded IS NULL ORDER BY e.seq DESC LIMIT 50
    ) m) AS latest
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (agent_id, viewer, place)
JOIN agents a ON a.id = asked.agent_id AND {_VISIBLE.format(viewer="asked.viewer")}
LEFT JOIN reputation_agents r ON r.agent_id = a.id
"""


@dataclass(frozen=True, slots=True)
class AgentReputation:
    """Reputation of an agent: its figures, its rows by dimension (empty for a newcomer), its latest events.

    `before_e6` is the overall score of 30 days ago, or that of a newcomer.
    """

    agent_id: str
    evidence_count: int
    ended: int
    succeeded: int
    timing: Timing
    rows: Mapping[Dimension, Evidence]
    counts: Mapping[Dimension, int]
    latest: Sequence[Mapping[str, Any]]
    rate_e4: int = RATE_E4
    before_e6: int = HALF_E6


async def agent_reputations(
    pool: "asyncpg.Pool[asyncpg.Record]", asked: Sequence[tuple[str, str | None]], today: date
) -> dict[tuple[str, str | None], AgentReputation]:
    """Return the reputation of agents, in one statement.

    Args:
        pool: with the platform's role.
        asked: agents, each with the requesting organization, None for the platform.
        today: the day.

    Returns:
        The reputation of each agent that the organization may see, by agent and organization.
    """
    agents, viewers = zip(*asked, strict=True)
    found = await pool.fetch(_SCORES, agents, viewers, today - timedelta(days=TREND_DAYS), today)
    return {asked[row["place"] - 1]: _standing(asked[row["place"] - 1][0], row) for row in found}


def _standing(agent_id: str, found: "asyncpg.Record") -> AgentReputation:
    kept = json.loads(found["rows"] or "[]")
    buckets = tuple(found["response_buckets"] or Timing().buckets)
    return AgentReputation(
        agent_id=agent_id,
        evidence_count=found["evidence_count"],
        ended=found["ended"],
        succeeded=found["succeeded"],
        timing=Timing(found["response_count"], found["response_total_ms"], buckets),
        rows={Dimension(row["dimension"]): evidence_of(row) for row in kept},
        counts={Dimension(row["dimension"]): row["evidence_count"] for row in kept},
        latest=json.loads(found["latest"] or "[]"),
        rate_e4=found["rate_e4"],
        before_e6=HALF_E6 if found["before_e6"] is None else found["before_e6"],
    )


def evidence_of(row: Mapping[str, Any]) -> Evidence:
    since, through = (date.fromisoformat(row[name]) for name in ("since", "through"))
    beta = Beta(row["good_e6"], row["bad_e6"], since)
    return Evidence(beta, row["held_e6"], row["earned_e6"], row["prior_e6"], through)


_HISTORY = f"""
SELECT h.*, a.id FROM agents a LEFT JOIN LATERAL (
    SELECT h.* FROM {_NIGHTS} ORDER BY h.day DESC LIMIT $5
) h ON true
WHERE a.id = $1 AND {_VISIBLE.format(viewer="$2::text")} ORDER BY h.day DESC
"""


async def history(
    pool: "asyncpg.Pool[asyncpg.Record]", agent_id: str, viewer: str | None, *, since: date, until: date, limit: int
) -> Sequence[Mapping[str, Any]] | None:
    """Return an agent's scores after each night between two dates, newest first; None if the agent may not be seen.

    It costs a lookup for each night, whatever the number of agents.
    """
    rows = await pool.fetch(_HISTORY, agent_id, viewer, since, until, limit)
    return [dict(row) for row in rows if row["day"] is not None] if rows else None


# The first rows of each band, by the index of the board or of its category.
_LEADERS = """
SELECT a.id, a.name, a.picture_sha256, r.rank_e6, r.stars_e6, r.evidence_count
FROM (
    SELECT top.* FROM unnest($1::text[]) AS wanted (board), unnest($2::smallint[]) AS ranked (band), LATERAL (
        SELECT s.agent_id, s.rank_e6, s.stars_e6, s.evidence_count FROM {table} s
        WHERE s.board = wanted.board AND s.band = ranked.band {only} ORDER BY s.rank_e6 DESC, s.agent_id DESC
        LIMIT $3
    ) top ORDER BY rank_e6 DESC, agent_id DESC LIMIT $3
) r JOIN agents a ON a.id = r.agent_id
ORDER BY r.rank_e6 DESC, r.agent_id DESC
"""


async def leaders(
    pool: "asyncpg.Pool[asyncpg.Record]",
    *,
    dimension: Dimension | None,
    category: str | None,
    period: Period,
    minimum: int,
    viewer: str | None,
    limit: int,
) -> Sequence[Mapping[str, Any]]:
    """Return the highest ranked public and own agents with enough evidence, the latest of it within the period."""
    asked = [value for value in (category, dimension) if value is not None]
    columns = [name for name, value in (("category", category), ("dimension", dimension)) if value is not None]
    statement = _LEADERS.format(
        table="reputation_agents" if dimension is None else "reputation_scores",
        only=" ".join(f"AND s.{name} = ${number}" for number, name in enumerate(columns, 4)),
    )
    seen = ["public"] if viewer is None else ["public", viewer]
    rows = await pool.fetch(statement, seen, boards.bands(period, minimum), limit, *asked)
    return [dict(row) for row in rows]


# The nearest counted step up to the agent's, and the highest step, which has the number of all agents.
_PEERS = f"""
WITH seen AS (
    SELECT a.category, coalesce(r.evidence_count, 0) AS evidence_count, r.rank_e6 * $3::bigint / 1000000 AS step
    FROM agents a LEFT JOIN reputation_agents r ON r.agent_id = a.id
    WHERE a.id = $1 AND {_VISIBLE.format(viewer="$2::text")}
), ranked AS (
    SELECT 'overall' AS dimension, step FROM seen WHERE evidence_count > 0
    UNION ALL
    SELECT dimension, rank_e6 * $3::bigint / 1000000
    FROM reputation_scores WHERE agent_id = $1 AND evidence_count > 0
), placed AS (
    SELECT c.category, r.dimension, top.day, top.below + top.agents AS peers,
        CASE WHEN p.step IS NULL THEN 0 WHEN p.step = r.step THEN p.below ELSE p.below + p.agents END AS below,
        CASE WHEN p.step = r.step THEN p.agents ELSE 0 END AS equal
    FROM ranked r
    CROSS JOIN (SELECT '' UNION ALL SELECT category FROM seen WHERE category IS NOT NULL) c (category)
    CROSS JOIN LATERAL (
        SELECT * FROM reputation_peers WHERE category = c.category AND dimension = r.dimension
        ORDER BY step DESC LIMIT 1
    ) top
    LEFT JOIN LATERAL (
        SELECT * FROM reputation_peers
        WHERE category = c.category AND dimension = r.dimension AND step <= r.step ORDER BY step DESC LIMIT 1
    ) p ON true
)
SELECT seen.evidence_count, placed.* FROM seen LEFT JOIN placed ON true
"""


async def peers(
    pool: "asyncpg.Pool[asyncpg.Record]", agent_id: str, viewer: str | None
) -> Sequence[Mapping[str, Any]] | None:
    """Return an agent's rank among all agents and among those of its category, as counted by the last night.

    It has a row for each category (empty for all agents) and each dimension with evidence or `overall`: the numbers of
    `peers`, of those `below`, and of those on an `equal` step. A row without a `day` has no peers. None if the agent
    may not be seen.
    """
    return [dict(row) for row in await pool.fetch(_PEERS, agent_id, viewer, boards.STEPS)] or None


# A bar of the chart has several rank steps.
_SPREAD = """
SELECT step / $3::smallint AS place, sum(agents)::int AS agents, max(day) AS day
FROM reputation_peers WHERE category = $1 AND dimension = $2 GROUP BY 1 ORDER BY 1
"""


async def rank_distribution(
    pool: "asyncpg.Pool[asyncpg.Record]", *, category: str, dimension: str, steps: int
) -> Sequence[Mapping[str, Any]]:
    """Return the distribution of agents with evidence over ranks as of last night, with `steps` rank steps in a bar.

    It has a row for each bar with agents, lowest first: `place` counts from 0, `day` is the date of the night.
    """
    return [dict(row) for row in await pool.fetch(_SPREAD, category, dimension, steps)]


NO_FEEDBACK = "There is no such feedback."

_EVENTS = Listing(of=ReputationEventRow, order=[ReputationEventRow.seq], created="at", searched=("subject", "note"))
_FEEDBACK = Listing(of=ReputationFeedbackRow, order=[ReputationFeedbackRow.id], prefix="fbk", searched=("comment",))


async def event(session: AsyncSession, event_id: str) -> ReputationEventRow:
    """Return an event; NotFound if it does not exist or the session may not see it."""
    known = is_id(event_id, "rev")
    found = await session.get(ReputationEventRow, event_id, populate_existing=True) if known else None
    if found is None:
        raise NotFound("There is no such event.")
    return found


async def reported(session: AsyncSession, key: str) -> ReputationEventRow:
    row = ReputationEventRow
    return (await session.scalars(select(row).where(row.source == "operator", row.key == key))).one()


async def feedback(session: AsyncSession, feedback_id: str) -> ReputationFeedbackRow:
    """Return feedback; NotFound if it does not exist or the session may not see it."""
    return await get_required(session, ReputationFeedbackRow, feedback_id, "fbk", NO_FEEDBACK)


async def feedback_by(session: AsyncSession, command_id: str) -> ReputationFeedbackRow | None:
    row = ReputationFeedbackRow
    return await session.scalar(select(row).where(row.command_id == command_id))


async def feedback_on(session: AsyncSession, contract_id: str) -> ReputationFeedbackRow | None:
    row = ReputationFeedbackRow
    return await session.scalar(select(row).where(row.contract_id == contract_id))


async def events_of(session: AsyncSession, wanted: ListFilter, *, agent_id: str) -> ListPage[ReputationEventRow]:
    """Return a page of the events of an agent, last recorded first."""
    return await _EVENTS.page(session, wanted, [(ReputationEventRow.agent_id == agent_id,)])


async def feedback_of(
    session: AsyncSession, wanted: ListFilter, *, viewer: str | None
) -> ListPage[ReputationFeedbackRow]:
    """Return a page of the feedback on an agent, or on an organization's, newest first. Needs the platform's session.

    `viewer` is the reader, which sees the agents. Of feedback between others it sees only the counted feedback; None,
    the platform, sees all.
    """
    rated = "agent_id" if "agent_id" in wanted.equal else "agent_org_id"
    part = (getattr(ReputationFeedbackRow, rated) == wanted.equal[rated],)
    event = ReputationEventRow

    def shown(row: type[ReputationFeedbackRow]) -> ColumnElement[bool]:
        counts = (event.id == row.event_id, event.voided_at.is_(None), event.excluded.is_(None))
        return or_(row.org_id == viewer, row.agent_org_id == viewer, select(event.id).where(*counts).exists())

    return await _FEEDBACK.page(session, wanted, [part], served=[rated], besides=None if viewer is None else shown)
