"""Measures of engagement: who was active, and what they used. A day is one in UTC.

An organization is active on a day on which it used credits, an event of its own happened, or one of its people changed
something; a person by the audit log; an agent by its uses. Distinct numbers do not add up: the reader is asked again
for a total.
"""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant
from repositories.insight.event_measures import SUMS, asked, whose
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery

_PEOPLE = """
    SELECT day, org_id, principal FROM active_people WHERE day >= :first AND day <= :last {own}
    UNION
    SELECT timezone('UTC', l.at)::date, l.org_id, l.principal FROM audit_log l
    WHERE timezone('UTC', l.at) >= greatest((SELECT people_before FROM metric_place), CAST(:first AS date))
        AND timezone('UTC', l.at) < CAST(:last AS date) + 1
        AND l.org_id IS NOT NULL AND l.actor_org_id = l.org_id AND l.role <> 'agent' {own}
"""
_AGENTS = """
    SELECT p.day, p.org_id, p.value FROM spend_places p
    WHERE p.kind = 'agent' AND p.day >= :first AND p.day <= :last {own_p}
    UNION
    SELECT d.day, d.org_id, s.agent_id
    FROM ledger.credit_days d
    LEFT JOIN spend_rollups r ON r.org_id = d.org_id AND r.day = d.day AND r.spends = d.spends
    JOIN ledger.spends s ON s.org_id = d.org_id AND (s.at AT TIME ZONE 'UTC')::date = d.day
        AND s.id >= uuidv7(d.day::timestamp AT TIME ZONE 'UTC' - clock_timestamp() - interval '1 hour')
        AND s.id < uuidv7(d.day::timestamp AT TIME ZONE 'UTC' - clock_timestamp() + interval '27 hours')
    WHERE r.org_id IS NULL AND d.spends > 0 AND d.day >= :first AND d.day <= :last AND s.agent_id IS NOT NULL {own_d}
"""
_ORGANIZATIONS = """
    SELECT (s.starts_at AT TIME ZONE 'UTC')::date AS day, s.org_id FROM metric_sums s
    WHERE s.measure = 'events' AND s.seconds = 86400
        AND s.starts_at >= CAST(:first AS date)::timestamp AT TIME ZONE 'UTC'
        AND s.starts_at <= CAST(:last AS date)::timestamp AT TIME ZONE 'UTC'
    UNION
    SELECT (f.at AT TIME ZONE 'UTC')::date, f.org_id
    FROM metric_place p, LATERAL metric_facts(p.written_in, p.event_id, NULL, NULL) f
    WHERE f.measure = 'events' AND f.at >= CAST(:first AS date)::timestamp AT TIME ZONE 'UTC'
    UNION
    SELECT d.day, d.org_id FROM ledger.credit_days d WHERE d.spends > 0 AND d.day >= :first AND d.day <= :last
    UNION
    SELECT x.day, x.org_id FROM ({people}) x
"""
_PLACE = "width_bucket(CAST(x.day AS timestamp) AT TIME ZONE 'UTC', CAST(:bounds AS timestamptz[])) - 1"
_COUNT = f"""
SELECT {_PLACE} AS place, count(DISTINCT ({{subject}})) AS value FROM ({{of}}) x GROUP BY 1 LIMIT :most
"""
_COHORT = "to_char(date_trunc('month', o.created_at AT TIME ZONE 'UTC'), 'YYYY-MM')"
_RETAINED = f"""
SELECT {_PLACE} AS place, {_COHORT} AS cohort, count(DISTINCT x.org_id) AS value
FROM ({{of}}) x JOIN organizations o ON o.id = x.org_id GROUP BY 1, 2 LIMIT :most
"""
_FOUNDED = f"""
SELECT b.place - 1 AS place, {_COHORT} AS cohort, count(*) AS value
FROM unnest(CAST(:ends AS timestamptz[])) WITH ORDINALITY b (ends, place) JOIN organizations o ON o.created_at < b.ends
GROUP BY 1, 2 LIMIT :most
"""
_ADOPTED = f"""
SELECT x.place, {{feature}} AS feature, count(DISTINCT x.org_id) AS value
FROM ({SUMS}) x
WHERE CAST(:features AS text[]) IS NULL OR x.labels ->> 'feature' = ANY (CAST(:features AS text[]))
GROUP BY 1, 2 LIMIT :most
"""


async def read(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `organizations`, `people` and `agents` that were active, `adopters` by feature, `retained` and `founded`.

    `retained` is how many organizations of a cohort, the month in which they came, were active; `founded` is how many
    there were.
    """
    parts = list[MeasurePart]()
    own = wanted.org_id is not None
    people = _PEOPLE.format(own="AND org_id = :org_id" if own else "")
    organizations = _ORGANIZATIONS.format(people=people)
    agents = _AGENTS.format(
        own_p="AND p.org_id = :org_id" if own else "", own_d="AND d.org_id = :org_id" if own else ""
    )
    named = {
        "organizations": ("x.org_id", organizations),
        "people": ("x.org_id, x.principal", people),
        "agents": ("x.value", agents),
    }
    last = min(wanted.bounds[-1], wanted.now)
    values = {
        "org_id": wanted.org_id,
        "bounds": list(wanted.bounds),
        "ends": [min(bound, wanted.now) for bound in wanted.bounds[1:]],
        "first": wanted.bounds[0].astimezone(UTC).date(),
        "last": last.astimezone(UTC).date(),
        "most": MAX_ROWS,
    }
    within = range(len(wanted.bounds) - 1)
    for measure in sorted(wanted.measures & named.keys()):
        subject, of = named[measure]
        rows = await wanted.session.execute(text(_COUNT.format(subject=subject, of=of)), values)
        parts += [MeasurePart(place, (), measure, "", value) for place, value in rows if place in within]
    for measure, statement in (("retained", _RETAINED.format(of=organizations)), ("founded", _FOUNDED)):
        if measure in wanted.measures:
            rows = await wanted.session.execute(text(statement), values)
            parts += _grouped(wanted, measure, [(place, name, value) for place, name, value in rows if place in within])
    if "adopters" in wanted.measures:
        statement = _ADOPTED.format(whose=whose(wanted), feature="x.labels ->> 'feature'" if wanted.by else "''")
        features = list(wanted.where["feature"]) if "feature" in wanted.where else None
        rows = await wanted.session.execute(text(statement), asked(wanted, ["events"]) | {"features": features})
        parts += [
            MeasurePart(place, (name,) if wanted.by else (), "adopters", "", value) for place, name, value in rows
        ]
    return parts


def _grouped(wanted: MeasureQuery, measure: str, rows: list[tuple[int, str, int]]) -> list[MeasurePart]:
    only = next(iter(wanted.where.values()), None)
    return [
        MeasurePart(place, (name,) if wanted.by else (), measure, "", value)
        for place, name, value in rows
        if only is None or name in only
    ]


async def note_people(session: AsyncSession, now: datetime) -> None:
    """Note who was active on days that are over. Needs the platform's session."""
    await session.execute(text("SELECT note_active_people(:now)"), {"now": now})


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="people noted as active are those of the audit log",
        table="public.active_people",
        unit="days",
        violations="""
        SELECT day || ' ' || org_id || ': kept ' || coalesce(p.number, 0) || ', audit log ' || coalesce(l.number, 0)
        FROM (SELECT day, org_id, count(*) AS number FROM public.active_people GROUP BY 1, 2) p
        FULL JOIN (
            SELECT timezone('UTC', at)::date AS day, org_id, count(DISTINCT principal) AS number FROM public.audit_log
            WHERE timezone('UTC', at) < (SELECT people_before FROM public.metric_place)
                AND org_id IS NOT NULL AND actor_org_id = org_id AND role <> 'agent'
            GROUP BY 1, 2
        ) l USING (day, org_id)
        WHERE p.number IS DISTINCT FROM l.number
        """,
    ),
)
