"""Where an organization's spends are that name a value: what lists of few among many begin to look at.

A charge writes no index for lists, so these look at a bounded number of spends for each page. Days that are added up
say between which ids the spends of a value lie, and what lies between two of them is skipped.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import make_id, uuid_of
from ledger.invariants import Invariant

#: How many of an organization's spends a page looks at: a few, and where these do not fill it, so many and no more.
LOOKS = (400, 5_000)
#: Above every id.
LAST = UUID(int=2**128 - 1)
#: A spend is numbered when the books take it; its time is read a moment before, or given by the platform.
_MARGIN = timedelta(hours=1)


class Kind(StrEnum):
    """By what spends are found."""

    ALL = "all"
    ACTION = "action"
    AGENT = "agent"
    DEPARTMENT = "department"
    PROJECT = "project"
    RUN = "run"
    CONTROL = "control"


#: By which columns of spends the days that are added up say where these are.
_PLACED = {
    "action": Kind.ACTION,
    "agent_id": Kind.AGENT,
    "department_id": Kind.DEPARTMENT,
    "project_id": Kind.PROJECT,
    "run_id": Kind.RUN,
}
#: Each spend of `{of}` with all that it names.
PLACES = """
    SELECT s.id, k.kind, k.value FROM {of} s CROSS JOIN LATERAL (VALUES
        ('all', ''), ('action', s.action), ('agent', s.agent_id), ('department', s.department_id),
        ('project', s.project_id), ('run', s.run_id)
    ) AS k (kind, value)
    WHERE k.value IS NOT NULL
    UNION ALL
    SELECT s.id, 'control', n.control_id::text FROM {of} s CROSS JOIN LATERAL unnest(s.counted_in) AS u (id)
    JOIN ledger.counters n ON n.id = u.id
"""
# Spends of days that are not added up have ids from the first of these days on, and above it nothing is skipped.
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
    """Return an id below those of all spends that were made since."""
    unix_ms = max(0, int((since - _MARGIN).timestamp() * 1000))
    return uuid_of(make_id("spd", unix_ms=unix_ms, entropy=bytes(10)))


def placed(equal: Mapping[str, object]) -> list[tuple[Kind, str]]:
    """Return what spends name that have these values, as `skip` takes it."""
    return [(kind, str(equal[name])) for name, kind in _PLACED.items() if name in equal]


async def skip(
    session: AsyncSession,
    org_id: str,
    named: Sequence[tuple[Kind, str]],
    *,
    before: UUID,
    until: datetime | None = None,
) -> UUID | None:
    """Return below which id the next spends of a list can be; None when there are none.

    Args:
        session: of the organization or the platform.
        org_id: whose spends.
        named: what all of them name.
        before: the list goes on below this id.
        until: they were made before.
    """
    kinds = [(Kind.ALL, ""), *named] if until is not None or not named else named
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


async def open_from(session: AsyncSession, org_ids: Collection[str], *, since: date) -> dict[str, date]:
    """Return the first day, from one on, whose spends are not added up, of each organization that has such a day.

    What was spent on it and later has ids from `first_id` of its beginning on; days before have rollups and places.
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
            CROSS JOIN LATERAL ({PLACES.format(of="(SELECT s.*)")}) named
            GROUP BY 1, 2, 3, 4
        ) s
        LEFT JOIN public.spend_places p ON (p.org_id, p.day, p.kind, p.value) = (s.org_id, s.day, s.kind, s.value)
        WHERE p.first_id IS DISTINCT FROM s.first_id OR p.last_id IS DISTINCT FROM s.last_id
        """,
    ),
)
