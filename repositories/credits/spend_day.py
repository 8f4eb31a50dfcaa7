"""Sums of spends: past days from their rollups, the rest from single spends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import RowMapping, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import QueryTooLarge
from domain.insight.spent import PART_OF_ACTION, SpentPart
from ledger.invariants import Invariant
from repositories.credits.spend_id_range import LAST_ID, RANGE_VALUES, first_id

#: The maximum delay of a spend's id after its time, unless the platform has set an earlier time.
_LATE = timedelta(hours=1)
#: The maximum number of spends read one by one, if intervals divide days.
MOST_SINGLE = 2_000_000
#: The maximum number of spends read one by one with their lots, including days without a rollup.
MOST_PAID = 250_000
_GROUP = "s.action, s.agent_id, s.department_id, s.project_id, left(s.metadata ->> 'model', 200) AS model"
_DAY = "(s.at AT TIME ZONE 'UTC')::date"

_DAYS = text("""
SELECT d.day, r.spends IS NOT NULL AS is_rolled_up, r.open_spends, d.spends
FROM ledger.credit_days d
LEFT JOIN spend_rollups r ON r.org_id = d.org_id AND r.day = d.day AND r.spends = d.spends
WHERE d.org_id = :org_id AND d.spends > 0 AND d.day BETWEEN :first_day AND :last_day
""")
# Days are read by the ids of their spends. `read` and `counted` differ if some ids lie outside of the day.
_PARTS = f"""
WITH found AS MATERIALIZED (
    SELECT d.day, s.*
    FROM unnest(CAST(:days AS date[]), CAST(:firsts AS uuid[]), CAST(:lasts AS uuid[])) AS d (day, first, last)
    CROSS JOIN LATERAL (
        SELECT {_GROUP}, s.at, s.quantity, s.captured - s.refunded AS used, s.amount - s.captured - s.released AS held
        FROM ledger.spends s
        WHERE s.org_id = :org_id AND s.id >= d.first AND s.id <= d.last AND {_DAY} = d.day
    ) s
), whole AS (
    SELECT action, agent_id, department_id, project_id, model, day, at, 1 AS spends, quantity, used, held FROM found
    WHERE at >= :since AND at < :until
    UNION ALL
    SELECT {_GROUP}, {_DAY}, s.at, 1, s.quantity, s.captured - s.refunded, s.amount - s.captured - s.released
    FROM ledger.spends s
    WHERE s.org_id = :org_id AND s.id = ANY (CAST(:open AS uuid[]))
    UNION ALL
    SELECT d.action, d.agent_id, d.department_id, d.project_id, d.model, d.day, d.day::timestamp AT TIME ZONE 'UTC',
        d.spends, d.quantity, d.captured, 0
    FROM spend_days d
    WHERE d.org_id = :org_id AND d.day = ANY (CAST(:rolled_up AS date[]))
    UNION ALL
    SELECT {_GROUP}, {_DAY}, s.at, 0, 0, -c.amount, 0
    FROM ledger.spend_changes c JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
    WHERE c.kind = 'refund' AND c.org_id = :org_id AND c.id >= :first AND {_DAY} = ANY (CAST(:rolled_up AS date[]))
        AND s.id <> ALL (CAST(:open AS uuid[]))
), parts AS (
    SELECT * FROM whole
    WHERE (CAST(:agent_id AS text) IS NULL OR agent_id = :agent_id)
        AND (CAST(:department_id AS text) IS NULL OR department_id IN (
            SELECT id FROM departments WHERE org_id = :org_id AND path @> ARRAY[CAST(:department_id AS text)]
        ))
)
"""
_CHECK = """
    (SELECT count(*) FROM found) AS read,
    (SELECT coalesce(sum(d.spends), 0) FROM ledger.credit_days d
     WHERE d.org_id = :org_id AND d.day = ANY (CAST(:days AS date[]))) AS counted
"""
_SUMMARY = text(f"""{_PARTS}
SELECT grouping(action, agent_id, department_id, model, day) AS grouped, action, agent_id, department_id, model, day,
    coalesce(sum(spends), 0)::bigint AS spends, sum(quantity)::bigint AS quantity, sum(used)::bigint AS used,
    sum(held)::bigint AS held, {_CHECK}
FROM parts
GROUP BY GROUPING SETS ((action), (agent_id), (department_id), (model), (day), ())
ORDER BY grouped, used DESC, action, agent_id, department_id, model, day
""")
#: The transfers by which a spend `s` took credits, and those that returned some.
_TRANSFERS = """
    CROSS JOIN LATERAL (
        SELECT s.transfer_id UNION ALL
        SELECT c.transfer_id FROM ledger.spend_changes c WHERE c.spend_id = s.id AND c.kind {kinds}
    ) t (transfer) WHERE t.transfer IS NOT NULL
"""
_MOVED = _TRANSFERS.format(kinds="IN ('capture', 'refund')")
#: The price of the credits that spends took, by day, as `_PARTS` reads their credits. Days and refunds are read one by
#: one (OFFSET 0), because a join might read all spends.
_PAID = f"""
WITH found AS MATERIALIZED (
    SELECT d.day, s.*
    FROM unnest(CAST(:days AS date[]), CAST(:firsts AS uuid[]), CAST(:lasts AS uuid[])) AS d (day, first, last)
    CROSS JOIN LATERAL (
        SELECT {_GROUP}, s.at, s.id, s.transfer_id FROM ledger.spends s
        WHERE s.org_id = :org_id AND s.id >= d.first AND s.id <= d.last AND {_DAY} = d.day OFFSET 0
    ) s
), moved AS MATERIALIZED (
    SELECT s.*, t.transfer FROM found s {_MOVED} AND s.at >= :since AND s.at < :until
    UNION ALL
    SELECT {_DAY}, {_GROUP}, s.at, s.id, s.transfer_id, t.transfer FROM ledger.spends s {_MOVED}
        AND s.org_id = :org_id AND s.id = ANY (CAST(:open AS uuid[]))
    UNION ALL
    SELECT {_DAY}, {_GROUP}, s.at, s.id, s.transfer_id, c.transfer_id
    FROM ledger.spend_changes c CROSS JOIN LATERAL (
        SELECT * FROM ledger.spends s WHERE s.org_id = c.org_id AND s.id = c.spend_id OFFSET 0
    ) s
    WHERE c.kind = 'refund' AND c.org_id = :org_id AND c.id >= :first AND {_DAY} = ANY (CAST(:rolled_up AS date[]))
        AND s.id <> ALL (CAST(:open AS uuid[]))
)
SELECT width_bucket(p.at, CAST(:bounds AS timestamptz[])) - 1 AS place, {{columns}}
    p.asset, sum(p.cost)::bigint AS cost, {_CHECK}
FROM (SELECT true) always LEFT JOIN (
    SELECT m.at, m.action, m.agent_id, m.department_id, m.project_id, m.model, c.asset, c.cost
    FROM paid_by_transfers(:org_id, ARRAY(SELECT transfer FROM moved)) c JOIN moved m ON m.transfer = c.transfer_id
    UNION ALL
    SELECT d.day::timestamp AT TIME ZONE 'UTC', d.action, d.agent_id, d.department_id, d.project_id, d.model, c.key,
        c.value::bigint
    FROM spend_days d CROSS JOIN jsonb_each_text(d.paid) c
    WHERE d.org_id = :org_id AND d.day = ANY (CAST(:rolled_up AS date[]))
) p ON {{where}}
GROUP BY {{groups}}, p.asset LIMIT :most
"""
#: By interval and some of the columns above; a row without an interval if nothing was spent.
_BY_INTERVAL = f"""{_PARTS}
SELECT width_bucket(p.at, CAST(:bounds AS timestamptz[])) - 1 AS place, {{columns}}
    coalesce(sum(p.spends), 0)::bigint AS spends, coalesce(sum(p.used), 0)::bigint AS used, {_CHECK}
FROM (SELECT true) always LEFT JOIN parts p ON {{where}}
GROUP BY {{groups}} LIMIT :most
"""
_DUE = text("""
SELECT d.org_id, d.day, d.spends
FROM ledger.credit_days d LEFT JOIN spend_rollups r ON r.org_id = d.org_id AND r.day = d.day
WHERE d.spends > 0 AND d.day >= :since AND d.day < :until AND r.spends IS DISTINCT FROM d.spends
ORDER BY d.day, d.org_id LIMIT :limit
""")
# One statement, so that open and past days are read from one snapshot.
_ROLL_UP = text(f"""
WITH gone AS (
    DELETE FROM spend_days WHERE org_id = :org_id AND day = :day
), found AS MATERIALIZED (
    SELECT s.id, s.status, {_GROUP}, s.run_id, s.counted_in, s.quantity, s.captured, s.transfer_id FROM ledger.spends s
    WHERE s.org_id = :org_id AND s.id >= :first AND s.id <= :last AND {_DAY} = :day
), places AS (
    INSERT INTO spend_places AS p (org_id, kind, value, day, first_id, last_id)
    SELECT :org_id, kind, value, :day, min(id::text)::uuid, max(id::text)::uuid
    FROM ({RANGE_VALUES.format(of="found")}) s
    GROUP BY kind, value ORDER BY kind, value
    ON CONFLICT (org_id, kind, value, day) DO UPDATE SET first_id = excluded.first_id, last_id = excluded.last_id
), taken AS MATERIALIZED (
    SELECT s.*, t.transfer FROM found s {_TRANSFERS.format(kinds="= 'capture'")} AND s.status <> 'reserved'
), parts AS (
    SELECT action, agent_id, department_id, project_id, model, NULL AS asset, count(*) AS spends,
        sum(quantity) AS quantity, sum(captured) AS captured, NULL AS cost
    FROM found WHERE status <> 'reserved' GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT t.action, t.agent_id, t.department_id, t.project_id, t.model, c.asset, 0, 0, 0, sum(c.cost)
    FROM paid_by_transfers(:org_id, ARRAY(SELECT transfer FROM taken)) c JOIN taken t ON t.transfer = c.transfer_id
    GROUP BY 1, 2, 3, 4, 5, 6
), written AS (
    INSERT INTO spend_days (org_id, day, action, agent_id, department_id, project_id, model, spends, quantity, captured,
        paid)
    SELECT :org_id, :day, action, agent_id, department_id, project_id, model, sum(spends), sum(quantity), sum(captured),
        coalesce(jsonb_object_agg(asset, cost) FILTER (WHERE asset IS NOT NULL), '{{}}')
    FROM parts GROUP BY 3, 4, 5, 6, 7
)
INSERT INTO spend_rollups AS r (org_id, day, spends, open_spends, captured)
SELECT :org_id, :day, count(*), coalesce(array_agg(id) FILTER (WHERE status = 'reserved'), '{{}}'),
    coalesce(sum(captured) FILTER (WHERE status <> 'reserved'), 0)
FROM found
ON CONFLICT (org_id, day) DO UPDATE
    SET spends = excluded.spends, open_spends = excluded.open_spends, captured = excluded.captured
RETURNING spends
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendSubset:
    """A part of an organization's spends: those of an agent, or of a department with its parts; None for all."""

    agent_id: str | None = None
    department_id: str | None = None


ALL_SPENDS = SpendSubset()


async def summary(
    session: AsyncSession, org_id: str, *, since: datetime, until: datetime, of: SpendSubset = ALL_SPENDS
) -> Sequence[RowMapping]:
    """Return totals by action, agent, department, model and day; `grouped` has a bit for each omitted column.

    Days with a rollup that lie entirely within the period are read from it, all others from their spends.
    """
    return await _read(session, _SUMMARY, org_id, since, until, of)


#: The columns by which `by_interval` groups and filters; `part` is of `domain.insight.spent`.
COLUMNS = ("action", "agent_id", "department_id", "project_id", "model", "part")
_PART = " ".join(f"WHEN '{action}' THEN '{part}'" for action, part in PART_OF_ACTION.items())
_COMPUTED = {"part": f"CASE p.action {_PART} ELSE '{SpentPart.USES}' END"}


async def by_interval(
    session: AsyncSession,
    org_id: str,
    bounds: Sequence[datetime],
    *,
    columns: Sequence[str] = (),
    where: Mapping[str, Sequence[str]] = {},
    most: int,
) -> list[RowMapping]:
    """Return the spends in intervals, by the time of the use: `place`, the columns, `spends` and `used`.

    Days within one interval are read as by `summary`, all others from their spends.

    Args:
        session: of the organization or the platform.
        org_id: the organization.
        bounds: of the intervals, one more than there are.
        columns: of `COLUMNS`, by which it is grouped.
        where: only these values of `COLUMNS`.
        most: the maximum number of rows.
    """
    return await _by_interval(session, _BY_INTERVAL, org_id, bounds, columns, where, most)


async def paid(
    session: AsyncSession,
    org_id: str,
    bounds: Sequence[datetime],
    *,
    columns: Sequence[str] = (),
    where: Mapping[str, Sequence[str]] = {},
    most: int,
) -> list[RowMapping]:
    """Return the price of the credits that spends took, less refunds by now.

    Arguments as for `by_interval`; it returns `place`, the columns, and `cost` in minor units of `asset`.
    """
    rows = await _by_interval(session, _PAID, org_id, bounds, columns, where, most, most_single=MOST_PAID)
    return [row for row in rows if row["cost"] is not None]


async def _by_interval(
    session: AsyncSession,
    statement: str,
    org_id: str,
    bounds: Sequence[datetime],
    columns: Sequence[str],
    where: Mapping[str, Sequence[str]],
    most: int,
    *,
    most_single: int = MOST_SINGLE,
) -> list[RowMapping]:
    assert {*columns, *where} <= {*COLUMNS}
    groups = ", ".join(("place", *columns))
    named = {name: _COMPUTED.get(name, f"p.{name}") for name in COLUMNS}
    filters = " AND ".join(("true", *(f"{named[name]} = ANY (CAST(:of_{name} AS text[]))" for name in where)))
    listed = "".join(f"{named[name]} AS {name}, " for name in columns)
    asked = text(statement.format(columns=listed, where=filters, groups=groups))
    more = {"bounds": list(bounds), "most": most, **{f"of_{name}": list(values) for name, values in where.items()}}
    rows = await _read(
        session, asked, org_id, bounds[0], bounds[-1], ALL_SPENDS, within=bounds, more=more, most_single=most_single
    )
    return [row for row in rows if row["place"] is not None]


async def _read(
    session: AsyncSession,
    statement: TextClause,
    org_id: str,
    since: datetime,
    until: datetime,
    of: SpendSubset,
    *,
    within: Sequence[datetime] = (),
    more: Mapping[str, object] = {},
    most_single: int = MOST_SINGLE,
) -> Sequence[RowMapping]:
    # Days with a bound within them.
    split = {at.date() for at in (bound.astimezone(UTC) for bound in within) if at.time() != time()}
    days = {"org_id": org_id, "first_day": since.astimezone(UTC).date(), "last_day": until.astimezone(UTC).date()}
    rolled_up, raw, open_spends = list[date](), list[date](), list[UUID]()
    single = 0
    for day, is_rolled_up, opened, spends in await session.execute(_DAYS, days):
        is_whole = since <= _start(day) and _start(day) + timedelta(days=1) <= until and day not in split
        if is_rolled_up and is_whole:
            rolled_up.append(day)
            open_spends += opened
        else:
            raw.append(day)
            single += spends
    if within and single > most_single:
        raise QueryTooLarge(
            "Too many spends lie in days that the intervals divide, or that are not totalled yet. Ask for days in UTC, "
            "for a shorter period, or for one without today.",
            extra={"field": "zone"},
        )
    asked: dict[str, Any] = {
        "org_id": org_id,
        "since": since,
        "until": until,
        "first": first_id(since),
        "days": raw,
        "firsts": [first_id(_start(day)) for day in raw],
        "lasts": [_last_id(day) for day in raw],
        "rolled_up": rolled_up,
        "open": open_spends,
        "agent_id": of.agent_id,
        "department_id": of.department_id,
        **more,
    }
    rows = (await session.execute(statement, asked)).mappings().all()
    if rows[0]["read"] != rows[0]["counted"]:
        rows = (await session.execute(statement, asked | {"lasts": [LAST_ID] * len(raw)})).mappings().all()
    return rows


async def by_day(
    pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, first: date, until: datetime
) -> tuple[list[str], list[str]] | None:
    """Return the spent credits (`domain.insight.spent`) and the number of uses of each day (UTC), as formatted text.

    One round trip with the organization's own rights, from a day up to a time. None if only `by_interval` finds all
    spends, or if too many would be read one by one.
    """
    row = await pool.fetchrow("SELECT used, spends FROM spend_series($1, $2, $3)", org_id, first, until)
    assert row is not None
    return None if row[0] is None else (row[0], row[1])


async def roll_up(session: AsyncSession, *, since: date, until: date, limit: int) -> int:
    """Write the missing rollups of days in `[since, until)`, and return how many.

    Args:
        session: of the platform.
        since: the first day.
        until: the first day that is not over.
        limit: the maximum number of days.
    """
    # Locked, because concurrent calls would both write the rows of a day.
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('spend_days', 0))"))
    due = (await session.execute(_DUE, {"since": since, "until": until, "limit": limit})).all()
    done = 0
    for org_id, day, spends in due:
        place: Mapping[str, Any] = {"org_id": org_id, "day": day, "first": first_id(_start(day))}
        for last in (_last_id(day), LAST_ID):
            found = (await session.execute(_ROLL_UP, {**place, "last": last})).scalar_one()
            if found == spends:
                done += 1
                break
    return done


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _last_id(day: date) -> UUID:
    return first_id(_start(day) + timedelta(days=1) + 2 * _LATE)


#: The invariants of these rows, proved by `verify`.
INVARIANTS = (
    Invariant(
        name="daily summaries of spends equal the day's spends",
        table="public.spend_rollups",
        unit="days",
        violations=f"""
        SELECT r.org_id || ' ' || r.day || ': kept ' || coalesce(kept.sums::text, 'nothing') || ', spends ' || s.sums
        FROM public.spend_rollups r
        JOIN ledger.credit_days d ON d.org_id = r.org_id AND d.day = r.day AND d.spends = r.spends
        CROSS JOIN LATERAL (
            SELECT ROW(count(*), sum(s.quantity), sum(s.captured)) AS sums, coalesce(sum(s.captured), 0) AS captured
            FROM ledger.spends s
            WHERE s.org_id = r.org_id AND {_DAY} = r.day AND s.id <> ALL (r.open_spends)
        ) s
        CROSS JOIN LATERAL (
            SELECT ROW(coalesce(sum(k.spends), 0), sum(k.quantity), sum(k.captured)) AS sums FROM public.spend_days k
            WHERE k.org_id = r.org_id AND k.day = r.day
        ) kept
        WHERE kept.sums::text <> s.sums::text OR r.captured <> s.captured
        """,
    ),
    Invariant(
        name="the paid amount in daily summaries equals the cost of the lots that the spends took",
        table="public.spend_days",
        unit="days",
        violations=f"""
        SELECT r.org_id || ' ' || r.day || ': kept ' || kept.paid || ', lots ' || s.paid
        FROM public.spend_rollups r
        JOIN ledger.credit_days d ON d.org_id = r.org_id AND d.day = r.day AND d.spends = r.spends
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_object_agg(c.asset, c.cost), '{{}}') AS paid FROM (
                SELECT c.asset, sum(c.cost) AS cost FROM public.paid_by_transfers(r.org_id, ARRAY(
                    SELECT t.transfer FROM ledger.spends s {_TRANSFERS.format(kinds="= 'capture'")}
                        AND s.org_id = r.org_id AND {_DAY} = r.day AND s.id <> ALL (r.open_spends)
                )) c GROUP BY c.asset
            ) c
        ) s
        CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_object_agg(c.key, c.cost), '{{}}') AS paid FROM (
                SELECT c.key, sum(c.value::bigint) AS cost
                FROM public.spend_days k CROSS JOIN jsonb_each_text(k.paid) c
                WHERE k.org_id = r.org_id AND k.day = r.day GROUP BY c.key
            ) c
        ) kept
        WHERE kept.paid <> s.paid
        """,
    ),
)
