"""Measures added up of the outbox: payments, escrows, subscriptions, payouts. See `sql/insight/metrics.sql`."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery
from repositories.insight.spans import spans

#: The dimensions, which are labels of the sums; `organization` is whose they are.
LABELS = ("provider", "method", "reason", "agent", "role", "plan", "feature")
QUARTER, DAY = 900, 86_400
#: Escrows count for the payer and for the payee, and once for all organizations.
_ONCE = "(CAST(:org_id AS text) IS NOT NULL OR coalesce(x.labels ->> 'role', 'payer') = 'payer')"
#: Sums of the spans, and the events that are not added up yet.
SUMS = """
    SELECT s.place, m.org_id, m.measure, m.asset, m.labels, m.value
    FROM unnest(CAST(:places AS int[]), CAST(:seconds AS int[]), CAST(:sinces AS timestamptz[]),
        CAST(:untils AS timestamptz[])) AS s (place, seconds, since, until)
    CROSS JOIN LATERAL (
        SELECT m.* FROM metric_sums m
        WHERE m.seconds = s.seconds AND m.starts_at >= s.since AND m.starts_at < s.until
            AND m.measure = ANY (CAST(:measures AS text[])) {whose}
        -- Kept apart, so that each span is a range of the index, whatever the planner believes of their number.
        OFFSET 0
    ) m
    UNION ALL
    SELECT width_bucket(m.at, CAST(:bounds AS timestamptz[])) - 1, m.org_id, m.measure, m.asset, m.labels, m.value
    FROM metric_place p, LATERAL metric_facts(p.written_in, p.event_id, NULL, NULL) m
    WHERE m.at >= :since AND m.at < :until AND m.measure = ANY (CAST(:measures AS text[])) {whose}
"""
_READ = """
SELECT x.place, x.measure, x.asset, sum(x.value)::bigint AS value {columns}
FROM ({sums}) x WHERE {where}
GROUP BY x.place, x.measure, x.asset {columns} LIMIT :most
"""
_BEFORE = """
SELECT x.measure, x.asset, sum(x.value)::bigint AS value {columns}
FROM (
    SELECT m.org_id, m.measure, m.asset, m.labels, m.value FROM metric_sums m
    WHERE m.seconds = 86400 AND m.starts_at < :day AND m.measure = ANY (CAST(:measures AS text[])) {whose}
    UNION ALL
    SELECT m.org_id, m.measure, m.asset, m.labels, m.value FROM metric_sums m
    WHERE m.seconds = 900 AND m.starts_at >= :day AND m.starts_at < :since
        AND m.measure = ANY (CAST(:measures AS text[])) {whose}
    UNION ALL
    SELECT m.org_id, m.measure, m.asset, m.labels, m.value
    FROM metric_place p, LATERAL metric_facts(p.written_in, p.event_id, NULL, NULL) m
    WHERE m.at < :since AND m.measure = ANY (CAST(:measures AS text[])) {whose}
) x WHERE {where}
GROUP BY x.measure, x.asset {columns} LIMIT :most
"""
#: What the monthly recurring revenue is made of, with signs.
RECURRING = {"mrr.in": 1, "mrr.out": -1}


def asked(wanted: MeasureQuery, measures: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of `SUMS`."""
    days, edges = spans(wanted.bounds)
    parts = [(span, DAY) for span in days] + [(span, QUARTER) for span in edges]
    return {
        "org_id": wanted.org_id,
        "measures": sorted(measures),
        "places": [span.place for span, _ in parts],
        "seconds": [seconds for _, seconds in parts],
        "sinces": [span.since for span, _ in parts],
        "untils": [span.until for span, _ in parts],
        "bounds": list(wanted.bounds),
        "since": wanted.bounds[0],
        "until": wanted.bounds[-1],
        "most": MAX_ROWS,
    }


def whose(wanted: MeasureQuery) -> str:
    return "" if wanted.org_id is None else "AND m.org_id = :org_id"


async def read(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return the sums of the outbox by their names, and `mrr`, the monthly recurring revenue when an interval ends.

    The bounds are at quarters of an hour.
    """
    flows = wanted.measures - {"mrr"}
    parts = await _sums(wanted, flows) if flows else []
    return parts + (await _recurring(wanted) if "mrr" in wanted.measures else [])


async def _sums(wanted: MeasureQuery, measures: Iterable[str]) -> list[MeasurePart]:
    columns, where, values = _dimensions(wanted)
    statement = _READ.format(sums=SUMS.format(whose=whose(wanted)), columns=columns, where=where)
    rows = (await wanted.session.execute(text(statement), asked(wanted, measures) | values)).all()
    return [MeasurePart(row[0], tuple(row[4:]), row[1], row[2], row[3]) for row in rows]


async def _recurring(wanted: MeasureQuery) -> list[MeasurePart]:
    columns, where, values = _dimensions(wanted)
    since = wanted.bounds[0]
    statement = _BEFORE.format(whose=whose(wanted), columns=columns, where=where)
    asked_before = {
        "org_id": wanted.org_id,
        "measures": sorted(RECURRING),
        "day": since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
        "since": since,
        "most": MAX_ROWS,
    }
    held: dict[tuple[tuple[str | None, ...], str], int] = {}
    for row in (await wanted.session.execute(text(statement), asked_before | values)).all():
        key = (tuple(row[3:]), row[1])
        held[key] = held.get(key, 0) + RECURRING[row[0]] * row[2]
    moved = defaultdict[int, list[MeasurePart]](list)
    for part in await _sums(wanted, RECURRING):
        moved[part.place].append(part)
    parts = list[MeasurePart]()
    for place, ends in enumerate(wanted.bounds[1:]):
        for part in moved[place]:
            key = (part.group, part.asset)
            held[key] = held.get(key, 0) + RECURRING[part.measure] * int(part.value)
        if min(ends, wanted.now) > wanted.bounds[place]:
            parts += [MeasurePart(place, group, "mrr", asset, value) for (group, asset), value in held.items() if value]
        if len(parts) >= MAX_ROWS:
            break
    return parts


def _dimensions(wanted: MeasureQuery) -> tuple[str, str, dict[str, list[str]]]:
    columns = "".join(f", {_column(name)}" for name in wanted.by)
    filters = [f"{_column(name)} = ANY (CAST(:of_{name} AS text[]))" for name in wanted.where]
    once = [] if "role" in (*wanted.by, *wanted.where) else [_ONCE]
    values = {f"of_{name}": list(values) for name, values in wanted.where.items()}
    return columns, " AND ".join(["true", *once, *filters]), values


def _column(name: str) -> str:
    if name == "organization":
        return "x.org_id"
    assert name in LABELS
    return f"(x.labels ->> '{name}')"


async def add_up(session: AsyncSession, limit: int) -> int:
    """Add up so many events of the outbox; returns how many there were. Needs the platform's session."""
    return int((await session.execute(text("SELECT add_up_metrics(:limit)"), {"limit": limit})).scalar_one())


_OF_EVENTS = """
    SELECT f.org_id, f.measure, s.seconds, date_bin(make_interval(secs => s.seconds), f.at, 'epoch') AS starts_at,
        f.asset, f.labels, sum(f.value) AS value
    FROM public.metric_place p, LATERAL public.metric_facts(0, '', p.written_in, p.event_id) f
    CROSS JOIN (VALUES (900), (86400)) AS s (seconds)
    GROUP BY 1, 2, 3, 4, 5, 6
"""
#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="sums of events for metrics are those of the events",
        table="public.metric_sums",
        unit="sums",
        violations=f"""
        SELECT org_id || ' ' || measure || ' ' || starts_at || ' ' || asset || ' ' || labels || ': kept ' ||
            coalesce(m.value::text, 'nothing') || ', events ' || coalesce(e.value::text, 'none')
        FROM public.metric_sums m
        FULL JOIN ({_OF_EVENTS}) e USING (org_id, measure, seconds, starts_at, asset, labels)
        WHERE m.value IS DISTINCT FROM e.value
        """,
    ),
)
