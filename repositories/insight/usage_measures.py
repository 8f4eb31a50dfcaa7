"""Measures of an organization's usage events, by the time of the event."""

from fractions import Fraction

from sqlalchemy import text

from domain.usage.amounts import minor_pico
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery
from repositories.insight.spans import spans
from repositories.usage.usage import TOKENS

#: The dimensions, with the columns of events. The sums of days have one at a time.
DIMENSIONS = {
    "action": "action",
    "agent": "agent_id",
    "department": "department_id",
    "project": "project_id",
    "model": "model",
}
_COUNTED = ("events", *TOKENS, "cost_pico")
_SUMS = ", ".join(f"sum({name}) AS {name}" for name in _COUNTED)
_TOKENS = ", ".join(f"coalesce((e.usage ->> '{name}')::bigint, 0) AS {name}" for name in TOKENS)
_READ = """
SELECT place, value, currency, {sums} FROM (
    SELECT s.place, d.value, d.currency, {counted}
    FROM unnest(CAST(:places AS int[]), CAST(:firsts AS date[]), CAST(:lasts AS date[])) AS s (place, first, last)
    JOIN usage_days d ON d.org_id = :org_id AND d.dimension = :dimension AND d.day >= s.first AND d.day < s.last
    UNION ALL
    SELECT s.place, coalesce({column}, ''), coalesce(e.currency, ''), 1, {tokens}, coalesce(e.cost_pico, 0)
    FROM unnest(CAST(:edges AS int[]), CAST(:sinces AS timestamptz[]), CAST(:untils AS timestamptz[]))
        AS s (place, since, until)
    JOIN usage_events e ON e.org_id = :org_id AND e.occurred_at >= s.since AND e.occurred_at < s.until
) x
WHERE CAST(:values AS text[]) IS NULL OR value = ANY (CAST(:values AS text[]))
GROUP BY place, value, currency LIMIT :most
"""


async def read(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `events`, the counts of tokens, and `cost`, what the calls cost by the price book."""
    assert wanted.org_id is not None
    named = next(iter(wanted.by or wanted.where), None)
    column = None if named is None else DIMENSIONS[named]
    days, edges = spans(wanted.bounds)
    statement = _READ.format(
        sums=_SUMS,
        counted=", ".join(f"d.{name}" for name in _COUNTED),
        tokens=_TOKENS,
        column="''" if column is None else f"e.{column}",
    )
    rows = await wanted.session.execute(
        text(statement),
        {
            "org_id": wanted.org_id,
            "dimension": column or "all",
            "values": list(wanted.where[named]) if named is not None and named in wanted.where else None,
            "places": [span.place for span in days],
            "firsts": [span.since.date() for span in days],
            "lasts": [span.until.date() for span in days],
            "edges": [span.place for span in edges],
            "sinces": [span.since for span in edges],
            "untils": [span.until for span in edges],
            "most": MAX_ROWS,
        },
    )
    parts = []
    for row in rows.mappings():
        group = (row["value"] or None,) if wanted.by else ()
        parts += [MeasurePart(row["place"], group, name, "", int(row[name])) for name in ("events", *TOKENS)]
        if row["currency"]:
            cost = Fraction(int(row["cost_pico"]), minor_pico(row["currency"]))
            parts.append(MeasurePart(row["place"], group, "cost", row["currency"], cost))
    return parts
