"""Finds the ranges of ids that contain an organization's spends with a value, for filtered lists of spends.

Spends have no index for filters, because charges would have to write it, so a page reads a bounded number of spends.
Rollups of days contain the lowest and highest id of each value, so the gaps between them are skipped.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import make_id, uuid_of
from ledger.invariants import Invariant

#: How many of an organization's spends a page reads: the first number, and if these do not fill it, the second.
SCAN_LIMITS = (400, 5_000)
#: Above every id.
LAST_ID = UUID(int=2**128 - 1)
#: How much later than its time a spend's id may be; the time is read before the ledger makes the id.
_MARGIN = timedelta(hours=1)


class RangeKind(StrEnum):
    ALL = "all"
    ACTION = "action"
    AGENT = "agent"
    DEPARTMENT = "department"
    PROJECT = "project"
    RUN = "run"
    CONTROL = "control"


#: The columns of spends that rollups have ranges of ids for.
_PLACED = {
    "action": RangeKind.ACTION,
    "agent_id": RangeKind.AGENT,
    "department_id": RangeKind.DEPARTMENT,
    "project_id": RangeKind.PROJECT,
    "run_id": RangeKind.RUN,
}
#: Each spend of `{of}` with each of its values.
RANGE_VALUES = """
    SELECT s.id, k.kind, k.value FROM {of} s CROSS JOIN LATERAL (VALUES
        ('all', ''), ('action', s.action), ('agent', s.agent_id), ('department', s.department_id),
        ('project', s.project_id), ('run', s.run_id)
    ) AS k (kind, value)
    WHERE k.value IS NOT NULL
    UNION ALL
    SELECT s.id, 'control', n.control_id::text FROM {of} s CROSS JOIN LATERAL unnest(s.counted_in) AS u (id)
    JOIN ledger.counters n ON n.id = u.id
"""
# Spends of days without a rollup have ids from the first such day on; above that id nothing is skipped.
_LATEST = text("""
SELECT (
    SELECT min(d.day) FROM ledger.credit_days d
    LEFT JOIN spend_rollups r ON r.org_id = d.org_id AND r.day = d.day AND r.spends = d.spends
    WHERE d.org_id = :org_id AND d.spends > 0 AND d.day <= CAST(:until AS date) AND r.org_id IS NULL
) AS open_from, ARRAY(
    SELECT (
        SELECT max(p.last_id::text) FROM spend_places p
        WHERE p.org_id = :org_id AND p.kind = named.kind AND p.value = named.value AND p.first_id < :before
            AND p.day <= CAST(:until AS date)
    ) FROM unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS named (kind, value)
) AS last_ids
""")

_OPEN_FROM = text("""
SELECT d.org_id, min(d.day) AS day FROM ledger.credit_days d
LEFT JOIN spend_rollups r ON r.org_id = d.org_id AND r.day = d.day AND r.spends = d.spends
WHERE d.org_id = ANY (:org_ids) AND d.spends > 0 AND d.day >= :since AND r.org_id IS NULL
GROUP BY d.org_id
""")


def first_id(since: datetime) -> UUID:
    unix_ms = max(0, int((since - _MARGIN).timestamp() * 1000))
    return uuid_of(make_id("spd", unix_ms=unix_ms, entropy=bytes(10)))


def range_filters(equal: Mapping[str, object]) -> list[tuple[RangeKind, str]]:
    """Return filters by values as an argument for `next_position`."""
    return [(kind, str(equal[name])) for name, kind in _PLACED.items() if name in equal]


async def next_position(
    session: AsyncSession,
    org_id: str,
    named: Sequence[tuple[RangeKind, str]],
    *,
    before: UUID,
    until: datetime | None = None,
) -> UUID | None:
    """Return the id below which the next spends of a list are; None if there are none.

    Args:
        session: of the organization or the platform.
        org_id: whose spends.
        named: the values that all of them have.
        before: the list continues below this id.
        until: only spends made before this time.
    """
    kinds = [(RangeKind.ALL, ""), *named] if until is not None or not named else named
    asked = {
        "org_id": org_id,
        "before": before,
        "until": (until or datetime.max.replace(tzinfo=UTC)).astimezone(UTC).date(),
        "kinds": [kind.value for kind, _ in kinds],
        "values": [value for _, value in kinds],
    }
    row = (await session.execute(_LATEST, asked)).one()
    if row.open_from is not None and before > first_id(datetime.combine(row.open_from, time(), UTC)):
        return before
    if None in row.last_ids:
        return None
    return min(before, *(UUID(int=UUID(last).int + 1) for last in row.last_ids))


async def first_open_days(session: AsyncSession, org_ids: Collection[str], *, since: date) -> dict[str, date]:
    """Return the first day from a given one on without a rollup, for each organization that has one.

    Spends of that day and later have ids from `first_id` of its beginning on; earlier days have rollups.
    """
    rows = await session.execute(_OPEN_FROM, {"org_ids": list(org_ids), "since": since})
    return {row.org_id: row.day for row in rows}


#: What `verify` proves about these rows.
INVARIANTS = (
    Invariant(
        name="spends of days that are added up are where their places say",
        table="public.spend_places",
        unit="places",
        violations=f"""
        SELECT s.org_id || ' ' || s.day || ' ' || s.kind || ' ' || s.value || ': spends of ' || s.first_id || ' to ' ||
            s.last_id || ', kept ' || coalesce(p.first_id || ' to ' || p.last_id, 'nothing')
        FROM (
            SELECT s.org_id, s.day, named.kind, named.value, min(s.id::text)::uuid AS first_id,
                max(s.id::text)::uuid AS last_id
            FROM (SELECT *, (at AT TIME ZONE 'UTC')::date AS day FROM ledger.spends) s
            JOIN public.spend_rollups r ON r.org_id = s.org_id AND r.day = s.day
            JOIN ledger.credit_days d ON d.org_id = r.org_id AND d.day = r.day AND d.spends = r.spends
            CROSS JOIN LATERAL ({RANGE_VALUES.format(of="(SELECT s.*)")}) named
            GROUP BY 1, 2, 3, 4
        ) s
        LEFT JOIN public.spend_places p ON (p.org_id, p.day, p.kind, p.value) = (s.org_id, s.day, s.kind, s.value)
        WHERE p.first_id IS DISTINCT FROM s.first_id OR p.last_id IS DISTINCT FROM s.last_id
        """,
    ),
)
