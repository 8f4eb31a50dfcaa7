"""Measures of reputation when an interval ends, of the last night (UTC) in it that has scores."""

from sqlalchemy import text

from domain.reputation.evidence import Dimension
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery

_SCORES = """
WITH nights AS (
    SELECT b.place - 1 AS place, (
        SELECT max(h.day) FROM reputation_history h
        WHERE h.day >= CAST(b.since AS date) AND h.day < b.until
    ) AS day
    FROM unnest(CAST(:sinces AS timestamp[]), CAST(:untils AS timestamp[])) WITH ORDINALITY b (since, until, place)
), scores AS (
    SELECT n.place, h.agent_id AS agent, v.dimension, v.score,
        least(10, width_bucket(v.score, 0, 10000000, 10))::text AS decile
    FROM nights n JOIN reputation_history h ON h.day = n.day {join}
    CROSS JOIN LATERAL (
        SELECT 'overall' AS dimension, h.stars_e6 AS score
        UNION ALL
        SELECT (CAST(:names AS text[]))[d.number], d.score
        FROM unnest(h.dimensions_e6) WITH ORDINALITY d (score, number) WHERE d.score IS NOT NULL
    ) v
)
SELECT place {columns}, count(*) AS agents, sum(score)::bigint AS score FROM scores WHERE {where}
GROUP BY place {columns} LIMIT :most
"""
_COLUMNS = ("agent", "dimension", "decile")


async def read(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `agents`, the number of agents with a score, and `score`, their scores in 10⁻⁶ of a point added up.

    Without the dimension `dimension`, overall scores only.
    """
    filters = [f"{name} = ANY (CAST(:of_{name} AS text[]))" for name in wanted.where]
    if "dimension" not in (*wanted.by, *wanted.where):
        filters.append("dimension = 'overall'")
    assert {*wanted.by, *wanted.where} <= {*_COLUMNS}
    own = "JOIN agents a ON a.id = h.agent_id AND a.org_id = :org_id" if wanted.org_id is not None else ""
    statement = _SCORES.format(
        join=own, columns="".join(f", {name}" for name in wanted.by), where=" AND ".join(filters) or "true"
    )
    rows = await wanted.session.execute(
        text(statement),
        {
            "org_id": wanted.org_id,
            "sinces": [bound.replace(tzinfo=None) for bound in wanted.bounds[:-1]],
            "untils": [bound.replace(tzinfo=None) for bound in wanted.bounds[1:]],
            "names": [name.value for name in Dimension],
            "most": MAX_ROWS,
            **{f"of_{name}": list(values) for name, values in wanted.where.items()},
        },
    )
    parts = []
    for row in rows:
        place, *group, agents, score = row
        parts.append(MeasurePart(place, tuple(group), "agents", "", agents))
        parts.append(MeasurePart(place, tuple(group), "score", "", score))
    return parts
