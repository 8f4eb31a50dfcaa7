"""Finds spending that needs an alert: each query returns what has no alert yet, with the alert's key."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.credits.spend.alerts import AlertKind, SpendEvent
from domain.messages.alert.rules import BUDGET_80_PERCENT

#: The maximum number of alerts of a kind; the next run finds the rest.
MAX_ALERTS = 500
#: The threshold of the built-in rule, in ten-thousandths of the limit.
BUDGET_E4 = 8_000

# The hour and the limit stand in the statements, and what is looked up in arrays: of an hour that it does not know the
# planner expects a third of the table, and would rather read the whole of it and of what it is joined to.

#: What a window has to operate with: of control `c`, its window `w` and the counter `n` of that.
OPERATING = """(
    w.amount + n.moved + n.carried
        - CASE WHEN w."window" = c.pools_of THEN coalesce(c.reserve, 0) + coalesce(c.emergency, 0) ELSE 0 END
)"""
#: Controls that were changed within the last hour.
_CHANGED = """
    SELECT v.control_id FROM ledger.control_versions v
    WHERE v.version > 1 AND v.changed_at > {at_hour_ago}
"""
# Windows that ended within the last hour count as well, so that what was reached in the last minute of one is found.
# A lifetime does not end, and there is one for each run that ever was: its counter grows by spends and escrows alone,
# and what its limit is by changes of the control, so those of the last hour say which to look at.
_OF_LIMITS = f"""
WITH counters AS (
    SELECT n.* FROM ledger.counters n
    WHERE n.ends_at > CAST(:now AS timestamptz) - interval '1 hour' AND n.ends_at < '9999-01-01 00:00:00+00'
    UNION ALL
    SELECT n.* FROM ledger.counters n WHERE n."window" = 'lifetime' AND n.id = ANY (ARRAY(
        SELECT DISTINCT u.id FROM organizations o
        CROSS JOIN LATERAL (
            SELECT s.counted_in FROM ledger.spends s
            WHERE s.org_id = o.id AND s.id > {{id_hour_ago}} OFFSET 0
        ) s CROSS JOIN LATERAL unnest(s.counted_in) AS u (id)
        UNION
        SELECT unnest(e.counted_in) FROM ledger.escrow_counts e WHERE e.changed_at > {{at_hour_ago}}
        UNION
        SELECT unnest(b.counted_in) FROM ledger.purchase_counts b WHERE b.changed_at > {{at_hour_ago}}
        UNION
        SELECT n.id FROM ledger.counters n WHERE n.control_id = ANY (ARRAY({_CHANGED}))
    ))
), reached AS (
    SELECT c.org_id, c.id AS control_id, c.subject_kind || ' ' || c.subject_id AS subject, n."window", n.starts_at,
        n.ends_at, coalesce(b.severity, 'warning') AS severity, coalesce(b.enabled, true) AS is_budgeted,
        c.thresholds_e4 || CASE WHEN coalesce(b.enabled, true) THEN ARRAY[{BUDGET_E4}] END AS thresholds_e4, greatest(
            (n.held + n.spent + n.forced - n.refunded)::numeric * 10000 / nullif({OPERATING}, 0),
            n.uses_spent::numeric * 10000 / nullif(w.uses, 0)
        ) AS ratio, concat(n.control_id, ':', n."window", ':', extract(epoch FROM n.starts_at)::bigint) AS place
    FROM counters n
    JOIN ledger.controls c ON c.id = n.control_id AND c.status <> 'closed'
    JOIN LATERAL unnest(c.windows, c.amounts, c.uses) AS w ("window", amount, uses)
        ON w."window" = n."window" AND n.pool = 'operating'
    LEFT JOIN alert_rules b ON b.org_id = c.org_id AND b.name = '{BUDGET_80_PERCENT}' AND b.ended_at IS NULL
)
SELECT r.*, CASE WHEN r.is_budgeted AND t.part = {BUDGET_E4} THEN '{BUDGET_80_PERCENT}' ELSE 'spend.threshold' END
    AS kind, t.part AS part_e4, concat('spend.threshold:', r.place, ':', t.part) AS key
FROM reached r, LATERAL (SELECT max(p) AS part FROM unnest(r.thresholds_e4) AS p WHERE p <= r.ratio) t
WHERE t.part IS NOT NULL AND NOT EXISTS (
    SELECT FROM unnest(r.thresholds_e4) AS p
    JOIN alerts a ON a.key = concat('spend.threshold:', r.place, ':', p) WHERE p >= t.part
)
UNION ALL
SELECT r.*, 'spend.burst', NULL, concat('spend.burst:', r.place)
FROM reached r
WHERE r.ratio >= 5000 AND r."window" <> 'lifetime' AND :now < r.starts_at + (r.ends_at - r.starts_at) / 10
    AND NOT EXISTS (SELECT FROM alerts a WHERE a.key = concat('spend.burst:', r.place))
LIMIT {{most}}
"""

# Rows are found by the time in their ids. One hour is enough for a sweep that runs each minute, and reads no more rows
# than are kept of each window.
_OF_REFUSALS = """
WITH recent AS (
    SELECT DISTINCT ON (key) r.*, f.kind,
        concat(f.kind, ':', f.whose, ':', r."window", ':', extract(epoch FROM f.since)::bigint) AS key
    FROM ledger.refusals r, LATERAL (
        SELECT CASE WHEN r.control_id IS NULL THEN 'credits.exhausted' WHEN r.reason = 'rate' THEN 'spend.no_rate'
            ELSE 'spend.refused' END AS kind,
            CASE WHEN r.reason = 'rate' THEN r.asset ELSE coalesce(r.control_id::text, r.org_id) END AS whose,
            coalesce(r.window_starts_at, date_trunc('day', r.at, 'UTC')) AS since
    ) f
    WHERE r.id > {id_hour_ago}
    ORDER BY key, r.id
)
SELECT key, kind, org_id, control_id, subject_kind || ' ' || subject_id AS subject, "window", resets_at AS ends_at,
    reason, asset, spend_asset, amount AS amount_minor
FROM recent WHERE NOT EXISTS (SELECT FROM alerts a WHERE a.key = recent.key)
LIMIT {most}
"""

#: What fires about a window that is over, or about a limit of which less is used by now. What was refused has no
#: counter where nothing else was spent in its window, and no window where a freeze or the limit of each spend refused
#: it: its day counts. Of lifetimes, only changes of a spend, an escrow or the control make less of what is used.
_FIRING = f"""
    a.resolved_at IS NULL AND a.kind IN ('spend.threshold', 'spend.burst', 'spend.refused', '{BUDGET_80_PERCENT}')
"""
_OVER = f"""
WITH firing AS (
    SELECT a.key FROM alerts a WHERE {_FIRING} AND a.key NOT LIKE '%:lifetime:%'
    UNION
    SELECT a.key FROM alerts a WHERE {_FIRING} AND a.subject = ANY (ARRAY(
        SELECT type_id('ctl', t.control_id) FROM (
            SELECT n.control_id FROM ledger.counters n WHERE n."window" = 'lifetime' AND n.id = ANY (ARRAY(
                SELECT DISTINCT unnest(s.counted_in) FROM ledger.spend_changes c
                JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
                WHERE c.id > {{id_hour_ago}}
                UNION
                SELECT unnest(e.counted_in) FROM ledger.escrow_counts e WHERE e.changed_at > {{at_hour_ago}}
                UNION
                SELECT unnest(b.counted_in) FROM ledger.purchase_counts b WHERE b.changed_at > {{at_hour_ago}}
            ))
            UNION
            {_CHANGED}
        ) t
    ))
)
SELECT a.key
FROM firing a
CROSS JOIN LATERAL (
    SELECT CASE WHEN a.key ~ '^spend[.][a-z]+:[0-9a-f-]{{36}}:[a-z]*:[0-9]+(:[0-9]+)?$'
        THEN string_to_array(a.key, ':') END AS parts
) k
CROSS JOIN LATERAL (
    SELECT k.parts[2]::uuid AS control_id, k.parts[3] AS "window", to_timestamp(k.parts[4]::bigint) AS starts_at,
        k.parts[5]::int AS part
) p
LEFT JOIN ledger.controls c ON c.id = p.control_id AND c.status <> 'closed'
LEFT JOIN LATERAL unnest(c.windows, c.amounts, c.uses) AS w ("window", amount, uses) ON w."window" = p."window"
LEFT JOIN ledger.counters n ON n.control_id = p.control_id AND n."window" = p."window" AND n.starts_at = p.starts_at
    AND n.pool = 'operating'
WHERE k.parts IS NOT NULL AND (
        c.id IS NULL OR CASE WHEN p."window" = '' THEN p.starts_at + interval '1 day' <= CAST(:now AS timestamptz)
        ELSE w."window" IS NULL
            OR ledger.window_end(p."window", p.starts_at, c.zone, c.week_starts) <= CAST(:now AS timestamptz)
            OR coalesce(greatest(
                (n.held + n.spent + n.forced - n.refunded)::numeric * 10000 / nullif({OPERATING}, 0),
                n.uses_spent::numeric * 10000 / nullif(w.uses, 0)
            ), 0) < p.part
        END
    )
LIMIT {{most}}
"""
_NAMES = frozenset(SpendEvent.__dataclass_fields__)


async def alerts_to_raise(session: AsyncSession, now: datetime) -> Sequence[SpendEvent]:
    """Return what needs an alert and has none; needs a platform session."""
    found: list[SpendEvent] = []
    for query in (_OF_LIMITS, _OF_REFUSALS):
        values = {"now": now} if ":now" in query else {}
        rows = await session.execute(_since_an_hour(query, now), values)
        found += (_happened(dict(row)) for row in rows.mappings())
    return found


async def keys_to_resolve(session: AsyncSession, now: datetime) -> Sequence[str]:
    """Return the keys of alerts about limits that can be resolved; needs a platform session."""
    return (await session.scalars(_since_an_hour(_OVER, now), {"now": now})).all()


def _since_an_hour(query: str, now: datetime) -> TextClause:
    hour_ago = now - timedelta(hours=1)
    first = UUID(int=int(hour_ago.timestamp() * 1000) << 80)
    known = {"id_hour_ago": f"'{first}'", "at_hour_ago": f"to_timestamp({hour_ago.timestamp()})", "most": MAX_ALERTS}
    for name, value in known.items():
        query = query.replace(f"{{{name}}}", str(value))
    return text(query)


def _happened(columns: Mapping[str, Any]) -> SpendEvent:
    values = {name: value for name, value in columns.items() if name in _NAMES}
    return SpendEvent(**{**values, "kind": AlertKind(values["kind"])})
